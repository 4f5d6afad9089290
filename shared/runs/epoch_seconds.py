"""What "seconds per epoch" means everywhere: one definition."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.runs.reader import Run


def median_seconds(seconds: Sequence[float]) -> float:
    """Return the median of the epochs after the first, which also compiles.

    Args:
        seconds: Seconds of each epoch, at least one. A single epoch counts as it is.
    """
    return statistics.median(seconds[1:] or seconds)


def measure_seconds(run: Run) -> float:
    """Return the seconds per epoch of a run with at least one epoch."""
    return median_seconds(run.history["seconds"])
