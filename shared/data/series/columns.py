"""Which column of a table has which role: as named, or found where it is safe."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from shared.core.errors import UserError
from shared.core.text import shorten
from shared.data.delimited import list_names
from shared.data.series.messages import TableError, advise
from shared.data.series.table_file import TableFile, is_number
from shared.data.series.time_formats import TimesError
from shared.data.series.times import parse_times

if TYPE_CHECKING:
    from shared.data.series.reading import TableOptions

TIME_NAMES = re.compile(
    r"(.*[ _-])?(date|time|timestamp|datetime|year|month|period|epoch|ds|ts|t)",
    re.IGNORECASE,
)
"""Names of columns of numbers that may be times."""
FEW_ROWS = 100  # that decide whether a column holds times


@dataclass(frozen=True)
class Columns:
    """The columns that are read, each in one role."""

    time: str
    target: tuple[str, ...] = ()
    series: str | None = None
    inputs: tuple[str, ...] = ()
    known: tuple[str, ...] = ()

    @property
    def numbers(self) -> tuple[str, ...]:
        """The columns of numbers."""
        return self.target + self.inputs + self.known


def choose_columns(
    table: TableFile, head: pd.DataFrame, options: TableOptions, remarks: list[str]
) -> Columns:
    """Return the columns to read.

    Args:
        table: For names and messages.
        head: The first rows, as text.
        options: What is named.
        remarks: Gets what was found.

    Raises:
        UserError: If a name is wrong or used twice, or a role is open.
    """
    roles = {
        "time": (options.time,) if options.time is not None else (),
        "target": options.target,
        "series": (options.series,) if options.series is not None else (),
        "inputs": options.inputs,
        "known": options.known,
    }
    _check_names(table, roles)
    used = {name for names in roles.values() for name in names}
    others = [name for name in table.names if name not in used]
    time = options.time
    if time is None:
        time = _find_time(table, head, others, options.time_format)
        others.remove(time)
        remarks.append(f"time: column {shorten(time, 60)!r}")
    target = options.target
    if not target:
        target = (_find_target(table, head, others),)
        remarks.append(f"target: column {shorten(target[0], 60)!r}")
    return Columns(time, target, options.series, options.inputs, options.known)


def suggest_series(head: pd.DataFrame, time: str, others: Sequence[str]) -> str | None:
    """Return a column that tells apart rows of one time, as names of series do.

    Args:
        head: The first rows, as text.
        time: Column with the time.
        others: Columns without a role.
    """
    if not head[time].duplicated().any():
        return None
    for name in others:
        values = head[name]
        if (
            values.notna().all()
            and 1 < values.nunique() <= len(values) / 2
            and not head.duplicated([time, name]).any()
        ):
            return name
    return None


def _check_names(table: TableFile, roles: dict[str, tuple[str, ...]]) -> None:
    role_of: dict[str, str] = {}
    for role, names in roles.items():
        for name in names:
            quoted = repr(shorten(name, 60))
            if name not in table.names:
                near = difflib.get_close_matches(name, table.names, 1)
                hint = f"did you mean {shorten(near[0], 60)!r}? It" if near else "it"
                there = f"{hint} has {list_names(table.names)}."
                raise TableError(
                    f"--{role} {quoted}: {table.path} has no such column; {there}",
                    f"{table.path}: has no column {quoted}, which is read; {there}",
                )
            if name in role_of:
                raise TableError(
                    f"--{role} {quoted}: {table.path}: --{role_of[name]} names this "
                    "column too; a column has one role.",
                    f"{table.path}: column {quoted} has two roles, {role_of[name]} and "
                    f"{role}; a column has one role.",
                )
            role_of[name] = role


def _find_time(
    table: TableFile,
    head: pd.DataFrame,
    others: Sequence[str],
    time_format: str | None,
) -> str:
    """Return the only column that holds times."""
    text, numbers = [], []
    for name in others:
        cells = head[name].iloc[:FEW_ROWS]
        is_numeric = is_number(cells) and time_format is None
        if is_numeric and not TIME_NAMES.fullmatch(name):
            continue
        if _are_times(cells, time_format):
            (numbers if is_numeric else text).append(name)
    found = text or numbers
    if len(found) == 1:
        return found[0]
    if found:
        raise advise(
            f"{table.path}: columns {list_names(found)} hold times",
            "name one by --time",
            "remove all but one",
        )
    raise advise(
        f"{table.path}: no column holds times in a form that is known (there are "
        f"{list_names(table.names)})",
        "name it by --time, and its form by --time-format",
        "write times as 2009-12-31 23:50",
    )


def _are_times(cells: pd.Series, time_format: str | None) -> bool:
    """Return whether cells are times, or most are and one has to be corrected."""
    cells = cells.dropna()
    if not len(cells):
        return False
    try:
        parse_times(cells, time_format)
    except TimesError as error:
        if error.holds_times:
            return True
        rest = cells[cells.index != error.line]
        return len(rest) > 1 and _parse_all(rest, time_format)
    return True


def _parse_all(cells: pd.Series, time_format: str | None) -> bool:
    try:
        parse_times(cells, time_format)
    except TimesError as error:
        return error.holds_times
    return True


def _find_target(table: TableFile, head: pd.DataFrame, others: Sequence[str]) -> str:
    """Return the only column of numbers that has no other role."""
    found = [name for name in others if is_number(head[name])]
    if len(found) == 1:
        return found[0]
    if found:
        raise advise(
            f"{table.path}: columns {list_names(found)} hold numbers",
            "name the one to predict by --target",
            "remove all but the one to predict",
        )
    raise UserError(
        f"{table.path}: no column of numbers is left to predict; there are "
        f"{list_names(table.names)}."
    )
