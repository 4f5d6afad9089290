"""Split series in time, and cut each part into windows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shared.core.errors import UserError
from shared.core.text import shorten
from shared.data.series.config import SeriesConfig
from shared.data.series.filling import FilledSeries
from shared.data.series.layout import Layout

PARTS = ("train", "validation", "test")
ENOUGH_WINDOWS = 5_000  # of validation and of test; more say hardly more
MIN_BLOCKS = 10  # blocks of time for a verdict; else blocks of series

Bounds = dict[str, tuple[int, int]]
"""Part -> first step, and the step after the last one."""


@dataclass(frozen=True)
class WindowStarts:
    """Where the windows of one part start, over all series.

    Attributes:
        starts: int64, (num_windows,): row of the first step, counted over all series.
        times: datetime64[s], (num_windows,): time of the first step ahead.
        names: (num_windows,): name of the series.
    """

    starts: np.ndarray
    times: np.ndarray
    names: np.ndarray


def split_steps(series: FilledSeries, config: SeriesConfig) -> Bounds:
    """Return first step and the step after the last one of each part."""
    count = series.num_observed
    if config.test_steps is not None:
        test = max(0, count - config.test_steps)
        validation = max(0, test - config.validation_steps)
        train = max(0, validation - (config.train_steps or validation))
        return {
            "train": (train, validation),
            "validation": (validation, test),
            "test": (test, count),
        }
    first = int(round(count * config.train_share, 6))
    second = first + int(round(count * config.validation_share, 6))
    return {"train": (0, first), "validation": (first, second), "test": (second, count)}


def cut_until(series: FilledSeries, until: str | None) -> FilledSeries:
    """Return the steps before a time; all of them without one.

    Raises:
        UserError: If `until` is no time.
    """
    if until is None:
        return series
    try:
        end = np.datetime64(until, "s")
    except ValueError:
        raise UserError(
            f"--until {shorten(until)!r}: takes a time, e.g. 2024-03-01 or "
            "2024-03-01T12:00."
        ) from None
    return series.cut(0, int(np.searchsorted(series.times, end)))


def drop_short(
    series: list[FilledSeries], config: SeriesConfig, remarks: list[str]
) -> list[FilledSeries]:
    """Leave out series whose training part has no window, and tell it.

    With a single series, or if all are too short, nothing is left out: then a later
    check says what is missing.
    """
    needed = (config.lookback or 1) + config.horizon
    kept = []
    for one in series:
        first, stop = split_steps(one, config)["train"]
        if stop - first >= needed:
            kept.append(one)
    if not kept or len(kept) == len(series):
        return series
    long = {one.name for one in kept}
    names = [one.name for one in series if one.name not in long]
    remarks.append(
        f"{len(names)} of {len(series)} series too short for training, left out "
        f"({shorten(', '.join(names), 100)})"
    )
    return kept


def choose_stride(
    config: SeriesConfig,
    series: list[FilledSeries],
    bounds: dict[str, Bounds],
    season: int,
) -> int:
    """Return the stride of validation and test. It shares no factor with the season.

    Else every window of a part would start at the same few hours of the day.
    """
    if config.test_stride is not None:
        return config.test_stride
    longest = max(
        sum(bounds[one.name][part][1] - bounds[one.name][part][0] for one in series)
        for part in PARTS[1:]
    )
    stride = max(1, math.ceil(longest / ENOUGH_WINDOWS))
    while math.gcd(stride, season) > 1:
        stride += 1
    return stride


def find_windows(
    series: list[FilledSeries],
    names: set[str],
    bounds: dict[str, Bounds],
    layout: Layout,
    part: str,
    stride: int,
) -> WindowStarts:
    """Return the windows of a part.

    Args:
        series: All, in the order of the rows.
        names: The series that the part has.
        bounds: Of every series.
        layout: Says how long a window is.
        part: `train`, `validation` or `test`.
        stride: Steps from one window to the next.
    """
    offsets = np.cumsum([0, *(len(one.times) for one in series)])
    found = [
        _find_windows(one, bounds[one.name][part], layout, part, stride, offset)
        for one, offset in zip(series, offsets, strict=False)
        if one.name in names
    ]
    return WindowStarts(*map(np.concatenate, zip(*found, strict=True)))


def _find_windows(
    series: FilledSeries,
    bounds: tuple[int, int],
    layout: Layout,
    part: str,
    stride: int,
    offset: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return start row, time of the first step ahead and series of each window."""
    first, stop = bounds
    earliest = first if part == "train" else 0
    ahead = np.arange(max(first, earliest + layout.lookback), stop + 1 - layout.horizon)
    ahead = ahead[::stride]
    starts = ahead - layout.lookback
    lost = np.concatenate([[0], np.cumsum(~series.is_measured)])
    stale = np.concatenate([[0], np.cumsum(series.is_stale)])
    whole = (lost[ahead + layout.horizon] == lost[ahead]) & (
        stale[ahead] == stale[starts]
    )
    starts, ahead = starts[whole], ahead[whole]
    names = np.full(len(starts), series.name)
    return starts + offset, series.times[ahead], names


def order_windows(
    windows: WindowStarts, horizon: int, stride: int
) -> tuple[np.ndarray, int]:
    """Return an order of windows whose neighbours depend on each other, and how many.

    Forecasts whose steps overlap depend on each other, and so do those of different
    series at one time. So the windows are in order of time, and a block holds all
    series. Where that gives too few blocks, the windows are in order of the series.
    """
    order = np.lexsort([windows.names, windows.times])
    counts = np.unique(windows.times, return_counts=True)[1]
    dependence = math.ceil(horizon / stride) * int(counts.max())
    num_series = len(np.unique(windows.names))
    if len(order) // dependence >= MIN_BLOCKS or num_series < MIN_BLOCKS:
        return order, dependence
    return np.lexsort([windows.times, windows.names]), math.ceil(
        len(order) / num_series
    )


def explain_short(
    path: Path,
    series: list[FilledSeries],
    bounds: dict[str, Bounds],
    layout: Layout,
    part: str,
) -> UserError:
    """Return the error for a part without a window."""
    longest = max(series, key=lambda one: one.num_observed)
    first, stop = bounds[longest.name][part]
    needed = layout.horizon + (layout.lookback if part == "train" else 0)
    reach = "a window and its horizon" if part == "train" else "a horizon"
    whose = f" of series {shorten(longest.name)!r}" if longest.name else ""
    return UserError(
        f"{path}: too short: the {part} part{whose} has {stop - first:,} of "
        f"{longest.num_observed:,} steps, and {reach} without a missing value needs "
        f"{needed:,}; take a smaller --lookback or --horizon, other shares, or a "
        "longer file."
    )
