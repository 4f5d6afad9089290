"""Rows of a table that a user pastes, and the rows that a run has kept as such text."""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from shared.core.errors import UserError
from shared.data.series.filling import FilledSeries
from shared.data.series.layout import Layout
from shared.data.series.table_file import open_table
from shared.inference.file_form import FileForm
from shared.inference.series_run import Reading
from shared.inference.series_table import Rows, find_rows
from shared.runs.reader import Run

NAME = "the pasted rows"
MOST_CHARACTERS = 1_000_000
LARGE_FILE = 20_000_000  # bytes; the header of a larger file is not looked up
Header = tuple[str, ...]


def read_pasted(
    run: Run, layout: Layout, text: str, headers: tuple[Header, ...]
) -> Rows:
    """Read rows as `make predict` reads a file, with the same messages.

    Args:
        run: A finished run of a series recipe.
        layout: Of the run.
        text: With or without a header.
        headers: Names of the columns of rows without a header, as `list_headers` gives.

    Raises:
        UserError: If the rows have another form, or do not fit the run.
    """
    if len(text) > MOST_CHARACTERS:
        raise UserError(
            f"{NAME} have {len(text):,} characters; at most {MOST_CHARACTERS:,} are "
            "accepted. Paste the last rows only."
        )
    if not text.strip():
        raise UserError(f"{NAME} are empty; paste at least {layout.lookback:,} rows.")
    with _call_them_pasted() as path:
        path.write_bytes(text.encode())
        rows = find_rows(run, layout, path, FileForm(encoding="utf-8"), headers)
        remarks = [one.replace(str(path), NAME) for one in rows.remarks]
        return Rows(rows.series, rows.source.replace(str(path), NAME), remarks)


def list_headers(
    reading: Reading, trained_on: str | None, layout: Layout
) -> tuple[Header, ...]:
    """Return the names of columns that rows without a header may have.

    The columns of the run's own file come first: its last rows are what a user copies.

    Args:
        reading: How the table of the run was read.
        trained_on: Its path; None if it was generated.
        layout: Of the run.
    """
    series = () if reading.series is None else (reading.series,)
    headers = [(reading.time, *series, *layout.columns)]
    path = None if trained_on is None else Path(trained_on)
    if path is not None and path.is_file() and path.stat().st_size <= LARGE_FILE:
        with suppress(UserError):  # the run does not need the file
            headers.insert(0, open_table(path, reading.encoding, limit=1).names)
    return tuple(headers)


def write_kept(series: FilledSeries, reading: Reading, layout: Layout) -> str:
    """Return the last steps that a run has kept of a series, as rows to paste.

    Where the network reads a known future, the last steps are that future: their
    targets stay empty.

    Args:
        series: Of the run.
        reading: How the table of the run was read. The rows have its form.
        layout: Of the run.
    """
    text, mark = io.StringIO(), reading.decimal.replace("auto", ".")
    writer = csv.writer(
        text, delimiter=";" if mark == "," else ",", lineterminator="\n"
    )
    names = [] if reading.series is None else [reading.series]
    writer.writerow([reading.time, *names, *layout.columns])
    stop = series.num_observed
    if layout.known:
        stop = min(stop, len(series.times) - layout.horizon)
    times = write_times(series.times, reading.time_format)
    for k, time in enumerate(times):
        row = [time, series.name] if names else [time]
        for column in layout.columns:
            is_open = k >= stop and column not in layout.known
            value = f"{series.values[column][k]:.10g}".replace(".", mark)
            row.append("" if is_open else value)
        writer.writerow(row)
    return text.getvalue()


def write_times(times: np.ndarray, time_format: str) -> list[str]:
    """Return times in a form of `shared.data.series.time_formats`.

    Args:
        times: datetime64.
        time_format: Of all times. They get a clock if one of them is not at midnight.
    """
    whole = times.astype("datetime64[s]")
    seconds = whole.astype(np.int64)
    clock = " %H:%M:%S" if (seconds % 86_400).any() else ""
    forms = {
        "iso": "%Y-%m-%d" + clock,
        "day-first": "%d.%m.%Y" + clock,
        "month-first": "%m/%d/%Y" + clock,
        "year": "%Y",
    }
    moments = whole.tolist()
    if time_format in ("epoch-s", "epoch-ms"):
        factor = 1 if time_format == "epoch-s" else 1_000
        return [str(factor * second) for second in seconds.tolist()]
    if time_format == "quarter":
        return [f"{one.year}Q{(one.month + 2) // 3}" for one in moments]
    return [one.strftime(forms.get(time_format, time_format)) for one in moments]


@contextmanager
def _call_them_pasted() -> Iterator[Path]:
    """Yield a path for the rows, and keep it out of the messages of errors."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "pasted.csv")
        try:
            yield path
        except UserError as error:
            raise UserError(str(error).replace(str(path), NAME)) from None
