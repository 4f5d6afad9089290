"""Clean weather records: what is wrong is mended or left out, and told."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from shared.data.weather_file import WIND_DIRECTION, WIND_GUST, WIND_SPEED, Records
from shared.errors import UserError

MISSING = -9999.0  # or less: what the station writes where an instrument failed
VECTORS = {"wind": WIND_SPEED, "gust": WIND_GUST}


@dataclass(frozen=True)
class Observations:
    """Cleaned records of a station.

    Attributes:
        times: datetime64[s], (num_rows,), increasing; a gap in time is a gap here.
        columns: Name -> float64, (num_rows,), without a missing value: what a network
            reads.
        targets: The same, and the wind speeds as they were measured: what it can be
            asked for.
        interval: From one row to the next where nothing is missing.
        lines: int64, (num_rows,): the line of the file each row stands in.
        known_at: datetime64[s], (num_rows,): when all that stands in a row was known;
            later than its time where a value was interpolated.
        invented: Target -> bool, (num_rows,): whether the value was interpolated.
        mended: One sentence for each kind of dirt that was found.
    """

    times: np.ndarray
    columns: dict[str, np.ndarray]
    targets: dict[str, np.ndarray]
    interval: np.timedelta64
    lines: np.ndarray
    known_at: np.ndarray
    invented: dict[str, np.ndarray]
    mended: list[str] = field(default_factory=list)


def clean_records(records: Records, path: Path, max_gap: int) -> Observations:
    """Turn records as they were written into records that can be trained on.

    Rows whose time has been seen already are dropped. -9999 is missing; wind speed
    and direction become a vector; then what is missing is interpolated in time where
    no more than `max_gap` minutes lie between the values on both sides, and a row
    that still lacks a value is dropped, which leaves a gap.

    Args:
        records: From `read_records`.
        path: For error messages.
        max_gap: Minutes.

    Raises:
        UserError: If the rows are not in order of time, or a column has no value.
    """
    mended = []
    times, values = records.times, records.values
    seen = pd.Series(times).duplicated().to_numpy()
    if seen.any():
        lines = _spell_lines(values.index[seen])
        doubled = spell_count(seen.sum(), "row")
        mended.append(f"{doubled} with a repeated time dropped ({lines})")
        times, values = times[~seen], values[~seen]
    steps = np.diff(times)
    if (steps < np.timedelta64(0)).any():
        k = int(np.argmax(steps < np.timedelta64(0)))
        raise UserError(
            f"{path}: line {values.index[k + 1]} ({times[k + 1]}) is earlier than line "
            f"{values.index[k]} ({times[k]}); sort the file by its first column."
        )
    if not len(steps):
        raise UserError(
            f"{path}: one row only (line {values.index[0]}); take a longer file, or a "
            "larger --limit."
        )
    interval = pd.Series(steps).mode()[0].to_timedelta64()
    missing = (values <= MISSING) | values.isna()
    values = values.mask(missing)
    for name in values.columns[missing.any()]:
        if missing[name].all():
            raise UserError(
                f"{path}: column {name!r} has no value in any row (lines "
                f"{values.index[0]} to {values.index[-1]}); leave it out with "
                f"--skip-columns {name!r}."
            )
        lines = _spell_lines(values.index[missing[name]])
        lost = spell_count(missing[name].sum(), "value")
        mended.append(f"{lost} of {name!r} missing ({lines})")
    values = _add_wind(values, mended)
    holes = values.isna()
    values, known_at = _interpolate(values, times, np.timedelta64(max_gap, "m"))
    whole = values.notna().all(axis=1).to_numpy()
    if holes.to_numpy().any():
        filled = np.count_nonzero(holes.any(axis=1).to_numpy() & whole)
        mended.append(
            f"{spell_count(filled, 'row')} with missing values interpolated (over at "
            f"most {max_gap} minutes), {spell_count((~whole).sum(), 'row')} dropped"
        )
    if not whole.any():
        raise UserError(
            f"{path}: every row lacks a value that cannot be interpolated; take a "
            "larger --max-gap, or leave columns out with --skip-columns."
        )
    times, values = times[whole], values[whole]
    gaps = np.count_nonzero(np.diff(times) != interval)
    if gaps:
        mended.append(f"{spell_count(gaps, 'gap')} in time, which no window crosses")
    targets = {name: values[name].to_numpy() for name in values.columns}
    return Observations(
        times=times,
        columns={n: v for n, v in targets.items() if n not in (WIND_SPEED, WIND_GUST)},
        targets=targets,
        interval=interval,
        lines=values.index.to_numpy(),
        known_at=known_at[whole],
        invented={name: holes[name].to_numpy()[whole] for name in targets},
        mended=mended,
    )


def list_sources(column: str) -> tuple[str, ...]:
    """Return the columns of a file that a column of `Observations` was made from."""
    for prefix, speed in VECTORS.items():
        if column.startswith(f"{prefix} "):
            return (speed,)
    return (column,)


def _add_wind(values: pd.DataFrame, mended: list[str]) -> pd.DataFrame:
    """Put the wind vector (x to the east, y to the north) in place of the direction.

    359 and 1 degrees are neighbours, and the direction of no wind means nothing: a
    vector says both. The station gives where the wind comes from, clockwise from
    north. The speeds stay, as targets.
    """
    if WIND_DIRECTION not in values:
        return values
    angle = np.deg2rad(values[WIND_DIRECTION])
    vectors = {}
    for name, speed in VECTORS.items():
        if speed in values:
            vectors[f"{name} x (m/s)"] = -values[speed] * np.sin(angle)
            vectors[f"{name} y (m/s)"] = -values[speed] * np.cos(angle)
    if not vectors:
        mended.append(f"{WIND_DIRECTION!r} left out: without a speed it says little")
    return values.drop(columns=WIND_DIRECTION).assign(**vectors)


def _interpolate(
    values: pd.DataFrame, times: np.ndarray, max_gap: np.timedelta64
) -> tuple[pd.DataFrame, np.ndarray]:
    """Fill what is missing, in time, where both neighbours are near enough.

    Returns:
        The values, NaN where they still are missing, and when each row was known.
    """
    seconds = times.astype(np.int64)
    limit = max_gap.astype("timedelta64[s]").astype(np.int64)
    filled, known_at = values.copy(), times.copy()
    for name in values.columns[values.isna().any()]:
        known = np.flatnonzero(values[name].notna())
        lost = np.flatnonzero(values[name].isna())
        after = np.searchsorted(known, lost)
        inside = (after > 0) & (after < len(known))
        lost, after = lost[inside], after[inside]
        near = seconds[known[after]] - seconds[known[after - 1]] <= limit
        lost, after = lost[near], after[near]
        column = values[name].to_numpy(copy=True)
        column[lost] = np.interp(seconds[lost], seconds[known], column[known])
        filled[name] = column
        known_at[lost] = np.maximum(known_at[lost], times[known[after]])
    return filled, known_at


def spell_count(count: int, noun: str) -> str:
    """Write a number with its noun: `1 row`, `2,000 rows`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _spell_lines(lines: pd.Index) -> str:
    shown = ", ".join(str(line) for line in lines[:3])
    return f"line{'s' if len(lines) > 1 else ''} {shown}" + (
        ", ..." if len(lines) > 3 else ""
    )
