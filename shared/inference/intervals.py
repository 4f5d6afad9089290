"""What the forecasts of all kinds of runs share: intervals, ranges, and their words."""

from __future__ import annotations

from typing import Any

import numpy as np

from shared.core.text import shorten
from shared.runs.reader import Run, read_predictions
from shared.tasks.conformal import LEVELS, count_needed, find_half_widths

MOST_ORIGINS = 500  # of newer rows, that calibrate the intervals
MOST_ERRORS = 1_000  # of the latest forecasts, where a run has one error for each
MOST_WARNINGS = 5  # about columns outside the training range
OUTSIDE = 0.1  # of the training range: new data farther out are named


def calibrate(
    kept: np.ndarray, newer: np.ndarray, level: float, most: int
) -> np.ndarray | None:
    """Return half the width of an interval, from the latest errors.

    Args:
        kept: (num_forecasts, ...): errors that the run has kept, oldest first.
        newer: (num_newer, ...): errors on rows that it has not seen.
        level: Probability that the interval promises.
        most: How many of the latest ones calibrate, at least as many as it needs.

    Returns:
        float64, (...), or None if there are too few errors.
    """
    errors = np.concatenate([kept, newer])
    return find_half_widths(errors[-max(most, count_needed(level)) :], level)


def calibrate_all(
    kept: np.ndarray, newer: np.ndarray, forecast: np.ndarray
) -> tuple[dict[float, tuple[np.ndarray, np.ndarray]], list[str]]:
    """Return intervals that are as wide at every step, and what to say about them.

    Args:
        kept: (num_forecasts,): absolute errors on the test part, oldest first.
        newer: (num_newer,): those on rows that the run has not seen.
        forecast: (num_steps,).

    Returns:
        Level -> lower and upper ends, (num_steps,), and sentences.
    """
    intervals, sentences = {}, []
    for level in LEVELS:
        half = calibrate(kept, newer, level, MOST_ERRORS)
        if half is None:
            sentences.append(describe_lack(level, len(kept) + len(newer)))
            continue
        intervals[level] = forecast - half, forecast + half
    if len(newer):
        sentences.append(describe_newer([len(newer)]))
    return intervals, sentences


def read_test_errors(run: Run) -> tuple[np.ndarray, np.datetime64 | None] | None:
    """Return the errors of the test forecasts of a run that predicts one value.

    Returns:
        float64, (num_forecasts,): absolute errors, in the order of the test examples.
        And the latest time of a target, if targets have times. None if the run has no
        usable predictions.npz.
    """
    stored = read_predictions(run)
    if stored is None:
        return None
    errors = np.abs(stored["predictions"] - stored["targets"]).astype(np.float64)
    times = stored.get("times")
    return errors, None if times is None else times.max().astype("datetime64[s]")


def describe_lack(level: float, count: int, whose: str = "") -> str:
    """Return a sentence on a level without an interval."""
    return (
        f"no {level:.0%} interval{whose}: {count} earlier forecasts can calibrate it, "
        f"and it needs {count_needed(level)}"
    )


def describe_newer(counts: list[int], num_series: int = 1) -> str:
    """Return a sentence on forecasts of newer rows.

    Args:
        counts: Newer forecasts of each series that has some.
        num_series: How many series there are.
    """
    each = f" of each of {len(counts)} series" if num_series > 1 else ""
    low, high = min(counts), max(counts)
    number = f"{low} to {high}" if low < high else f"{low}"
    return (
        f"intervals use {number} newer forecasts{each}, whose outcome is in the table"
    )


def find_outside(
    name: str,
    values: np.ndarray,
    lines: np.ndarray,
    bounds: tuple[float, float],
) -> str | None:
    """Return a sentence if some values lie far outside the training range.

    Args:
        name: Of the column.
        values: (num_steps,): what the network reads.
        lines: int64, (num_steps,): line of the file; 0 where that is not known.
        bounds: Smallest and largest value of the training part.
    """
    low, high = bounds
    distance = np.maximum(low - values, values - high)
    if distance.max(initial=-1.0) <= OUTSIDE * (high - low):
        return None
    k = int(distance.argmax())
    place = f" in line {lines[k]}" if lines[k] else ""
    return (
        f"{shorten(name, 60)!r} is {values[k]:g}{place}, outside the training range of "
        f"{low:g} to {high:g}: the forecast is less sure than its intervals say"
    )


def cut_warnings(sentences: list[str]) -> list[str]:
    """Return at most `MOST_WARNINGS` of `find_outside`; the last counts the others."""
    if len(sentences) <= MOST_WARNINGS:
        return sentences
    more = len(sentences) - MOST_WARNINGS
    return [*sentences[:MOST_WARNINGS], f"{more} more columns lie outside theirs"]


def list_ends(
    intervals: dict[float, tuple[np.ndarray, np.ndarray]], place: int | tuple[int, ...]
) -> dict[str, Any]:
    """Return the cells of a table for the intervals of a value.

    Args:
        intervals: Level -> lower and upper ends. A missing one is an empty cell.
        place: Of the value in the ends.
    """
    cells = {}
    for level in LEVELS:
        ends = intervals.get(level)
        for j, word in enumerate(("lower", "upper")):
            end = "" if ends is None else round_number(ends[j][place])
            cells[f"{word}_{100 * level:g}"] = end
    return cells


def round_number(value: float) -> float:
    """Return a number as tables show it, with seven digits."""
    return float(f"{value:.7g}")
