"""Measure what turns a table into inputs: season, lookback, scales, calendar.

Every number comes from the training part of its series.
"""

from __future__ import annotations

import math

import numpy as np

from shared.core.errors import UserError
from shared.data.series.calendar import choose_cycles
from shared.data.series.config import SeriesConfig
from shared.data.series.cutting import Bounds
from shared.data.series.filling import FilledSeries
from shared.data.series.layout import (
    Layout,
    Scale,
    find_naive_error,
    measure_scales,
)
from shared.data.series.reading import SeriesTable

MOST_LOOKBACK = 512  # steps of a window that nobody asked for
MOST_WINDOWS = 20_000  # from which the typical change is measured


def choose_season(
    config: SeriesConfig,
    table: SeriesTable,
    taught: list[FilledSeries],
    bounds: dict[str, Bounds],
) -> int:
    """Return the steps of a season; 1 where the training part has not two of them."""
    longest = max(
        stop - first for first, stop in (bounds[s.name]["train"] for s in taught)
    )
    season = config.season or table.frequency.season
    if 2 * season <= longest:
        return season
    if config.season is not None:
        raise UserError(
            f"--season {season}: the training part has {longest:,} steps, fewer than "
            "two seasons. Take a shorter season, or omit the flag."
        )
    return 1


def make_layout(
    config: SeriesConfig,
    table: SeriesTable,
    taught: list[FilledSeries],
    held_out: list[FilledSeries],
    bounds: dict[str, Bounds],
    season: int,
) -> Layout:
    """Measure every scale on the earliest part of its series, held out or not."""
    columns = table.target + table.inputs + table.known
    is_single = len(table.target) == 1 and len(bounds) == 1
    seasonal = () if is_single else table.target
    earliest = {
        one.name: one.cut(*bounds[one.name]["train"]) for one in taught + held_out
    }
    scales = {
        name: measure_scales(one, len(one.times), columns, seasonal, season)
        for name, one in earliest.items()
    }
    trained = {one.name: earliest[one.name] for one in taught}
    first = next(iter(trained.values()))
    longest = max(trained.values(), key=lambda one: len(one.times))
    outputs = tuple(
        scales[first.name][name] if is_single else (0.0, 1.0) for name in table.target
    )
    naive = 1.0
    if is_single:
        naive = find_naive_error(first.values[table.target[0]], season) or 1.0
    return Layout(
        target=table.target,
        inputs=table.inputs,
        known=table.known,
        cycles=_choose_cycles(config, longest.times),
        lookback=_choose_lookback(config, season, len(longest.times)),
        horizon=config.horizon,
        season=season,
        frequency=table.frequency,
        scales=scales,
        outputs=outputs,
        change=tuple(
            _measure_change(trained, scales, name, config.horizon)
            for name in table.target
        ),
        naive_error=naive,
        ranges={
            name: (
                min(float(one.values[name].min()) for one in trained.values()),
                max(float(one.values[name].max()) for one in trained.values()),
            )
            for name in columns
        },
        quantiles=config.quantiles,
        max_gap=config.max_gap,
    )


def _choose_cycles(config: SeriesConfig, times: np.ndarray) -> tuple[str, ...]:
    """Return the cycles of the calendar that the training part holds twice."""
    if config.calendar == "none" or len(times) < 2:
        return ()
    seconds = times.astype(np.int64)
    step = float(np.median(np.diff(seconds)))
    return choose_cycles(step, float(seconds[-1] - seconds[0]))


def _choose_lookback(config: SeriesConfig, season: int, num_train: int) -> int:
    """Return the steps of a window."""
    if config.lookback is not None:
        return config.lookback
    wanted = max(2 * season, 4 * config.horizon)
    return max(1, min(wanted, MOST_LOOKBACK, num_train // 3))


def _measure_change(
    trained: dict[str, FilledSeries],
    scales: dict[str, dict[str, Scale]],
    column: str,
    horizon: int,
) -> float:
    """Return the root mean square change of a feature over half a horizon."""
    ahead = max(1, horizon // 2)
    squares = [
        np.mean((values[ahead:] - values[:-ahead]) ** 2) / scales[name][column][1] ** 2
        for name, one in trained.items()
        if len(values := one.values[column][:MOST_WINDOWS]) > ahead
    ]
    change = math.sqrt(float(np.mean(squares))) if squares else 0.0
    return change if change > 1e-9 else 1.0
