"""Cycles of the calendar as numbers that a network can read."""

from __future__ import annotations

import numpy as np

DAY = 86_400.0  # seconds
THURSDAY = 3  # 1 January 1970, counted from Monday
LENGTHS = {"day": DAY, "week": 7 * DAY, "year": 365.2425 * DAY}
"""Cycle -> its length in seconds."""
FEWEST_STEPS = 4  # a cycle of fewer steps has no shape
FEWEST_CYCLES = 2  # fewer in the training part cannot be told from a trend


def choose_cycles(step: float, duration: float) -> tuple[str, ...]:
    """Return the cycles that a training part can teach.

    For example, hourly values over three months have a day and a week, not a year.

    Args:
        step: Seconds from one step to the next.
        duration: Seconds of the training part.
    """
    return tuple(
        name
        for name, length in LENGTHS.items()
        if length >= FEWEST_STEPS * step and duration >= FEWEST_CYCLES * length
    )


def list_columns(cycles: tuple[str, ...]) -> list[str]:
    """Return the names of the columns of `compute_cycles`, in their order."""
    return [f"{wave} of the {name}" for name in cycles for wave in ("sine", "cosine")]


def compute_cycles(times: np.ndarray, cycles: tuple[str, ...]) -> np.ndarray:
    """Return sine and cosine of the position in each cycle.

    A day starts at midnight, a week on Monday and a year on 1 January.

    Args:
        times: datetime64, (num_steps,).
        cycles: Some of `day`, `week` and `year`.

    Returns:
        float32, (num_steps, 2 * number of cycles).
    """
    columns = np.empty((len(times), 2 * len(cycles)), np.float32)
    for k, name in enumerate(cycles):
        angles = 2 * np.pi * _find_phase(times, name)
        columns[:, 2 * k], columns[:, 2 * k + 1] = np.sin(angles), np.cos(angles)
    return columns


def _find_phase(times: np.ndarray, cycle: str) -> np.ndarray:
    """Return the position in a cycle, from 0 to 1."""
    seconds = times.astype("datetime64[s]").astype(np.int64)
    if cycle == "day":
        return seconds % DAY / DAY
    if cycle == "week":
        week = LENGTHS["week"]
        return (seconds + THURSDAY * DAY) % week / week
    year = times.astype("datetime64[Y]")
    first, after = (
        y.astype("datetime64[s]").astype(np.int64) for y in (year, year + 1)
    )
    return (seconds - first) / (after - first)
