"""Read any table of series: each becomes a regular grid of times, told what was mended.

No value is invented here: a step or a cell that the file lacks is NaN.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from shared.core.errors import UserError, check_at_least
from shared.core.text import shorten
from shared.data.missing_codes import find_codes
from shared.data.series.cleaning import (
    Rows,
    combine_rows,
    drop_copies,
    find_repeats,
    sort_rows,
)
from shared.data.series.columns import Columns, choose_columns, suggest_series
from shared.data.series.frequency import Frequency, parse_every
from shared.data.series.grid import Series, choose_frequency, make_grid
from shared.data.series.table_file import (
    HEAD_ROWS,
    TableFile,
    is_number,
    open_table,
    set_decimal,
    take_head,
)
from shared.data.series.times import Times, TimesError, check_format, parse_times

__all__ = ["Series", "SeriesTable", "TableOptions", "read_series"]

LARGEST = 1e30  # float32 holds a little more
TRUTH = {"true": 1.0, "false": 0.0}
MOST_CODES = 5  # that are told


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
        encoding: Of text. auto: UTF-8, or UTF-16 with a byte order mark.
        limit: Rows to read at most.
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
        UserError: If the file has another form. Names line and column.
    """
    step = parse_every(options.every) if options.every is not None else None
    check_at_least(options, {"limit": 1})
    if options.time_format is not None:
        check_format(options.time_format)
    remarks: list[str] = []
    table, sha256 = open_table(options.file, options.encoding, options.limit)
    head = take_head(table)
    if not len(head) and len(table.lines) <= HEAD_ROWS:
        raise UserError(f"{table.path}: all rows below its header are empty.")
    columns = choose_columns(table, head, options, remarks)
    table = set_decimal(table, columns.numbers, head, options.decimal)
    if table.decimal == "," and options.decimal == "auto":
        remarks.append("numbers have decimal commas")
    rows, names, times = _read_rows(table, columns, head, options, remarks)
    if times.has_fraction and step is None:
        raise UserError(
            f"{table.path}: column {columns.time!r} has fractions of a second; pass "
            "--every, e.g. --every 1s, to combine rows."
        )
    where = f"{table.path}: column {shorten(columns.time, 60)!r}"
    rows = sort_rows(rows, remarks)
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
    parts = _drop_empty(rows.split(), names, table, columns, remarks)
    frequency = choose_frequency(parts, names, where, options.frequency or step)
    series = tuple(
        make_grid(names[code], part, frequency, where, remarks) for code, part in parts
    )
    _check_constant(series, table, columns, options, remarks)
    remarks.append(f"step: {frequency.describe()}")
    return SeriesTable(
        path=options.file,
        sha256=sha256,
        series=series,
        frequency=frequency,
        time=columns.time,
        target=columns.target,
        inputs=columns.inputs,
        known=columns.known,
        series_column=columns.series,
        time_format=times.time_format,
        decimal=table.decimal,
        remarks=remarks,
    )


def _read_rows(
    table: TableFile,
    columns: Columns,
    head: pd.DataFrame,
    options: TableOptions,
    remarks: list[str],
) -> tuple[Rows, list[str], Times]:
    """Return the rows in the order of the file, and the names of the series."""
    truths = [name for name in columns.numbers if _holds_truth(head[name])]
    for name in columns.numbers:
        filled = head[name].dropna()
        if len(filled) and name not in truths and not is_number(filled):
            raise table.refuse_cell(
                name,
                filled.index[0],
                "text, and a column of numbers is needed; take another column, or "
                "write each category as a column of 0 and 1",
            )
    text = [columns.time, *([columns.series] if columns.series else []), *truths]
    numbers = [name for name in columns.numbers if name not in truths]
    cells = table.read(text, numbers)
    if table.is_unfinished:
        remarks.append(
            f"line {table.lines[-1]}, the last one, has no line end: if the file was "
            "cut there, its last value is wrong"
        )
    times = _read_times(table, cells.pop(columns.time), options.time_format)
    if times.remark:
        remarks.append(times.remark)
    codes, names = np.zeros(len(cells), np.int64), [""]
    if columns.series is not None:
        codes, names = _read_names(table, cells.pop(columns.series))
    for name in truths:
        cells[name] = _read_truths(table, cells[name])
        remarks.append(f"{name!r}: true is 1, false is 0")
    lines = cells.index.to_numpy(np.int64)
    values = {name: cells[name].to_numpy(np.float64) for name in columns.numbers}
    for name, column in values.items():
        wrong = np.abs(column) > LARGEST
        if wrong.any():
            raise table.refuse_cell(
                name,
                int(lines[wrong.argmax()]),
                "no number that can be learned; correct it, or leave the cell empty",
            )
    _tell_codes(values, lines, remarks)
    return Rows(times.times, codes, lines, values), names, times


def _read_times(table: TableFile, cells: pd.Series, time_format: str | None) -> Times:
    try:
        return parse_times(cells, time_format)
    except TimesError as error:
        raise table.refuse_cell(str(cells.name), error.line, str(error)) from None


def _read_names(table: TableFile, cells: pd.Series) -> tuple[np.ndarray, list[str]]:
    """Return the code of each row's series, int64, and the names by code, sorted."""
    cells = cells.str.strip()
    missing = cells.isna() | (cells == "")
    if missing.any():
        raise table.refuse_cell(
            str(cells.name), cells.index[missing][0], "every row needs its series"
        )
    codes, names = pd.factorize(cells, sort=True)
    return codes.astype(np.int64), [str(name) for name in names]


def _holds_truth(cells: pd.Series) -> bool:
    filled = cells.dropna().astype(str).str.strip().str.lower()
    return len(filled) > 0 and bool(filled.isin(list(TRUTH)).all())


def _read_truths(table: TableFile, cells: pd.Series) -> pd.Series:
    """Return true and false as 1 and 0, float64."""
    values = cells.str.strip().str.lower().map(TRUTH)
    wrong = values.isna() & cells.notna()
    if wrong.any():
        raise table.refuse_cell(
            str(cells.name), cells.index[wrong][0], "neither true nor false"
        )
    return values.astype(np.float64)


def _tell_codes(
    values: dict[str, np.ndarray], lines: np.ndarray, remarks: list[str]
) -> None:
    """Tell numbers that probably mark missing values. They are not changed."""
    for name, column in values.items():
        for code in find_codes(pd.DataFrame({name: column}, copy=False))[:MOST_CODES]:
            count = len(code.rows)
            remarks.append(
                f"{shorten(name, 60)!r} is {code.value:g} in {count:,} "
                f"row{'s' if count > 1 else ''}, first in line {lines[code.rows[0]]}: "
                "if this marks a missing value, leave these cells empty"
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
