"""Read a weather file of the station without changing its values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from shared.core.errors import UserError
from shared.core.text import shorten
from shared.data.delimited import Table, list_names, read_table

LARGEST = 1e9  # no instrument writes a larger number
TIME_FORMATS = ("%d.%m.%Y %H:%M:%S", "%Y-%m-%d %H:%M:%S")
WIND_SPEED, WIND_GUST, WIND_DIRECTION = "wv (m/s)", "max. wv (m/s)", "wd (deg)"
COLUMNS = (
    "p (mbar)", "T (degC)", "Tpot (K)", "Tdew (degC)", "rh (%)", "VPmax (mbar)",
    "VPact (mbar)", "VPdef (mbar)", "sh (g/kg)", "H2OC (mmol/mol)", "rho (g/m**3)",
    WIND_SPEED, WIND_GUST, WIND_DIRECTION,
)  # fmt: skip
"""Columns that every file of the station has. Newer files have more."""


@dataclass(frozen=True)
class Records:
    """The content of a file.

    Attributes:
        times: datetime64[s], (num_rows,), in the order of the file.
        values: float64 by column, NaN if a cell is empty. Its index is the line of the
            file.
        remarks: Sentences about faults of the file that do not stop a run.
    """

    times: np.ndarray
    values: pd.DataFrame
    remarks: tuple[str, ...] = ()


def read_records(
    path: Path, skip: tuple[str, ...] = (), limit: int | None = None
) -> Records:
    """Read a file of the station, plain, gzipped or zipped.

    Args:
        path: A table separated by commas. The first column holds the time, all others
            numbers. Bytes that are not UTF-8 become a replacement character.
        skip: Columns not to read.
        limit: Rows to read at most.

    Raises:
        UserError: If the file has another form. Names column and line.
    """
    table = read_table(path, limit=limit)
    _check_names(table.names, skip, table)
    first, *others = table.names
    names = [name for name in others if name not in skip]
    try:
        cells = table.read([first], names)
    except UserError:
        _parse_times(table.read([first], [])[first], table)  # a better reason, if wrong
        raise
    if not len(cells):
        raise UserError(f"{path}: all rows below its header are empty.")
    times = _parse_times(cells[first], table)
    values = cells[names]
    _check_size(values, table)
    remarks = []
    if table.is_unfinished:
        remarks.append(
            f"line {table.lines[-1]}, the last one, has no line end: if the file was "
            "cut there, its last value is wrong"
        )
    return Records(times, values, tuple(remarks))


def _check_names(names: Sequence[str], skip: tuple[str, ...], table: Table) -> None:
    for name in skip:
        if name not in names[1:]:
            raise UserError(
                f"--skip-columns {shorten(name)!r}: {table.path.name} has no such "
                f"column; it has {list_names(names[1:])}."
            )
    for name in COLUMNS:
        if name not in names:
            raise UserError(
                f"{table.path}: line {table.header_line} has no column {name!r}; files "
                f"of the station have {', '.join(COLUMNS)}."
            )


def _parse_times(column: pd.Series, table: Table) -> np.ndarray:
    for time_format in TIME_FORMATS:
        times = pd.to_datetime(column.astype(str), format=time_format, errors="coerce")
        if times.notna().any():
            break
    if times.isna().any():
        raise table.refuse_cell(
            str(column.name),
            times.index[times.isna()][0],
            "no time; the first column holds the time, as 31.12.2009 23:50:00 or "
            "2009-12-31 23:50:00, in the same form in all rows",
        )
    return times.to_numpy("datetime64[s]")


def _check_size(values: pd.DataFrame, table: Table) -> None:
    """Refuse infinite and absurd numbers."""
    for name in values:
        wrong = values[name].abs() > LARGEST
        if wrong.any():
            raise table.refuse_cell(
                name,
                values.index[wrong][0],
                "no number that an instrument writes; correct it, or skip the column "
                f"with --skip-columns {name!r}",
            )
