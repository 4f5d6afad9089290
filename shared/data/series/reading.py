"""Read any table of series: each becomes a regular grid of times, told what was mended.

No value is invented here: a step or a cell that the file lacks is NaN.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from shared.core.errors import UserError, check_at_least
from shared.core.files import hash_file
from shared.core.text import shorten
from shared.data.delimited import list_names
from shared.data.series.cleaning import (
    Rows,
    drop_copies,
    find_repeats,
    sort_rows,
)
from shared.data.series.columns import Columns, choose_columns, suggest_series
from shared.data.series.combining import combine_rows
from shared.data.series.frequency import Frequency, parse_every
from shared.data.series.grid import Series, choose_frequency, make_grid
from shared.data.series.messages import FORECAST_FLAGS, advise, without_flags
from shared.data.series.table_file import (
    TableFile,
    open_table,
    set_decimal,
    take_head,
)
from shared.data.series.table_rows import describe_codes, read_rows
from shared.data.series.time_formats import check_format

__all__ = ["Series", "SeriesTable", "TableOptions", "read_series"]


@dataclass(frozen=True)
class TableOptions:
    """Which table is read, and how.

    Attributes:
        file: Text, plain or packed (.gz, .zip, .xz), or Parquet.
        time: Column with the time. None: the only one that holds times.
        target: Columns to predict. Empty: the only column of numbers without a role.
        series: Column with the names of the series, in a table with many.
        inputs: More columns of numbers to read.
        known: Columns of numbers whose future is known.
        every: Combine rows to this step, e.g. `1h`.
        how: Rule that combines the rows of a step, in every column.
        time_format: Form of the times. None: found from the whole column.
        decimal: Decimal mark. auto: a comma where all numbers of a table without
            commas between cells agree, else a point.
        encoding: Of text. auto: UTF-8, UTF-16 with a byte order mark, or
            GB18030.
        limit: Rows to read at most.
        headers: As in `open_table`.
        frequency: Step that the series must have: that of a saved run. Then a few rows
            are enough, and the target may be constant. None: found from the times.
    """

    file: Path
    time: str | None = None
    target: tuple[str, ...] = ()
    series: str | None = None
    inputs: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    every: str | None = None
    how: Literal["mean", "sum", "last"] = "mean"
    time_format: str | None = None
    decimal: Literal["auto", ".", ","] = "auto"
    encoding: str = "auto"
    limit: int | None = None
    headers: tuple[tuple[str, ...], ...] = ()
    frequency: Frequency | None = None


@dataclass(frozen=True)
class SeriesTable:
    """The series of a file.

    Attributes:
        path: Of the file.
        sha256: Of the file, 64 hexadecimal digits.
        series: By name.
        frequency: Step of every series.
        time: Column with the time.
        target: Columns to predict.
        inputs: More columns that were read.
        known: Columns whose future is known.
        series_column: Column with the names of the series.
        time_format: Form of the times: a later file is read the same way by it.
        decimal: Mark between the digits of a number.
        remarks: What was found or mended, each in one sentence.
    """

    path: Path
    sha256: str
    series: tuple[Series, ...]
    frequency: Frequency
    time: str
    target: tuple[str, ...]
    inputs: tuple[str, ...]
    known: tuple[str, ...]
    series_column: str | None
    time_format: str
    decimal: str
    remarks: list[str]


def read_series(options: TableOptions) -> SeriesTable:
    """Read the series of a table.

    Rows may be in any order. Steps that the file lacks are added without values. Rows
    behind the last value of the target are kept: they are the known future.

    Raises:
        UserError: If the file has another form. Names line and column. With a
            frequency, it names only flags of `make predict`.
    """
    if options.frequency is None:
        return _read_series(options)
    with without_flags(FORECAST_FLAGS):
        return _read_series(options)


def _read_series(options: TableOptions) -> SeriesTable:
    step = parse_every(options.every) if options.every is not None else None
    check_at_least(options, {"limit": 1})
    if options.time_format is not None:
        check_format(options.time_format)
    remarks: list[str] = []
    table = open_table(
        options.file, options.encoding, options.limit, headers=options.headers
    )
    if options.headers and not table.header_line:
        names = list_names(table.names)
        remarks.append(f"no header: the columns are read as {names}")
    head = take_head(table)
    columns = choose_columns(table, head, options, remarks)
    table = set_decimal(table, columns.numbers, head, options.decimal)
    if table.decimal == "," and options.decimal == "auto":
        remarks.append("numbers have decimal commas")
    found = read_rows(table, columns, head, options.time_format, remarks)
    for name, column in found.rows.values.items():
        remarks += describe_codes(name, column, found.rows.lines)
    where = f"{table.path}: column {shorten(columns.time, 60)!r}"
    if found.times.has_fraction and step is None:
        raise advise(
            f"{where} has fractions of a second",
            "pass --every, e.g. --every 1s, to combine rows",
            "write times in whole seconds",
        )
    rows = sort_rows(found.rows, remarks)
    others = [name for name in head if name not in
              (columns.time, columns.series, *columns.numbers)]  # fmt: skip
    candidate = (
        suggest_series(head, columns.time, others) if not columns.series else None
    )
    if step is None:
        rows = drop_copies(rows, where, remarks, candidate)
    else:
        if candidate is not None and find_repeats(rows).any():
            drop_copies(rows, where, remarks, candidate)
        rows = combine_rows(rows, step, options.how, where, remarks)
    parts = _drop_empty(rows.split(), found.names, table, columns, remarks)
    frequency = choose_frequency(parts, found.names, where, options.frequency or step)
    series = tuple(
        make_grid(found.names[code], part, frequency, where, remarks)
        for code, part in parts
    )
    _check_constant(series, table, columns, options, remarks)
    remarks.append(f"step: {frequency.describe()}")
    return SeriesTable(
        path=options.file,
        sha256=hash_file(options.file),
        series=series,
        frequency=frequency,
        time=columns.time,
        target=columns.target,
        inputs=columns.inputs,
        known=columns.known,
        series_column=columns.series,
        time_format=found.times.time_format,
        decimal=table.decimal,
        remarks=remarks,
    )


def _drop_empty(
    parts: list[tuple[int, Rows]],
    names: list[str],
    table: TableFile,
    columns: Columns,
    remarks: list[str],
) -> list[tuple[int, Rows]]:
    """Leave out series that lack a column, and refuse a column without any value."""
    for name in columns.numbers:
        if all(np.isnan(part.values[name]).all() for _, part in parts):
            raise UserError(
                f"{table.path}: column {shorten(name, 60)!r} has no value; name "
                "another column."
            )
    kept = [
        (code, part)
        for code, part in parts
        if not any(np.isnan(column).all() for column in part.values.values())
    ]
    if not kept:
        raise UserError(
            f"{table.path}: no series has a value in each of the columns named."
        )
    left_out = sorted({names[code] for code, _ in parts} - {names[c] for c, _ in kept})
    if left_out:
        remarks.append(
            f"series without a value in some column: left out "
            f"({shorten(', '.join(left_out), 100)})"
        )
    return kept


def _check_constant(
    series: tuple[Series, ...],
    table: TableFile,
    columns: Columns,
    options: TableOptions,
    remarks: list[str],
) -> None:
    """Refuse a constant target, and tell other constant columns."""
    if options.frequency is not None:
        return
    for name in columns.numbers:
        ranges = [
            (np.nanmin(s.values[name]), np.nanmax(s.values[name])) for s in series
        ]
        if any(low < high for low, high in ranges):
            continue
        is_one = len({low for low, _ in ranges}) == 1
        if name in columns.target:
            every = "" if is_one else " within each series"
            value = f" ({ranges[0][0]:g})" if is_one else ""
            raise UserError(
                f"{table.path}: column {shorten(name, 60)!r} has the same value{value} "
                f"in all rows{every}: there is nothing to predict; name another target."
            )
        if is_one:
            remarks.append(f"{shorten(name, 60)!r} is constant: it tells nothing")
