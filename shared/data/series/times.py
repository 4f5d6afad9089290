"""Read a column of times in any usual form, decided from the whole column."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from shared.core.text import shorten
from shared.data.series.time_formats import (
    PARTS,
    QUARTER,
    TimesError,
    find_format,
    find_year,
    make_form,
    try_form,
)

WITH_ZONE = re.compile(r"[^T ]+[T ]\d\d.*([Zz]|[+-]\d\d(:?\d\d)?)", re.ASCII)
ZONES_MIXED = (
    "a time {this} a zone, and line {line} {other}; write an offset (+01:00 or Z) in "
    "all rows or in none"
)


@dataclass(frozen=True)
class Times:
    """A column of times.

    Attributes:
        times: datetime64[s], (num_rows,), in the order of the file.
        time_format: One of `FORMATS`, or one for strptime. The same column is read in
            the same way by it.
        remark: What was decided; empty: nothing to tell.
        has_fraction: Whether fractions of a second were cut off.
    """

    times: np.ndarray
    time_format: str
    remark: str = ""
    has_fraction: bool = False


def parse_times(cells: pd.Series, time_format: str | None = None) -> Times:
    """Return a column of times. Those with a zone or an offset become UTC.

    Args:
        cells: (num_rows,), text, numbers or datetimes. Its index is the line of each
            row. Not empty.
        time_format: One of `FORMATS`, or one for strptime. None: found from all rows.

    Raises:
        TimesError: If a cell is no time, or the order of day and month is open.
    """
    missing = cells.isna()
    if missing.any():
        raise TimesError("every row needs its time", cells.index[missing][0])
    if isinstance(cells.dtype, pd.DatetimeTZDtype) or cells.dtype.kind == "M":
        return _finish(cells, "iso")
    numbers = _read_numbers(cells)
    if time_format is None:
        time_format = find_format(cells, numbers)
    if time_format in ("epoch-s", "epoch-ms", "year"):
        return _parse_numbers(cells, numbers, time_format)
    cells = cells.astype(str)
    if time_format == "iso":
        return _parse_iso(cells)
    cells = cells.str.strip()
    if time_format == "quarter":
        return _parse_quarters(cells)
    if time_format in ("day-first", "month-first"):
        return _parse_parts(cells, time_format)
    return _parse_form(cells, time_format, time_format)


def _read_numbers(cells: pd.Series) -> np.ndarray | None:
    """Return the numbers of a column that holds nothing else; None otherwise."""
    first = str(cells.iloc[0]).strip()
    if not re.fullmatch(r"[+-]?\d+(\.\d*)?(e[+-]?\d+)?", first, re.ASCII | re.I):
        return None
    numbers = pd.to_numeric(cells, errors="coerce").to_numpy(np.float64)
    return numbers if np.isfinite(numbers).all() else None


def _parse_parts(cells: pd.Series, time_format: str) -> Times:
    found = PARTS.fullmatch(cells.iloc[0])
    if found is None:
        raise TimesError(f"no time with the {time_format[:-6]} first", cells.index[0])
    parts = ("%d", "%m") if time_format == "day-first" else ("%m", "%d")
    times = _parse_form(cells, make_form(found, *parts, find_year(found)), time_format)
    remark = f"times have the {time_format[:-6]} first, as in {shorten(cells.iloc[0])}"
    return Times(times.times, time_format, remark, times.has_fraction)


def _parse_form(cells: pd.Series, form: str, time_format: str) -> Times:
    parsed = try_form(cells, form)
    wrong = parsed.isna()
    if wrong.any():
        right = cells[~wrong]
        example = f", as {shorten(right.iloc[0], 60)}" if len(right) else ""
        problem = (
            f"no time of the form {shorten(form, 60)!r}; write it in the same form in "
            f"all rows{example}"
        )
        raise TimesError(
            f"{problem}, or pass --time-format", cells.index[wrong][0], plain=problem
        )
    return _finish(parsed, time_format)


def _parse_iso(cells: pd.Series) -> Times:
    """Return ISO 8601 times."""
    has_zone = WITH_ZONE.fullmatch(cells.iloc[0].strip()) is not None
    try:
        parsed = pd.to_datetime(cells, format="ISO8601")
        if parsed.dtype == object:  # several offsets
            raise ValueError
    except ValueError:
        cells = cells.str.strip()
        zones = cells.map(lambda cell: WITH_ZONE.fullmatch(cell) is not None)
        _check_cells(cells, zones)
        if zones.any():
            return _finish_zones(cells)
        parsed = pd.to_datetime(cells, format="ISO8601")
    if has_zone and not isinstance(parsed.dtype, pd.DatetimeTZDtype):
        return _finish_zones(cells)
    return _finish(parsed, "iso")


def _check_cells(cells: pd.Series, zones: pd.Series) -> None:
    """Refuse cells that are no ISO times, and zones in some rows only."""
    wrong = pd.to_datetime(cells, format="ISO8601", errors="coerce", utc=True).isna()
    if wrong.any():
        raise TimesError(
            "no time; write it as in the other rows, e.g. 2009-12-31 23:50",
            cells.index[wrong][0],
        )
    if zones.any() and not zones.all():
        differs = zones != zones.iloc[0]
        line = cells.index[differs][0]
        this, other = ("with", "has none") if zones[line] else ("without", "has one")
        text = ZONES_MIXED.format(this=this, line=cells.index[0], other=other)
        raise TimesError(text, line, holds_times=True)


def _finish_zones(cells: pd.Series) -> Times:
    """Return times whose offsets differ, such as those of summer and winter."""
    parsed = pd.to_datetime(cells, format="ISO8601", utc=True)
    text = cells.str.replace(r"\s*([Zz]|[+-]\d\d(:?\d\d)?)$", "", regex=True)
    local = pd.to_datetime(text, format="ISO8601", errors="coerce")
    clock = local - local.dt.normalize()
    if len(local) > 1 and local.notna().all() and (clock == clock.iloc[0]).all():
        times = _finish(local, "iso")
        remark = "times have offsets and the same clock time each day: they stay local"
        return Times(times.times, "iso", remark)
    return _finish(parsed, "iso")


def _parse_quarters(cells: pd.Series) -> Times:
    wrong = cells.map(QUARTER.fullmatch).isna()
    if wrong.any():
        raise TimesError("no quarter, e.g. 2020Q1", cells.index[wrong][0])
    years = cells.str[:4].astype(np.int64).to_numpy()
    months = (years - 1970) * 12 + 3 * (cells.str[-1].astype(np.int64).to_numpy() - 1)
    return Times(months.astype("datetime64[M]").astype("datetime64[s]"), "quarter")


def _parse_numbers(
    cells: pd.Series, numbers: np.ndarray | None, time_format: str
) -> Times:
    """Return times from years, or seconds or milliseconds since 1970."""
    if numbers is None:
        wrong = pd.to_numeric(cells, errors="coerce").isna()
        line = cells.index[wrong][0] if wrong.any() else cells.index[0]
        raise TimesError(
            "no number, and the other times are numbers (of years, or seconds or "
            "milliseconds since 1970)",
            line,
        )
    if time_format == "year":
        wrong = (numbers != np.floor(numbers)) | (np.abs(numbers) > 9999)
        if wrong.any():
            raise TimesError("no whole year", cells.index[wrong][0])
        years = (numbers.astype(np.int64) - 1970).astype("datetime64[Y]")
        return Times(years.astype("datetime64[s]"), "year")
    seconds = numbers / (1000 if time_format == "epoch-ms" else 1)
    wrong = np.abs(seconds) > 1e11
    if wrong.any():
        raise TimesError(f"no time as {time_format}", cells.index[wrong][0])
    whole = np.floor(seconds)
    unit = "milliseconds" if time_format == "epoch-ms" else "seconds"
    return Times(
        whole.astype(np.int64).astype("datetime64[s]"),
        time_format,
        f"times are {unit} since 1970, in UTC",
        bool((whole != seconds).any()),
    )


def _finish(parsed: pd.Series, time_format: str) -> Times:
    """Return times in UTC, without fractions of a second."""
    remark = ""
    if isinstance(parsed.dtype, pd.DatetimeTZDtype):
        parsed = parsed.dt.tz_convert("UTC").dt.tz_localize(None)
        remark = "times have a zone: they are read in UTC"
    exact = parsed.to_numpy()
    times = exact.astype("datetime64[s]")
    return Times(times, time_format, remark, bool((times != exact).any()))
