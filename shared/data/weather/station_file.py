"""Read a weather file of the station without changing its values.

The station is a preset of the table reader: here are the names of its columns, the
forms of its times and the largest number that its instruments write.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from shared.core.errors import UserError
from shared.core.text import shorten
from shared.data.delimited import list_names
from shared.data.series.cleaning import Rows
from shared.data.series.columns import Columns
from shared.data.series.messages import without_flags
from shared.data.series.table_file import TableFile, open_table, take_head
from shared.data.series.table_rows import read_rows
from shared.data.series.time_formats import try_form

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
        rows: In the order of the file. The station is their only series.
        remarks: Sentences about faults of the file that do not stop a run.
    """

    rows: Rows
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
    remarks: list[str] = []
    with without_flags():
        table = open_table(path, encoding=None, limit=limit, delimiter=",")
        _check_names(table, skip)
        time, *others = table.names
        head = take_head(table)
        found = read_rows(
            table,
            Columns(time, inputs=tuple(name for name in others if name not in skip)),
            head,
            _find_format(head[time], table),
            remarks,
            largest=LARGEST,
            leave_out="skip the column with --skip-columns",
        )
    return Records(found.rows, tuple(remarks))


def _check_names(table: TableFile, skip: tuple[str, ...]) -> None:
    others = table.names[1:]
    for name in skip:
        if name not in others:
            raise UserError(
                f"--skip-columns {shorten(name)!r}: {table.path.name} has no such "
                f"column; it has {list_names(others)}."
            )
    for name in COLUMNS:
        if name not in table.names:
            raise UserError(
                f"{table.path}: line {table.header_line} has no column {name!r}; files "
                f"of the station have {', '.join(COLUMNS)}."
            )


def _find_format(cells: pd.Series, table: TableFile) -> str:
    """Return the form of the times; the first rows decide."""
    for time_format in TIME_FORMATS:
        if try_form(cells.astype(str).str.strip(), time_format).notna().any():
            return time_format
    raise table.refuse_cell(
        str(cells.name),
        cells.index[0],
        "no time; the first column holds the time, as 31.12.2009 23:50:00 or "
        "2009-12-31 23:50:00, in the same form in all rows",
    )
