"""Windows of a long series. They are cut only when they are read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Windows:
    """Windows of one series. Memory holds the series once and a start per window.

    Attributes:
        series: float32, (num_rows, num_features), or ids, int32, (num_rows,).
        starts: int64, (num_windows,): row of each window's earliest step.
        steps: Steps of a window.
        sampling: Rows from one step to the next.
        reverse: Whether a window runs from its latest step to its earliest.
    """

    series: np.ndarray
    starts: np.ndarray
    steps: int
    sampling: int = 1
    reverse: bool = False

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def shape(self) -> tuple[int, ...]:
        """Windows, steps and features: the shape of an array of all windows."""
        return len(self.starts), self.steps, *self.series.shape[1:]

    @property
    def offsets(self) -> np.ndarray:
        """int64, (steps,): rows from a window's start, in the order they are fed."""
        offsets = np.arange(self.steps) * self.sampling
        return offsets[::-1].copy() if self.reverse else offsets

    def cut(self, which: slice | np.ndarray) -> np.ndarray:
        """Return some of the windows, float32, (num_chosen, steps, num_features)."""
        return self.series[self.starts[which][:, None] + self.offsets]


@dataclass(frozen=True)
class ForecastWindows(Windows):
    """Windows of a series, and what is known of the steps after each window.

    Attributes:
        known: float32, (num_rows, num_known), rows as in `series`: columns whose future
            is known. None if there are none.
        horizon: Steps after a window.
    """

    known: np.ndarray | None = None
    horizon: int = 1

    @property
    def last(self) -> np.ndarray:
        """int64, (num_windows,): row of each window's latest step, the origin."""
        return self.starts + (self.steps - 1) * self.sampling

    @property
    def ahead(self) -> np.ndarray:
        """int64, (horizon,): rows from a window's start to the steps after it."""
        return np.arange(self.steps, self.steps + self.horizon) * self.sampling

    def cut_known(self, which: slice | np.ndarray) -> np.ndarray:
        """Return the known future of some windows.

        Returns:
            float32, (num_chosen, horizon, num_known).
        """
        return self.known[self.starts[which][:, None] + self.ahead]


@dataclass(frozen=True)
class Streams(Windows):
    """Windows that a training reads on and on, so that a state can be carried.

    A batch of n reads the series at n places, side by side. The next batch goes on
    where this one ended. At the end of the series it goes on at the start.
    """

    def place(self, batch_size: int, epoch: int) -> np.ndarray:
        """Return the row at which each window of an epoch starts.

        Args:
            batch_size: Places at which the series is read.
            epoch: Counted from 0.

        Returns:
            int64, (num_batches, batch_size).
        """
        rows = len(self.series)
        batches = rows // (batch_size * self.steps)
        places = np.arange(batch_size) * rows // batch_size
        read = (epoch * batches + np.arange(batches)) * self.steps
        return (places + read[:, None]) % rows


@dataclass(frozen=True)
class FutureSteps:
    """The targets of forecasts, cut from the series only when they are read.

    Attributes:
        values: float32, (num_rows,), or (num_rows, num_targets).
        first: int64, (num_windows,): row of the first step of each forecast.
        steps: Steps of a forecast.
    """

    values: np.ndarray
    first: np.ndarray
    steps: int

    def __len__(self) -> int:
        return len(self.first)

    def __getitem__(self, which: slice | np.ndarray) -> np.ndarray:
        """Return some targets, float32, (num_chosen, steps, ...)."""
        return self.values[self.first[which][..., None] + np.arange(self.steps)]

    def __array__(self, dtype: np.dtype | None = None, copy: bool | None = None):
        """Return all targets as one array."""
        return self[:].astype(dtype or self.values.dtype)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array of all targets."""
        return len(self), self.steps, *self.values.shape[1:]


def label_segments(times: np.ndarray, interval: np.timedelta64) -> np.ndarray:
    """Number the segments without a gap.

    For example, at an interval of 10 minutes the times 0:00, 0:10, 0:40 and 0:50
    give 0, 0, 1, 1.

    Args:
        times: datetime64, (num_rows,), increasing.
        interval: Time from one row to the next if no row is missing.

    Returns:
        int64, (num_rows,).
    """
    return np.concatenate([[0], np.cumsum(np.diff(times) != interval)])


def find_starts(
    segments: np.ndarray, first: int, stop: int, span: int, stride: int
) -> np.ndarray:
    """Return the starts of windows that lie with their target in one part and segment.

    For example, with segments 0, 0, 0, 1, 1, 1, 1, `first=0`, `stop=7`, `span=2` and
    `stride=1`, windows start at rows 0, 3 and 4.

    Args:
        segments: int64, (num_rows,), from `label_segments`.
        first: First row of the part.
        stop: Row after the last row of the part.
        span: Rows from a window's start to its target.
        stride: Rows from one candidate to the next, counted from `first`.

    Returns:
        int64, (num_windows,), increasing. Empty if there is no such window.
    """
    candidates = np.arange(first, stop - span, stride)
    return candidates[segments[candidates] == segments[candidates + span]]
