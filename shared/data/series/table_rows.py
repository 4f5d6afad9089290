"""Read the rows of a table: it checks every time and number, and changes none.

Tables of series and presets such as the weather station read their rows here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from shared.core.errors import UserError
from shared.core.text import shorten
from shared.data.missing_codes import find_codes
from shared.data.series.cleaning import Rows
from shared.data.series.columns import Columns
from shared.data.series.messages import format_count, format_lines, refuse_cell
from shared.data.series.table_file import TableFile, is_number
from shared.data.series.time_formats import TimesError
from shared.data.series.times import Times, parse_times

LARGEST = 1e30  # float32 holds a little more
TRUTH = {"true": 1.0, "false": 0.0}
MOST_CODES = 5  # that a remark names, for each column


@dataclass(frozen=True)
class TableRows:
    """The rows of a table.

    Attributes:
        rows: In the order of the file.
        names: Of the series, by code; one empty name where the table holds one.
        times: Of the rows, and how they were read.
    """

    rows: Rows
    names: list[str]
    times: Times


def read_rows(
    table: TableFile,
    columns: Columns,
    head: pd.DataFrame,
    time_format: str | None,
    remarks: list[str],
    largest: float = LARGEST,
    leave_out: str = "take another column",
) -> TableRows:
    """Return the rows of a table in the order of the file.

    Args:
        table: With the decimal mark of its numbers.
        columns: To read.
        head: The first rows, as text.
        time_format: Form of the times. None: found from the whole column.
        remarks: Gets what was found.
        largest: Numbers farther from 0 are refused.
        leave_out: How the user leaves a column of text out, for messages.

    Raises:
        UserError: If a cell is no time or no number. Names line and column.
    """
    truths = [name for name in columns.numbers if _holds_truth(head[name])]
    numbers = [name for name in columns.numbers if name not in truths]
    text = [columns.time, *([columns.series] if columns.series else []), *truths]
    try:
        cells = table.read(text, numbers)
    except UserError:
        for name in numbers:
            _check_text(table, head[name].dropna(), leave_out)  # a better reason
        raise
    if not len(cells):
        raise UserError(
            f"{table.path}: the columns that are read are empty in all rows."
        )
    if table.is_unfinished:
        remarks.append(
            f"line {table.lines[-1]}, the last one, has no line end: if the file was "
            "cut there, its last value is wrong"
        )
    times = _read_times(table, cells.pop(columns.time), time_format)
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
        wrong = np.abs(column) > largest
        if wrong.any():
            raise table.refuse_cell(
                name,
                int(lines[wrong.argmax()]),
                f"no number from -{largest:g} to {largest:g}; correct it, or leave the "
                "cell empty",
            )
    return TableRows(Rows(times.times, codes, lines, values), names, times)


def describe_codes(name: str, column: np.ndarray, lines: np.ndarray) -> list[str]:
    """Return a sentence for each number that probably marks missing values.

    Args:
        name: Of the column.
        column: float64, (num_rows,), NaN if missing. It is not changed.
        lines: int64, (num_rows,): of the rows in the file.
    """
    return [
        f"{shorten(name, 60)!r} is {code.value:g} in "
        f"{format_count(len(code.rows), 'row')} ({format_lines(lines[code.rows])}), "
        "far from its other values: if this marks a missing value, leave these cells "
        "empty"
        for code in find_codes(pd.DataFrame({name: column}, copy=False))[:MOST_CODES]
    ]


def _check_text(table: TableFile, filled: pd.Series, leave_out: str) -> None:
    """Refuse a column of text where numbers are needed."""
    if len(filled) and not is_number(filled):
        raise table.refuse_cell(
            str(filled.name),
            filled.index[0],
            f"text, and a column of numbers is needed; {leave_out}, or write each "
            "category as a column of 0 and 1",
        )


def _read_times(table: TableFile, cells: pd.Series, time_format: str | None) -> Times:
    try:
        return parse_times(cells, time_format)
    except TimesError as error:
        name, problem = str(cells.name), str(error)
        is_first = error.line == cells.index[0] and pd.notna(cells.iloc[0])
        if time_format is not None and is_first and "--time-format" not in problem:
            form = f"the form {shorten(time_format, 40)!r} that was asked for"
            problem += f"; times are read in {form}: pass another --time-format"
        raise refuse_cell(table, name, error.line, problem, error.plain) from None


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
    filled = cells.dropna().astype(str)
    if not len(filled) or filled.iloc[0].strip().lower() not in TRUTH:
        return False
    return bool(filled.str.strip().str.lower().isin(list(TRUTH)).all())


def _read_truths(table: TableFile, cells: pd.Series) -> pd.Series:
    """Return true and false as 1 and 0, float64."""
    values = cells.str.strip().str.lower().map(TRUTH)
    wrong = values.isna() & cells.notna()
    if wrong.any():
        raise table.refuse_cell(
            str(cells.name), cells.index[wrong][0], "neither true nor false"
        )
    return values.astype(np.float64)
