"""Clean weather records: repair or drop wrong values, and report each repair."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from shared.core.errors import UserError
from shared.data.series.cleaning import Rows, compare_rows
from shared.data.series.frequency import describe_seconds, find_mode
from shared.data.series.messages import format_count, format_lines, format_time
from shared.data.series.table_rows import describe_codes
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
    -9999 is missing. Wind speed and direction become a vector. Then missing values are
    interpolated in time if at most `max_gap` minutes lie between the values on both
    sides. A row that still lacks a value is dropped, which leaves a gap.

    Args:
        records: From `read_records`.
        path: For error messages.
        max_gap: Minutes.

    Raises:
        UserError: If the rows are not in order of time or have no common interval, or
            a column has no value.
    """
    repairs = list(records.remarks)
    rows, elapsed = _drop_repeated(records.rows, repairs)
    interval = _find_interval(rows, path)
    values = _mark_missing(rows, path, repairs)
    repairs += [
        f"{sentence}, or skip the column with --skip-columns {name!r}"
        for name, column in values.items()
        for sentence in describe_codes(name, column, rows.lines)
    ]
    values = _add_wind(values, repairs)
    holes = {name: np.isnan(column) for name, column in values.items()}
    values, known_at = _interpolate(
        values, rows.times, elapsed, np.timedelta64(max_gap, "m")
    )
    whole = ~_find_any(map(np.isnan, values.values()), len(elapsed))
    with_holes = _find_any(holes.values(), len(elapsed))
    if with_holes.any():
        filled = format_count(np.count_nonzero(with_holes & whole), "row")
        dropped = format_count(np.count_nonzero(~whole), "row")
        repairs.append(
            f"{filled} with missing values interpolated (over at most {max_gap} "
            f"minutes), {dropped} dropped"
        )
    if not whole.any():
        raise UserError(
            f"{path}: every row lacks a value that cannot be interpolated; take a "
            "larger --max-gap, or skip columns with --skip-columns."
        )
    rows, elapsed = rows.take(whole), elapsed[whole]
    repairs += _describe_steps(np.diff(elapsed), interval, rows.lines)
    targets = {name: column[whole] for name, column in values.items()}
    return Observations(
        times=rows.times,
        elapsed=elapsed,
        columns={n: v for n, v in targets.items() if n not in (WIND_SPEED, WIND_GUST)},
        targets=targets,
        interval=interval,
        lines=rows.lines,
        known_at=known_at[whole],
        interpolated={name: gaps[whole] for name, gaps in holes.items()},
        repairs=repairs,
    )


def _find_any(conditions: Iterable[np.ndarray], num_rows: int) -> np.ndarray:
    """Return whether any condition holds, bool, (num_rows,)."""
    return functools.reduce(np.logical_or, conditions, np.zeros(num_rows, bool))


def _drop_repeated(rows: Rows, repairs: list[str]) -> tuple[Rows, np.ndarray]:
    """Drop rows with a repeated time.

    Returns:
        The rows that are left, and their times by a clock that was never set back.
    """
    times = rows.times
    seen = pd.Series(times).duplicated().to_numpy()
    if not seen.any():
        return rows, times
    again, kept = np.flatnonzero(seen), np.flatnonzero(~seen)
    repairs.append(
        f"{format_count(len(again), 'row')} with a repeated time dropped "
        f"({format_lines(rows.lines[again])})"
    )
    first = kept[pd.Index(times[kept]).get_indexer(times[again])]
    differs = np.zeros(len(times), bool)
    differs[again] = compare_rows(rows, again, first)
    # A block of repeated rows is one event: a copy of rows, or a clock set back.
    block = np.cumsum(np.diff(seen, prepend=False))
    set_back = seen & np.isin(block, block[differs])
    if not set_back.any():
        return rows.take(kept), times[kept]
    repairs.append(
        "the clock was set back, or two records are mixed: "
        f"{format_lines(rows.lines[set_back])} repeat a time with other values; no "
        "window crosses them"
    )
    steps, usual = np.diff(times), np.diff(times[kept])
    interval = find_mode(usual) if len(usual) else np.timedelta64(0, "s")
    lost = np.zeros(len(times), "timedelta64[s]")
    lost[1:] = np.where(
        set_back[1:] & (steps <= np.timedelta64(0)), interval - steps, 0
    )
    return rows.take(kept), (times + np.cumsum(lost))[kept]


def _find_interval(rows: Rows, path: Path) -> np.timedelta64:
    """Return the most frequent step.

    Raises:
        UserError: If the rows are not in order of time, or most steps have another
            length.
    """
    steps, lines = np.diff(rows.times), rows.lines
    if (steps < np.timedelta64(0)).any():
        k = int(np.argmax(steps < np.timedelta64(0)))
        raise UserError(
            f"{path}: line {lines[k + 1]} ({format_time(rows.times[k + 1])}) is "
            f"earlier than line {lines[k]} ({format_time(rows.times[k])}); sort the "
            "file by its first column."
        )
    if not len(steps):
        raise UserError(
            f"{path}: one row only (line {lines[0]}); take a longer file, or a larger "
            "--limit."
        )
    interval = find_mode(steps)
    regular = np.count_nonzero(steps == interval)
    if 2 * regular < len(steps):
        seconds = interval / np.timedelta64(1, "s")
        raise UserError(
            f"{path}: only {regular:,} of {format_count(len(steps), 'step')} in time "
            f"are {describe_seconds(seconds)} long, which is the most frequent length; "
            "a forecast needs rows at one interval: resample the file."
        )
    return interval


def _mark_missing(rows: Rows, path: Path, repairs: list[str]) -> dict[str, np.ndarray]:
    """Return the values of each column, NaN where the station has none."""
    values = {}
    for name, column in rows.values.items():
        missing = np.isnan(column) | (column <= MISSING)
        values[name] = np.where(missing, np.nan, column)
        if missing.all():
            raise UserError(
                f"{path}: column {name!r} has no value in any row (lines "
                f"{rows.lines[0]} to {rows.lines[-1]}); skip it with --skip-columns "
                f"{name!r}."
            )
        if missing.any():
            repairs.append(
                f"{format_count(np.count_nonzero(missing), 'value')} of {name!r} "
                f"missing ({format_lines(rows.lines[missing])})"
            )
    return values


def _describe_steps(
    steps: np.ndarray, interval: np.timedelta64, lines: np.ndarray
) -> list[str]:
    """Return a sentence on the steps that are too long, and one on too short ones."""
    sentences = []
    for wrong, noun in ((steps > interval, "gap"), (steps < interval, "short step")):
        if count := np.count_nonzero(wrong):
            where = f" ({format_lines(lines[1:][wrong])})" if noun != "gap" else ""
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


def _add_wind(
    values: dict[str, np.ndarray], repairs: list[str]
) -> dict[str, np.ndarray]:
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
    others = {name: v for name, v in values.items() if name != WIND_DIRECTION}
    return others | vectors


def _interpolate(
    values: dict[str, np.ndarray],
    times: np.ndarray,
    elapsed: np.ndarray,
    max_gap: np.timedelta64,
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Interpolate missing values in time if both neighbours are near enough.

    Returns:
        The values, NaN if they are still missing, and when each row was known.
    """
    seconds = elapsed.astype(np.int64)
    limit = max_gap.astype("timedelta64[s]").astype(np.int64)
    filled, known_at = dict(values), times.copy()
    for name, column in values.items():
        missing = np.isnan(column)
        if not missing.any():
            continue
        known, lost = np.flatnonzero(~missing), np.flatnonzero(missing)
        after = np.searchsorted(known, lost)
        inside = (after > 0) & (after < len(known))
        lost, after = lost[inside], after[inside]
        near = seconds[known[after]] - seconds[known[after - 1]] <= limit
        lost, after = lost[near], after[near]
        filled[name] = column.copy()
        filled[name][lost] = np.interp(seconds[lost], seconds[known], column[known])
        known_at[lost] = np.maximum(known_at[lost], times[known[after]])
    return filled, known_at
