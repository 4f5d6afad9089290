"""Find the form of a column of times, decided from the whole column."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from shared.core.text import shorten
from shared.data.series.messages import TableError

FORMATS = ("iso", "day-first", "month-first", "epoch-s", "epoch-ms", "year", "quarter")
EPOCH_SECONDS = (1e8, 4.2e9)  # from 1973 to 2103: few other columns lie there
EPOCH_MILLISECONDS = (1e11, 4.2e12)
YEARS = (1000, 2999)
ISO = re.compile(r"\d{4}-\d{1,2}(-\d{1,2}([ T].*)?)?", re.ASCII)
QUARTER = re.compile(r"\d{4}[- ]?[Qq][1-4]", re.ASCII)
PARTS = re.compile(
    r"(\d{1,4})([./-])(\d{1,2})\2(\d{2,4})"
    r"(?:([ T])\d{1,2}:\d\d(:\d\d)?(\.\d+)?( ?[AaPp][Mm])?)?",
    re.ASCII,
)
"""A date of three numbers, then perhaps a time of day."""
MONTH_NAMES = (
    "%d-%b-%Y", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%b %Y", "%B %Y",
    "%b-%Y", "%d-%b-%Y %H:%M", "%d-%b-%Y %H:%M:%S", "%d %b %Y %H:%M",
)  # fmt: skip
"""English forms with names of months."""
EXAMPLES = "e.g. 2009-12-31 23:50 or 31.12.2009 23:50"


class TimesError(ValueError):
    """A column that holds no times.

    Attributes:
        line: Index of the row at fault.
        holds_times: Whether the cells are times all the same, in a form that is open.
        plain: The problem and what helps, without a flag.
    """

    def __init__(
        self,
        problem: str,
        line: int,
        holds_times: bool = False,
        plain: str | None = None,
    ):
        super().__init__(problem)
        self.line = line
        self.holds_times = holds_times
        self.plain = problem if plain is None else plain


def check_format(time_format: str) -> None:
    """Refuse a form of times that is none.

    Raises:
        UserError: With the forms that are accepted.
    """
    if time_format not in FORMATS and "%" not in time_format:
        accepted = f"{', '.join(FORMATS)}, or a form such as '%d.%m.%y %H:%M'."
        raise TableError(
            f"--time-format {shorten(time_format)!r}: takes {accepted}",
            f"the form of times {shorten(time_format)!r}: takes {accepted}",
        )


def find_format(cells: pd.Series, numbers: np.ndarray | None) -> str:
    """Return the form of a column; text is judged by its first cell."""
    if numbers is not None:
        if (numbers == np.floor(numbers)).all() and _lie_in(numbers, YEARS):
            return "year"
        if _lie_in(numbers, (19_000_101, 21_001_231)):
            return "%Y%m%d"
        if _lie_in(numbers, EPOCH_SECONDS):
            return "epoch-s"
        if _lie_in(numbers, EPOCH_MILLISECONDS):
            return "epoch-ms"
        raise TimesError(
            "a number that is neither a year, nor seconds or milliseconds since 1970",
            cells.index[0],
        )
    first = str(cells.iloc[0]).strip()
    if QUARTER.fullmatch(first):
        return "quarter"
    if ISO.fullmatch(first):
        return "iso"
    found = PARTS.fullmatch(first)
    if found is not None:
        return _find_order(cells.astype(str).str.strip(), found)
    for form in MONTH_NAMES:
        if pd.notna(pd.to_datetime(first, format=form, errors="coerce")):
            return form
    raise TimesError(f"no time; write it as in all rows, {EXAMPLES}", cells.index[0])


def _lie_in(numbers: np.ndarray, bounds: tuple[float, float]) -> bool:
    return bool(numbers.min() >= bounds[0] and numbers.max() <= bounds[1])


def _find_order(cells: pd.Series, first: re.Match[str]) -> str:
    """Return whether day or month comes first, from the whole column."""
    if len(first[1]) == 4:
        return make_form(first, "%Y", "%m", "%d")
    if first[2] == ".":
        return "day-first"  # nobody writes months first with dots
    by_day = try_form(cells, make_form(first, "%d", "%m", find_year(first)))
    by_month = try_form(cells, make_form(first, "%m", "%d", find_year(first)))
    wrong_day, wrong_month = by_day.isna(), by_month.isna()
    if wrong_day.any() or wrong_month.any():
        return "month-first" if wrong_month.sum() < wrong_day.sum() else "day-first"
    if (by_day == by_month).all():
        return "day-first"
    problem = "ambiguous: in all rows, day and month may stand in either order"
    raise TimesError(
        f"{problem}; pass --time-format day-first or --time-format month-first",
        cells.index[int((by_day != by_month).to_numpy().argmax())],
        holds_times=True,
        plain=f"{problem}; write times as 2009-12-31 23:50",
    )


def find_year(found: re.Match[str]) -> str:
    """Return the strptime form of the year of a date."""
    return "%y" if len(found[4]) == 2 else "%Y"


def make_form(found: re.Match[str], *parts: str) -> str:
    """Return the strptime form of a date, with the separators of a cell."""
    form = found[2].join(parts)
    if found[5]:
        hours = "%I:%M" if found[8] else "%H:%M"
        form += found[5] + hours + (":%S" if found[6] else "")
        form += ".%f" if found[7] else ""
        form += found[8][:-2] + "%p" if found[8] else ""
    return form


def try_form(cells: pd.Series, form: str) -> pd.Series:
    """Return the times of cells that have this form; NaT for the others."""
    try:
        return pd.to_datetime(cells, format=form, errors="coerce")
    except ValueError as error:
        problem = f"{shorten(form)!r}: cannot be used ({shorten(str(error), 100)})."
        raise TableError(
            f"--time-format {problem}", f"the form of times {problem}"
        ) from None
