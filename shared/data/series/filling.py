"""Replace missing values by the last known one, as a forecaster must."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shared.data.series.reading import Series


@dataclass(frozen=True)
class FilledSeries:
    """A series without missing values.

    Attributes:
        name: Of the series; empty where the file holds one.
        times: datetime64[s], (num_steps,).
        values: Column -> float64, (num_steps,).
        lines: int64, (num_steps,): line of the file; 0 where the file lacks the step.
        is_measured: bool, (num_steps,): whether the file has every target of a step.
        is_stale: bool, (num_steps,): whether a value is older than `max_gap` steps.
        num_observed: Steps up to the last measured one. The known future follows.
        num_filled: Column -> values that were missing up to there.
    """

    name: str
    times: np.ndarray
    values: dict[str, np.ndarray]
    lines: np.ndarray
    is_measured: np.ndarray
    is_stale: np.ndarray
    num_observed: int
    num_filled: dict[str, int]

    def cut(self, first: int, stop: int | None = None) -> FilledSeries:
        """Return a part of the steps, as a series."""
        part = slice(first, stop)
        measured = self.is_measured[part]
        return FilledSeries(
            self.name,
            self.times[part],
            {name: values[part] for name, values in self.values.items()},
            self.lines[part],
            measured,
            self.is_stale[part],
            _count_observed(measured),
            self.num_filled,
        )


def fill_series(
    series: Series, target: tuple[str, ...], known: tuple[str, ...], max_gap: int
) -> FilledSeries:
    """Replace each missing value by the last known one of its column.

    So a window holds only what was known at its end. The steps before the first one
    with a value in every column are left out.

    Args:
        series: From the reader.
        target: Columns to predict.
        known: Columns whose future is known.
        max_gap: Missing steps in a row after which a value is stale.

    Returns:
        The series. It is empty if some column has no value.
    """
    missing = {name: np.isnan(values) for name, values in series.values.items()}
    starts = [
        int(np.argmin(gaps)) if not gaps.all() else len(gaps)
        for gaps in missing.values()
    ]
    first = max(starts, default=0)
    measured = ~np.logical_or.reduce([missing[name][first:] for name in target])
    stop = _count_observed(measured)
    stale = np.zeros(len(measured), bool)
    values, num_filled = {}, {}
    for name, column in series.values.items():
        gaps = missing[name][first:]
        num_filled[name] = int(gaps[:stop].sum())
        values[name] = column[first:]
        if gaps.any():
            latest = np.maximum.accumulate(np.where(gaps, 0, np.arange(len(gaps))))
            values[name] = values[name][latest]
            if name not in known:
                stale |= np.arange(len(gaps)) - latest > max_gap
    return FilledSeries(
        series.name,
        series.times[first:],
        values,
        series.lines[first:],
        measured,
        stale,
        stop,
        num_filled,
    )


def _count_observed(measured: np.ndarray) -> int:
    """Return the number of steps up to the last measured one."""
    found = np.flatnonzero(measured)
    return int(found[-1]) + 1 if len(found) else 0
