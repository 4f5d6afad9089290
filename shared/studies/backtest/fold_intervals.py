"""The intervals that saved forecasts would have had when they were made."""

from __future__ import annotations

import numpy as np

from shared.data.series.layout import Layout
from shared.inference.series_run import DAMAGES, read_calibration
from shared.runs.decode import read_arrays
from shared.runs.reader import Run
from shared.tasks.conformal import (
    LEVELS,
    choose_ends,
    measure_outside,
    roll_half_widths,
)

Intervals = dict[float, tuple[np.ndarray, np.ndarray]]
"""Level -> lower and upper ends, of the shape of the targets. NaN: no interval."""


def roll_intervals(
    run: Run,
    layout: Layout,
    times: np.ndarray,
    ends: np.ndarray,
    targets: np.ndarray,
    predictions: np.ndarray,
) -> Intervals:
    """Calibrate every forecast on the latest ones that were observed before it.

    These are the intervals that `intervals.csv` of the run scores as a whole. The run
    keeps only its latest errors. If those of the validation part are not among them,
    the first forecasts of a long test part have no interval.

    Args:
        run: Of a series recipe.
        layout: Of the run.
        times: datetime64[s], (num_windows,): first step of each test forecast.
        ends: datetime64[s], (num_windows,): the step after its last one.
        targets: (num_windows, horizon), or (num_windows, horizon, num_targets).
        predictions: Of the network: the shape of the targets, and maybe an axis of the
            quantiles.

    Returns:
        Empty if the run has kept no usable errors.
    """
    try:
        calibration = read_calibration(run, layout)
        kept = read_arrays(run.path / "calibration.npz")["ends"].astype(ends.dtype)
    except DAMAGES:
        return {}
    earlier = find_validation(kept, ends)
    all_ends = np.concatenate([kept[earlier], ends])
    # The validation part has no interval, so its first steps do not count.
    origins = np.concatenate([kept[earlier], times])
    chosen = np.arange(int(earlier.sum()), len(all_ends))
    intervals = {}
    for level in LEVELS:
        lower, upper = choose_ends(predictions, layout.quantiles, level)
        outside = measure_outside(targets, lower, upper)
        before = calibration.errors[level][earlier].reshape(-1, *targets.shape[1:])
        half, _ = roll_half_widths(
            np.concatenate([before, outside]),
            origins,
            all_ends,
            chosen,
            level,
            calibration.window,
        )
        intervals[level] = lower - half, upper + half
    return intervals


def find_validation(kept: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Return which of the kept errors are of the validation part.

    A run keeps the errors of both parts in the order of their ends. Of those with the
    same end, the validation part comes first.

    Args:
        kept: datetime64, (num_kept,): ends of the kept errors, in order.
        ends: datetime64, (num_windows,): ends of the forecasts of the test part.

    Returns:
        bool, (num_kept,).
    """
    moments, firsts, counts = np.unique(kept, return_index=True, return_counts=True)
    tested = np.sort(ends)
    first, stop = (np.searchsorted(tested, moments, side=s) for s in ("left", "right"))
    others = np.maximum(counts - (stop - first), 0)
    place = np.arange(len(kept)) - np.repeat(firsts, counts)
    return place < np.repeat(others, counts)
