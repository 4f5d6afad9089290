"""Prediction intervals from the errors on earlier forecasts (split conformal).

An interval of level L for a step ahead is the forecast plus or minus the k-th smallest
absolute error at that step among n earlier forecasts, k = ceil((n + 1) L). If the
errors are exchangeable, it covers with at least the probability L (Vovk et al. 2005;
Lei et al. 2018). Errors of a series drift, so the latest fully observed forecasts
calibrate, again at every new origin (rolling).
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LEVELS = (0.8, 0.95)
"""Probabilities that the intervals promise."""


@dataclass(frozen=True)
class Coverage:
    """How often intervals held, and how wide they were.

    Attributes:
        level: The probability that was promised.
        covered: Share of the values inside.
        width: Mean width, in the unit of the forecasts.
        num_windows: Forecasts that had enough earlier ones.
    """

    level: float
    covered: float
    width: float
    num_windows: int


def find_ends(level: float) -> tuple[float, float]:
    """Return the quantiles at the ends of a central interval: 0.8 has 0.1 and 0.9."""
    return round(0.5 - level / 2, 9), round(0.5 + level / 2, 9)


def count_needed(level: float) -> int:
    """Return how many earlier forecasts an interval of a level needs."""
    return math.ceil(level / (1 - level) - 1e-9)


def find_half_widths(errors: np.ndarray, level: float) -> np.ndarray | None:
    """Return half the width of an interval for each step.

    Args:
        errors: float, (num_forecasts, ...): earlier forecasts minus truth, or distances
            of the truth outside an interval (`measure_outside`).
        level: Probability that the interval promises.

    Returns:
        float64, (...), without the first axis. None if there are too few forecasts.
    """
    count = len(errors)
    rank = math.ceil((count + 1) * level - 1e-9)
    if not count or rank > count:
        return None
    return np.partition(errors, rank - 1, axis=0)[rank - 1].astype(np.float64)


def roll_half_widths(
    errors: np.ndarray,
    origins: np.ndarray,
    ends: np.ndarray,
    chosen: np.ndarray,
    level: float,
    window: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Calibrate every forecast on the latest ones that were fully observed before it.

    Args:
        errors: (num_forecasts, ...), as for `find_half_widths`.
        origins: datetime64, (num_forecasts,): when each forecast was made.
        ends: datetime64, (num_forecasts,): when its last step was measured.
        chosen: int64, (num_chosen,): forecasts to give an interval.
        level: Probability that the interval promises.
        window: Earlier forecasts to use at most.

    Returns:
        float64, (num_chosen, ...): NaN where there are too few earlier forecasts. And
        bool, (num_chosen,): whether there were enough.
    """
    order = np.argsort(ends, kind="stable")
    known = np.searchsorted(ends[order], origins[chosen], side="right")
    stops, which = np.unique(known, return_inverse=True)
    counts = np.minimum(stops, window)
    ranks = np.ceil((counts + 1) * level - 1e-9).astype(np.int64)
    is_enough = (counts > 0) & (ranks <= counts)
    rolled = np.full((len(stops), *errors.shape[1:]), np.nan)
    columns = rolled.reshape(len(stops), math.prod(errors.shape[1:]))
    if is_enough.any():
        values = np.where(np.isnan(errors), np.inf, errors).reshape(
            len(errors), columns.shape[1]
        )
        for k in range(columns.shape[1]):
            columns[is_enough, k] = _roll_order_statistic(
                values[order, k].tolist(),
                stops[is_enough].tolist(),
                ranks[is_enough].tolist(),
                window,
            )
    return rolled[which], is_enough[which]


def _roll_order_statistic(
    values: list[float], stops: list[int], ranks: list[int], window: int
) -> list[float]:
    """Return the k-th smallest of the latest values before each of some places.

    A sorted list follows the window, so a place costs two insertions, not a new sort.

    Args:
        values: In order.
        stops: Increasing places, after the last value that counts.
        ranks: k of each place, from 1.
        window: How many of the latest values count.
    """
    first = max(0, stops[0] - window)
    latest = sorted(values[first : stops[0]])
    last = stops[0]
    found = []
    for stop, rank in zip(stops, ranks, strict=True):
        for value in values[last:stop]:
            bisect.insort(latest, value)
        last = stop
        for value in values[first : max(first, stop - window)]:
            del latest[bisect.bisect_left(latest, value)]
        first = max(first, stop - window)
        found.append(latest[rank - 1])
    return found


def measure_outside(
    targets: np.ndarray, lower: np.ndarray, upper: np.ndarray
) -> np.ndarray:
    """Return how far targets lie outside an interval, below 0 inside it.

    It is the score of conformalised quantile regression (Romano, Patterson and Candes
    2019). Where lower and upper are the same forecast, it is the absolute error.
    """
    return np.maximum(lower - targets, targets - upper)


def measure_coverage(
    targets: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    level: float,
) -> Coverage:
    """Return how often targets lie in their intervals.

    Args:
        targets: (num_windows, ...).
        lower: Lower ends, same shape; NaN where there is no interval.
        upper: Upper ends.
        level: The probability that was promised.
    """
    known = np.isfinite(lower)
    inside = (targets >= lower) & (targets <= upper)
    return Coverage(
        level,
        float(inside[known].mean()) if known.any() else math.nan,
        float((upper - lower)[known].mean()) if known.any() else math.nan,
        int(known.reshape(len(known), -1).any(axis=1).sum()),
    )


def choose_ends(
    predictions: np.ndarray, quantiles: Sequence[float], level: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return lower and upper ends before calibration.

    The two quantiles nearest to the level's, one on each side of the median. Without
    quantiles, both are the forecast.

    Args:
        predictions: (..., num_quantiles), or forecasts without that axis.
        quantiles: Probabilities of the last axis; empty: there is no such axis.
        level: Probability that the interval promises.
    """
    if len(quantiles) < 3:
        median = (
            predictions[..., list(quantiles).index(0.5)] if quantiles else predictions
        )
        return median, median
    low, high = (
        int(np.argmin(np.abs(np.array(quantiles) - end))) for end in find_ends(level)
    )
    return predictions[..., low], predictions[..., high]
