"""Read a weather file as it was recorded, and clean it: what is mended, and told."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from shared.errors import UserError

MISSING = -9999.0  # what the station writes where an instrument failed
TIME_FORMATS = ("%d.%m.%Y %H:%M:%S", "%Y-%m-%d %H:%M:%S")
WIND_SPEED, WIND_GUST, WIND_DIRECTION = "wv (m/s)", "max. wv (m/s)", "wd (deg)"
COLUMNS = (
    "p (mbar)", "T (degC)", "Tpot (K)", "Tdew (degC)", "rh (%)", "VPmax (mbar)",
    "VPact (mbar)", "VPdef (mbar)", "sh (g/kg)", "H2OC (mmol/mol)", "rho (g/m**3)",
    WIND_SPEED, WIND_GUST, WIND_DIRECTION,
)  # fmt: skip
"""Columns that every file of the station has; the newer ones have more."""


@dataclass(frozen=True)
class Observations:
    """Cleaned records of a station.

    Attributes:
        times: datetime64[s], (num_rows,), increasing; a gap in time is a gap here.
        columns: Name -> float64, (num_rows,), without a missing value.
        interval: From one row to the next where nothing is missing.
        mended: One sentence for each kind of dirt that was found.
    """

    times: np.ndarray
    columns: dict[str, np.ndarray]
    interval: np.timedelta64
    mended: list[str] = field(default_factory=list)


def read_table(path: Path, skip: tuple[str, ...] = ()) -> pd.DataFrame:
    """Read a file of the station, plain, gzipped or zipped.

    Args:
        path: The first column holds the time, all others numbers. Bytes that are
            not UTF-8 become a replacement sign.
        skip: Columns not to read.

    Returns:
        Numbers by column, with the time as a column `time` and the line of the
        file as the index (the header is line 1).

    Raises:
        UserError: If it is no such file; names column and line.
    """
    try:
        raw = pd.read_csv(
            _open(path),
            encoding="utf-8-sig",
            encoding_errors="replace",
            skip_blank_lines=False,
            skipinitialspace=True,
            low_memory=False,
        )
    except (OSError, EOFError, ValueError, zipfile.BadZipFile) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{path}: cannot be read as a CSV file ({reason}).") from None
    raw.columns = [str(name).strip() for name in raw.columns]
    raw.index += 2
    raw = raw.dropna(how="all")  # blank lines
    if not len(raw):
        raise UserError(f"{path}: holds no row below its header; name another file.")
    unknown = [name for name in skip if name not in raw.columns[1:]]
    if unknown:
        raise UserError(
            f"--skip-columns {unknown[0]!r}: {path.name} has no such column; it has "
            f"{', '.join(map(repr, raw.columns[1:]))}."
        )
    table = {"time": _parse_times(raw.iloc[:, 0], path)}
    for name in raw.columns[1:]:
        if name not in skip:
            table[name] = _parse_numbers(raw[name], path)
    for name in COLUMNS:
        if name not in raw.columns:
            raise UserError(
                f"{path}: line 1 has no column {name!r}; files of the station have "
                f"{', '.join(COLUMNS)}."
            )
    return pd.DataFrame(table, index=raw.index)


def clean_table(table: pd.DataFrame, path: Path, max_gap: int) -> Observations:
    """Turn records as they were written into records that can be trained on.

    Rows whose time has been seen already are dropped. -9999 is missing; wind speed
    and direction become a vector; then what is missing is interpolated in time where
    no more than `max_gap` minutes lie between the values on both sides, and a row
    that still lacks a value is dropped, which leaves a gap.

    Args:
        table: From `read_table`.
        path: For error messages.
        max_gap: Minutes.

    Raises:
        UserError: If the rows are not in order of time, or a column has no value.
    """
    mended = []
    seen = table["time"].duplicated()
    if seen.any():
        lines = _spell_lines(table.index[seen])
        mended.append(
            f"{spell_count(seen.sum(), 'row')} with a repeated time dropped ({lines})"
        )
        table = table[~seen]
    times = table["time"].to_numpy()
    back = np.flatnonzero(np.diff(times) < np.timedelta64(0))
    if len(back):
        later, earlier = table.index[back[0]], table.index[back[0] + 1]
        raise UserError(
            f"{path}: line {earlier} ({times[back[0] + 1]}) is earlier than line "
            f"{later} ({times[back[0]]}); sort the file by its first column."
        )
    steps = pd.Series(np.diff(times))
    if not len(steps):
        raise UserError(f"{path}: holds one row only; name a longer file.")
    interval = steps.mode()[0].to_timedelta64()
    values = table.drop(columns="time")
    missing = (values == MISSING) | values.isna()
    values = values.mask(missing)
    for name in values.columns:
        if missing[name].all():
            raise UserError(
                f"{path}: column {name!r} has no value in any row (lines "
                f"{table.index[0]} to {table.index[-1]}); leave it out with "
                f"--skip-columns {name!r}."
            )
    for name in values.columns[missing.any()]:
        lines = _spell_lines(table.index[missing[name]])
        mended.append(
            f"{spell_count(missing[name].sum(), 'value')} of {name!r} missing ({lines})"
        )
    values = _replace_wind(values)
    filled = _interpolate(values, times, np.timedelta64(max_gap, "m"))
    whole = filled.notna().all(axis=1).to_numpy()
    if missing.to_numpy().any():
        mended_rows = values.isna().any(axis=1).to_numpy() & whole
        mended.append(
            f"{spell_count(np.count_nonzero(mended_rows), 'row')} with missing values "
            f"interpolated (over at most {max_gap} minutes), "
            f"{spell_count(np.count_nonzero(~whole), 'row')} dropped"
        )
    if not whole.any():
        raise UserError(
            f"{path}: every row lacks a value that cannot be interpolated; take a "
            "larger --max-gap, or leave columns out with --skip-columns."
        )
    times, filled = times[whole], filled[whole]
    gaps = np.count_nonzero(np.diff(times) != interval)
    if gaps:
        mended.append(f"{spell_count(gaps, 'gap')} in time, which no window crosses")
    columns = {name: filled[name].to_numpy(np.float64) for name in filled.columns}
    return Observations(times, columns, interval, mended)


def _open(path: Path) -> io.IOBase | Path:
    """Return the CSV file inside a zip archive, or the path of any other file."""
    if path.suffix != ".zip":
        return path
    with zipfile.ZipFile(path) as archive:
        # Archives packed on a Mac hold a shadow of each file in __MACOSX/.
        names = [
            name
            for name in archive.namelist()
            if name.endswith(".csv") and not name.startswith("__MACOSX/")
        ]
        if not names:
            raise ValueError("no .csv file in the archive")
        return io.BytesIO(archive.read(names[0]))


def _parse_times(column: pd.Series, path: Path) -> np.ndarray:
    for time_format in TIME_FORMATS:
        times = pd.to_datetime(column, format=time_format, errors="coerce")
        if times.notna().any():
            break
    if times.isna().any():
        line = times.index[times.isna()][0]
        raise UserError(
            f"{path}: line {line}, column {column.name!r}: {column[line]!r} is no "
            "time; times are written 31.12.2009 23:50:00 or 2009-12-31 23:50:00, the "
            "same way in all rows."
        )
    return times.to_numpy("datetime64[s]")


def _parse_numbers(column: pd.Series, path: Path) -> np.ndarray:
    numbers = pd.to_numeric(column, errors="coerce").astype(np.float64)
    wrong = (numbers.isna() & column.notna()) | np.isinf(numbers)
    if wrong.any():
        line = column.index[wrong][0]
        raise UserError(
            f"{path}: line {line}, column {column.name!r}: {column[line]!r} is no "
            f"number; mend it, or leave the column out with --skip-columns "
            f"{column.name!r}."
        )
    return numbers.to_numpy()


def _replace_wind(values: pd.DataFrame) -> pd.DataFrame:
    """Replace wind speed and direction by the vector (x to the east, y to the north).

    359 and 1 degrees are neighbours, and the direction of no wind means nothing: a
    vector says both. The station gives where the wind comes from, clockwise from
    north.
    """
    if WIND_DIRECTION not in values:
        return values
    angle = np.deg2rad(values[WIND_DIRECTION])
    vectors = {}
    for speed, name in ((WIND_SPEED, "wind"), (WIND_GUST, "gust")):
        if speed in values:
            vectors[f"{name} x (m/s)"] = -values[speed] * np.sin(angle)
            vectors[f"{name} y (m/s)"] = -values[speed] * np.cos(angle)
    rest = values.drop(columns=[WIND_SPEED, WIND_GUST, WIND_DIRECTION], errors="ignore")
    return rest.assign(**vectors)


def _interpolate(
    values: pd.DataFrame, times: np.ndarray, max_gap: np.timedelta64
) -> pd.DataFrame:
    """Fill what is missing, in time, where both neighbours are near enough."""
    seconds = times.astype("datetime64[s]").astype(np.int64)
    filled = values.copy()
    for name in values.columns[values.isna().any()]:
        known = np.flatnonzero(values[name].notna())
        lost = np.flatnonzero(values[name].isna())
        after = np.searchsorted(known, lost)
        inside = (after > 0) & (after < len(known))
        lost, after = lost[inside], after[inside]
        between = seconds[known[after]] - seconds[known[after - 1]]
        near = lost[between <= max_gap.astype("timedelta64[s]").astype(np.int64)]
        column = values[name].to_numpy(copy=True)
        column[near] = np.interp(seconds[near], seconds[known], column[known])
        filled[name] = column
    return filled


def spell_count(count: int, noun: str) -> str:
    """Write a number with its noun: `1 row`, `2,000 rows`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _spell_lines(lines: pd.Index) -> str:
    shown = ", ".join(str(line) for line in lines[:3])
    return f"line{'s' if len(lines) > 1 else ''} {shown}" + (
        ", ..." if len(lines) > 3 else ""
    )
