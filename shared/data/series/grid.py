"""Rows of a series on a regular grid of times, where every step is present."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shared.core.errors import UserError
from shared.core.text import shorten
from shared.data.series.cleaning import Rows
from shared.data.series.frequency import (
    UNITS,
    Frequency,
    infer_frequency,
    parse_every,
)
from shared.data.series.messages import advise, format_time

MOST_STEPS = (20, 1_000)
"""A grid has at most 20 steps for each row, and 1,000 more."""
ENOUGH_ROWS = 3  # that show a step of their own


@dataclass(frozen=True)
class Series:
    """One series.

    Attributes:
        name: Of the series; empty where the file holds one.
        times: datetime64[s], (num_steps,): a regular grid, increasing.
        values: Column -> float64, (num_steps,): NaN where the file has no value.
        lines: int64, (num_steps,): line of the row in the file; 0 where the file lacks
            the step. Of combined rows, the first.
    """

    name: str
    times: np.ndarray
    values: dict[str, np.ndarray]
    lines: np.ndarray


def choose_frequency(
    parts: list[tuple[int, Rows]],
    names: list[str],
    where: str,
    wanted: Frequency | None,
) -> Frequency:
    """Return the step of all series.

    Args:
        parts: Code and sorted rows of each series.
        names: Of the series, by code.
        where: File and column of the times, for messages.
        wanted: Step that they must have; None: that of the longest series.

    Raises:
        UserError: If a series has no step, or another one.
    """
    _, longest = max(parts, key=lambda part: len(part[1].times))
    frequency = wanted
    if frequency is None:
        if len(longest.times) < 2:
            raise UserError(
                f"{where}: line {longest.lines[0]} holds the only row"
                f"{' of each series' if len(parts) > 1 else ''}; a series needs two."
            )
        try:
            frequency = infer_frequency(longest.times)
        except ValueError as error:
            gap = float(np.median(np.diff(longest.times.astype(np.int64))))
            raise UserError(
                f"{where}: {error}; pass --every to combine rows to one step, e.g. "
                f"--every {_suggest_every(gap)}."
            ) from None
    for code, part in parts:
        _check_step(part, names[code], frequency, where, wanted is not None)
    return frequency


def make_grid(
    name: str, rows: Rows, frequency: Frequency, where: str, remarks: list[str]
) -> Series:
    """Return a series with every step from its first row to its last.

    Args:
        name: Of the series.
        rows: Sorted, each time once.
        frequency: Of the series.
        where: File and column of the times, for messages.
        remarks: Gets the steps that are missing.

    Raises:
        UserError: If a row is off the grid, or the grid has far more steps than rows.
    """
    positions, off = frequency.count_steps(rows.times)
    if off.any():
        row = int(off.argmax())
        raise advise(
            f"{where}: line {rows.lines[row]}: {format_time(rows.times[row])} is not "
            f"on the grid of the other times ({frequency.describe()})",
            f"correct it, or pass --every {frequency.every} to combine rows",
            f"correct it, or combine the rows before: the run needs one "
            f"{frequency.describe()}",
        )
    num_steps = int(positions[-1]) + 1
    if num_steps == len(rows.times):
        return Series(name, rows.times, rows.values, rows.lines)
    if num_steps > MOST_STEPS[0] * len(rows.times) + MOST_STEPS[1]:
        raise _refuse_jump(rows, positions, where, frequency)
    _tell_gaps(name, rows, positions, remarks)
    lines = np.zeros(num_steps, np.int64)
    lines[positions] = rows.lines
    values = {}
    for column, cells in rows.values.items():
        values[column] = np.full(num_steps, np.nan)
        values[column][positions] = cells
    times = frequency.time_at(rows.times[0], np.arange(num_steps))
    return Series(name, times, values, lines)


def _check_step(
    rows: Rows, name: str, frequency: Frequency, where: str, is_given: bool
) -> None:
    """Refuse a series that has another step."""
    if len(rows.times) < ENOUGH_ROWS:
        return
    positions, off = frequency.count_steps(rows.times)
    if not off.any() and np.median(np.diff(positions)) == 1:
        return
    try:
        own = infer_frequency(rows.times)
    except ValueError:
        return
    if (own.unit, own.count) == (frequency.unit, frequency.count):
        return
    if {own.unit, frequency.unit} == {"second", "business day"} and not off.any():
        return
    who = f"series {shorten(name, 60)!r}" if name else "the file"
    others = "it must have" if is_given else "the longest series has"
    longer = max(own, frequency, key=lambda one: one.seconds)
    raise advise(
        f"{where}: line {rows.lines[0]}: {who} has a row {own.describe()}, and "
        f"{others} one {frequency.describe()}",
        f"pass --every {longer.every}, or split the file",
        "take a finer file"
        if longer is own
        else "correct the file, or combine its rows before",
    )


def _refuse_jump(
    rows: Rows, positions: np.ndarray, where: str, frequency: Frequency
) -> UserError:
    """Return the error for a time that is far away from all others."""
    jumps = np.diff(positions)
    row = int(jumps.argmax())
    at_end = row >= len(jumps) // 2
    wrong = row + 1 if at_end else row
    return advise(
        f"{where}: line {rows.lines[wrong]}: {format_time(rows.times[wrong])} is "
        f"{jumps[row]:,} steps ({frequency.describe()}) "
        f"{'after the time before' if at_end else 'before the time after'} it",
        "correct it, or pass a longer step by --every",
        "correct it",
    )


def _tell_gaps(
    name: str, rows: Rows, positions: np.ndarray, remarks: list[str]
) -> None:
    missing = np.diff(positions) - 1
    row, total = int(missing.argmax()), int(missing.sum())
    whose = f" of series {shorten(name, 60)!r}" if name else ""
    count = "1 step is" if total == 1 else f"{total:,} steps are"
    longest = f", at most {missing[row]:,} in a row" if total > 1 else ""
    remarks.append(
        f"{count} missing{whose}{longest}, after line {rows.lines[row]} "
        f"({format_time(rows.times[row])})"
    )


def _suggest_every(seconds: float) -> str:
    """Return the shortest usual step that is no shorter than this."""
    usual = (parse_every(unit) for unit in UNITS)
    return next((s.every for s in usual if s.seconds >= seconds), "1YS")
