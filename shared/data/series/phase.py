"""Where a grid of times lies: two series of one step can lie on different grids."""

from __future__ import annotations

import dataclasses

import numpy as np

from shared.data.series.frequency import DAY, THURSDAY, Frequency
from shared.data.series.messages import format_time


def is_same_grid(
    frequency: Frequency, first: np.datetime64, other: np.datetime64
) -> bool:
    """Return whether the grid through one time also goes through another one.

    Below a day, the times differ by whole steps: hours have the same minute. Weeks have
    the same weekday, months the same day, quarters and years also the same months. In a
    step of whole days the time of day does not count: it is only how a date is written.

    Args:
        frequency: The step.
        first: A time on the grid, datetime64[s].
        other: Another time.
    """
    pair = np.sort(np.array([first, other], "datetime64[s]"))
    if has_whole_days(frequency):
        pair = pair.astype("datetime64[D]").astype("datetime64[s]")
    _, is_off = frequency.count_steps(pair)
    return not is_off.any()


def has_whole_days(frequency: Frequency) -> bool:
    """Return whether a step consists of whole days."""
    return frequency.unit != "second" or frequency.count % DAY == 0


def describe_grid(frequency: Frequency, time: np.datetime64) -> str:
    """Return the grid through a time: `every week, on Sundays, such as 2024-03-03`."""
    days = int(time.astype("datetime64[D]").astype(np.int64))
    if frequency.unit == "second":  # only weeks have a day, which may be another one
        frequency = dataclasses.replace(frequency, day=(days + THURSDAY) % 7)
    return f"{frequency.describe()}, such as {format_time(time)}"
