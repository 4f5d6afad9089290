"""Which part of an axis a picture shows: a broken run must not decide it for all."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal

import numpy as np

FENCE = 3.0
"""Quartile distances beyond the quartiles from which on a value is an outlier."""
NEAR = 0.25
"""Share of the range within which a baseline still widens it."""
NEAR_BEST = 3.0
"""The same for the best baseline, which a reader wants to see most."""
WIDE = 20
"""An axis is logarithmic above this ratio of highest to lowest value."""
STEPS = (1, 2, 5)
MOST_TICKS, MOST_LOG_TICKS = 8, 5


def robust_range(
    values: Iterable[float],
    near: Iterable[float] = (),
    keep: Literal["", "low", "high"] = "",
    log: bool = False,
) -> tuple[float, float]:
    """Return the lowest and highest value that a panel shows, without outliers.

    The range goes from three quartile distances below the lower quartile to three
    above the upper one. It never exceeds the data. If half of the values are equal, no
    value is an outlier.

    Args:
        values: All values of the curves of the panel. NaN and infinity do not count.
        near: Baselines. One that is outside the range by up to a quarter of its width
            widens it. The best one, if `keep` says which end is better, widens it by up
            to three widths. A farther one does not.
        keep: The end that outliers do not lose: the end of the better scores.
        log: Whether the axis is logarithmic. Values of 0 or less then do not count.

    Returns:
        Lower and upper end; 0 and 1 without any value.
    """
    known = _list_finite(values, log)
    if not len(known):
        return 0.0, 1.0
    lower, upper = np.percentile(known, [25, 75])
    low, high = float(known.min()), float(known.max())
    reach = FENCE * (upper - lower)
    if reach > 0:
        low = low if keep == "low" else max(low, float(lower - reach))
        high = high if keep == "high" else min(high, float(upper + reach))
    room = NEAR * (high - low)
    others = _list_finite(near, log)
    close = [*others[(others >= low - room) & (others <= high + room)]]
    if keep and len(others):
        best = others.max() if keep == "high" else others.min()
        room = NEAR_BEST * (high - low)
        close += [best] if low - room <= best <= high + room else []
    low, high = min([low, *close]), max([high, *close])
    return (float(np.exp(low)), float(np.exp(high))) if log else (low, high)


def needs_log(values: Iterable[float]) -> bool:
    """Return whether a linear axis would hide most values.

    All must be above 0, and the highest over 20 times the lowest. A few high outliers
    do not make an axis logarithmic.
    """
    known = _list_finite(values, log=False)
    if not len(known) or known.min() <= 0 or known.max() <= WIDE * known.min():
        return False
    low, high = robust_range(known, log=True)
    return high > WIDE * low


def list_epoch_ticks(last: int) -> list[int]:
    """Return the whole numbers that are named below a panel; the first is 1."""
    step = find_step(last)
    return list(dict.fromkeys([1, *range(step, last + 1, step)]))


def find_step(last: int) -> int:
    """Return the smallest of 1, 2, 5, 10, 20, ... that gives at most eight ticks."""
    power = 1
    while True:
        for step in STEPS:
            if last <= MOST_TICKS * step * power or power > last:
                return step * power
        power *= 10


def list_log_ticks(low: float, high: float) -> list[float]:
    """Return few round numbers on a logarithmic axis, at least one and at most five."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in (STEPS, (1, 3), (1,)):
        ticks = [step * 10.0**power for power in powers for step in steps]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if len(ticks) <= MOST_LOG_TICKS:
            return ticks or [low]
    return ticks[:: -(-len(ticks) // MOST_LOG_TICKS)]


def _list_finite(values: Iterable[float], log: bool) -> np.ndarray:
    known = np.array([value for value in values if value is not None], float)
    known = known[np.isfinite(known)]
    return np.log(known[known > 0]) if log else known
