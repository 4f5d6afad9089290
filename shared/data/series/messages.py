"""What messages about a table share: counts, lines, times, and remedies.

A recipe has flags that describe a table, such as `--every`. A forecast of a saved run
has few of them: it reads a file as the run read its own. So an error that names a flag
has a second wording without it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from shared.core.errors import UserError

if TYPE_CHECKING:
    from shared.data.series.table_file import TableFile

MOST_LINES = 3  # that a message lists
FORECAST_FLAGS = {"--encoding", "--decimal", "--time-format"}
"""Flags of `make predict` that describe a table: how it is written."""


class TableError(UserError):
    """An error of a table whose message names a flag.

    Attributes:
        plain: The same for a program without that flag.
    """

    def __init__(self, message: str, plain: str):
        super().__init__(message)
        self.plain = plain


@contextmanager
def without_flags(kept: Collection[str] = ()) -> Iterator[None]:
    """Give every error inside its wording without flags.

    Args:
        kept: Flags that the program has: an error that names only them keeps them.
    """
    try:
        yield
    except TableError as error:
        named = set(re.findall(r"--[a-z][a-z-]*", str(error)))
        has_flags = named <= set(kept)
        raise UserError(str(error) if has_flags else error.plain) from None


def advise(problem: str, remedy: str, plain: str) -> TableError:
    """Return the error for a problem.

    Args:
        problem: What is wrong, and where.
        remedy: What helps, by a flag.
        plain: What helps without it.
    """
    return TableError(f"{problem}; {remedy}.", f"{problem}; {plain}.")


def refuse_cell(
    table: TableFile, name: str, line: int, problem: str, plain: str
) -> TableError:
    """Return the error for a cell.

    Args:
        table: For the text of the cell.
        name: Of the column.
        line: Of the file.
        problem: What is wrong and what helps, by a flag.
        plain: The same without the flag.
    """
    return TableError(
        str(table.refuse_cell(name, line, problem)),
        str(table.refuse_cell(name, line, plain)),
    )


def format_count(count: int, noun: str) -> str:
    """Write a number with its noun: `1 row`, `2,000 rows`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def format_lines(lines: Sequence[int] | np.ndarray) -> str:
    """Write the first lines of the file: `line 7` or `lines 7, 8, 9, ...`."""
    shown = ", ".join(str(line) for line in lines[:MOST_LINES])
    more = ", ..." if len(lines) > MOST_LINES else ""
    return f"line{'s' if len(lines) > 1 else ''} {shown}{more}"


def format_time(time: np.datetime64) -> str:
    """Return a time for a message: `2009-12-31 23:50`; without a clock at midnight."""
    text = str(time.astype("datetime64[s]")).replace("T", " ")
    return text.removesuffix(":00").removesuffix(" 00:00")
