"""Clean weather records: repair or drop wrong values, and report each repair."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from shared.core.errors import UserError
from shared.data.missing_codes import find_codes
from shared.data.weather.station_file import (
    WIND_DIRECTION,
    WIND_GUST,
    WIND_SPEED,
    Records,
)

MISSING = -9999.0  # or less: the station writes it if an instrument failed
VECTORS = {"wind": WIND_SPEED, "gust": WIND_GUST}


@dataclass(frozen=True)
class Observations:
    """Cleaned records of a station.

    Attributes:
        times: datetime64[s], (num_rows,), increasing: the clock of the file. Gaps stay
            gaps.
        elapsed: datetime64[s], (num_rows,): the same by a clock that was never set
            back. A step of this clock is the true step.
        columns: Name -> float64, (num_rows,), without a missing value: the inputs of a
            network.
        targets: The same, and the wind speeds as measured: the possible targets.
        interval: Time from one row to the next if no row is missing.
        lines: int64, (num_rows,): the line of each row in the file.
        known_at: datetime64[s], (num_rows,): when all values of a row were known. It is
            later than the time of the row if a value was interpolated.
        interpolated: Target -> bool, (num_rows,): whether the value was interpolated.
        repairs: One sentence for each kind of fault that was found.
    """

    times: np.ndarray
    elapsed: np.ndarray
    columns: dict[str, np.ndarray]
    targets: dict[str, np.ndarray]
    interval: np.timedelta64
    lines: np.ndarray
    known_at: np.ndarray
    interpolated: dict[str, np.ndarray]
    repairs: list[str] = field(default_factory=list)


def clean_records(records: Records, path: Path, max_gap: int) -> Observations:
    """Turn records of the station into records for training.

    Rows with a repeated time are dropped. If their values differ from those of the
    first row with this time, the clock was set back, and `elapsed` has a gap there.
    -9999 is missing. Wind speed and direction
    become a vector. Then missing values are interpolated in time if at most `max_gap`
    minutes lie between the values on both sides. A row that still lacks a value is
    dropped, which leaves a gap.

    Args:
        records: From `read_records`.
        path: For error messages.
        max_gap: Minutes.

    Raises:
        UserError: If the rows are not in order of time or have no common interval, or
            a column has no value.
    """
    repairs = list(records.remarks)
    times, values, elapsed = _drop_repeated(records, repairs)
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
    interval = _find_interval(steps, path)
    missing = (values <= MISSING) | values.isna()
    values = values.mask(missing)
    for name in values.columns[missing.any()]:
        if missing[name].all():
            raise UserError(
                f"{path}: column {name!r} has no value in any row (lines "
                f"{values.index[0]} to {values.index[-1]}); skip it with "
                f"--skip-columns {name!r}."
            )
        lines = _format_lines(values.index[missing[name]])
        lost = format_count(missing[name].sum(), "value")
        repairs.append(f"{lost} of {name!r} missing ({lines})")
    repairs += _describe_codes(values)
    values = _add_wind(values, repairs)
    holes = values.isna()
    values, known_at = _interpolate(
        values, times, elapsed, np.timedelta64(max_gap, "m")
    )
    whole = values.notna().all(axis=1).to_numpy()
    if holes.to_numpy().any():
        filled = np.count_nonzero(holes.any(axis=1).to_numpy() & whole)
        repairs.append(
            f"{format_count(filled, 'row')} with missing values interpolated (over at "
            f"most {max_gap} minutes), {format_count((~whole).sum(), 'row')} dropped"
        )
    if not whole.any():
        raise UserError(
            f"{path}: every row lacks a value that cannot be interpolated; take a "
            "larger --max-gap, or skip columns with --skip-columns."
        )
    times, values, elapsed = times[whole], values[whole], elapsed[whole]
    repairs += _describe_steps(np.diff(elapsed), interval, values.index)
    targets = {name: values[name].to_numpy() for name in values.columns}
    return Observations(
        times=times,
        elapsed=elapsed,
        columns={n: v for n, v in targets.items() if n not in (WIND_SPEED, WIND_GUST)},
        targets=targets,
        interval=interval,
        lines=values.index.to_numpy(),
        known_at=known_at[whole],
        interpolated={name: holes[name].to_numpy()[whole] for name in targets},
        repairs=repairs,
    )


def _drop_repeated(
    records: Records, repairs: list[str]
) -> tuple[np.ndarray, pd.DataFrame, np.ndarray]:
    """Drop rows with a repeated time.

    Returns:
        The times and values that are left, and their times by a clock that was never
        set back.
    """
    times, values = records.times, records.values
    seen = pd.Series(times).duplicated().to_numpy()
    if not seen.any():
        return times, values, times
    lines = _format_lines(values.index[seen])
    doubled = format_count(seen.sum(), "row")
    repairs.append(f"{doubled} with a repeated time dropped ({lines})")
    first = pd.Index(times[~seen]).get_indexer(times[seen])
    again, before = values[seen].to_numpy(), values[~seen].to_numpy()[first]
    differs = np.zeros(len(times), bool)
    differs[seen] = ((again != before) & ~(np.isnan(again) & np.isnan(before))).any(1)
    # A block of repeated rows is one event: a copy of rows, or a clock set back.
    block = np.cumsum(np.diff(seen, prepend=False))
    set_back = seen & np.isin(block, block[differs])
    if not set_back.any():
        return times[~seen], values[~seen], times[~seen]
    lines = _format_lines(values.index[set_back])
    repairs.append(
        f"the clock was set back, or two records are mixed: {lines} repeat a time with "
        "other values; no window crosses them"
    )
    steps = np.diff(times)
    interval = _most_frequent(np.diff(times[~seen]))
    lost = np.zeros(len(times), "timedelta64[s]")
    lost[1:] = np.where(
        set_back[1:] & (steps <= np.timedelta64(0)), interval - steps, 0
    )
    return times[~seen], values[~seen], (times + np.cumsum(lost))[~seen]


def _find_interval(steps: np.ndarray, path: Path) -> np.timedelta64:
    """Return the most frequent step; UserError if most steps have another length."""
    interval = _most_frequent(steps)
    regular = np.count_nonzero(steps == interval)
    if 2 * regular < len(steps):
        raise UserError(
            f"{path}: only {regular:,} of {format_count(len(steps), 'step')} in time "
            f"are {_format_step(interval)} long, which is the most frequent length; a "
            "forecast needs rows at one interval: resample the file."
        )
    return interval


def _most_frequent(steps: np.ndarray) -> np.timedelta64:
    if not len(steps):
        return np.timedelta64(0, "s")
    lengths, counts = np.unique(steps, return_counts=True)
    return lengths[counts.argmax()]


def _describe_codes(values: pd.DataFrame) -> list[str]:
    """Return a sentence for each number that probably marks missing values."""
    return [
        f"{code.column!r} is {code.value:g} in {format_count(len(code.rows), 'row')} "
        f"({_format_lines(values.index[code.rows])}), far from its other values: if "
        "this marks missing values, empty these cells, or skip the column with "
        f"--skip-columns {code.column!r}"
        for code in find_codes(values)
    ]


def _describe_steps(
    steps: np.ndarray, interval: np.timedelta64, lines: pd.Index
) -> list[str]:
    """Return a sentence on the steps that are too long, and one on too short ones."""
    sentences = []
    for wrong, noun in ((steps > interval, "gap"), (steps < interval, "short step")):
        if count := np.count_nonzero(wrong):
            where = f" ({_format_lines(lines[1:][wrong])})" if noun != "gap" else ""
            sentences.append(
                f"{format_count(count, noun)} in time{where}, which no window crosses"
            )
    return sentences


def list_sources(column: str) -> tuple[str, ...]:
    """Return the columns of the file behind a column of `Observations`."""
    for prefix, speed in VECTORS.items():
        if column.startswith(f"{prefix} "):
            return (speed,)
    return (column,)


def _add_wind(values: pd.DataFrame, repairs: list[str]) -> pd.DataFrame:
    """Replace the wind direction by the wind vector (x to the east, y to the north).

    359 and 1 degrees are neighbours, and calm air has no direction. A vector shows
    both. The station records where the wind comes from, clockwise from north. The
    speeds stay as targets.
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
        repairs.append(f"{WIND_DIRECTION!r} left out: without a speed it says little")
    return values.drop(columns=WIND_DIRECTION).assign(**vectors)


def _interpolate(
    values: pd.DataFrame,
    times: np.ndarray,
    elapsed: np.ndarray,
    max_gap: np.timedelta64,
) -> tuple[pd.DataFrame, np.ndarray]:
    """Interpolate missing values in time if both neighbours are near enough.

    Returns:
        The values, NaN if they are still missing, and when each row was known.
    """
    seconds = elapsed.astype(np.int64)
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


def format_count(count: int, noun: str) -> str:
    """Write a number with its noun: `1 row`, `2,000 rows`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _format_step(step: np.timedelta64) -> str:
    return f"{step / np.timedelta64(1, 's'):g} s"


def _format_lines(lines: pd.Index) -> str:
    shown = ", ".join(str(line) for line in lines[:3])
    return f"line{'s' if len(lines) > 1 else ''} {shown}" + (
        ", ..." if len(lines) > 3 else ""
    )
