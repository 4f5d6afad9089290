"""Rows of a table in the order of series and time, each time once."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from shared.core.errors import UserError
from shared.core.text import shorten
from shared.data.series.frequency import Frequency, describe_seconds
from shared.data.series.messages import (
    TableError,
    advise,
    format_count,
    format_lines,
    format_time,
)

SUNDAY = 3  # days after the Thursday of 1 January 1970


@dataclass(frozen=True)
class Rows:
    """Rows of a table.

    Attributes:
        times: datetime64[s], (num_rows,).
        codes: int64, (num_rows,): the series of each row.
        lines: int64, (num_rows,): where the row starts in the file.
        values: Column -> float64, (num_rows,), NaN if missing.
    """

    times: np.ndarray
    codes: np.ndarray
    lines: np.ndarray
    values: dict[str, np.ndarray]

    def take(self, rows: np.ndarray | slice) -> Rows:
        """Return some of the rows, by position, mask or slice."""
        return Rows(
            self.times[rows],
            self.codes[rows],
            self.lines[rows],
            {name: values[rows] for name, values in self.values.items()},
        )

    def split(self) -> list[tuple[int, Rows]]:
        """Return the code and the rows of each series; the rows must be sorted."""
        starts = [0, *(np.flatnonzero(np.diff(self.codes)) + 1), len(self.codes)]
        return [
            (int(self.codes[first]), self.take(slice(first, stop)))
            for first, stop in pairwise(starts)
        ]


def sort_rows(rows: Rows, remarks: list[str]) -> Rows:
    """Return the rows by series, then time, then line."""
    if (np.diff(rows.codes) < 0).any():
        rows = rows.take(np.argsort(rows.codes, kind="stable"))
    steps = np.diff(rows.times.astype(np.int64))
    if (steps[np.diff(rows.codes) == 0] >= 0).all():
        return rows
    remarks.append("rows were not in order of time: sorted")
    return rows.take(np.lexsort((rows.times, rows.codes)))


def drop_copies(
    rows: Rows, where: str, remarks: list[str], candidate: str | None
) -> Rows:
    """Drop rows whose series, time and values stand in the file before.

    Args:
        rows: Sorted.
        where: File and column of the times, for messages.
        remarks: Gets what was dropped.
        candidate: Column that may name series.

    Raises:
        UserError: If two rows of a time differ.
    """
    again = find_repeats(rows)
    if not again.any():
        return rows
    positions = np.flatnonzero(again)
    differ = compare_rows(rows, positions, positions - 1)
    if differ.any():
        raise _refuse_repeat(rows, int(positions[differ.argmax()]), where, candidate)
    lines = format_lines(rows.lines[positions])
    count = format_count(len(positions), "row")
    remarks.append(f"{count} twice in the file: dropped ({lines})")
    return rows.take(~again)


def compare_rows(rows: Rows, these: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return whether rows differ from others in some value, bool, (num_pairs,).

    Args:
        rows: All rows.
        these: int64, (num_pairs,): positions.
        others: int64, (num_pairs,): positions.
    """
    differ = np.zeros(len(these), bool)
    for column in rows.values.values():
        now, before = column[these], column[others]
        differ |= (now != before) & ~(np.isnan(now) & np.isnan(before))
    return differ


def find_repeats(rows: Rows) -> np.ndarray:
    """Return whether a sorted row has the series and time of the one before, bool."""
    again = np.zeros(len(rows.times), bool)
    again[1:] = (np.diff(rows.codes) == 0) & (rows.times[1:] == rows.times[:-1])
    return again


def _refuse_repeat(
    rows: Rows, row: int, where: str, candidate: str | None
) -> UserError:
    """Return the error for two rows of one time."""
    time = rows.times[row]
    first, second = sorted((int(rows.lines[row - 1]), int(rows.lines[row])))
    text = format_time(time)
    problem = (
        f"{where}: lines {first} and {second} have the same time {text} and other "
        "values"
    )
    if candidate is not None:
        name = shorten(candidate, 60)
        return advise(
            problem,
            f"the file may hold several series: pass --series {name}",
            f"the file may hold several series, by column {name!r}: keep one",
        )
    if _may_be_clock_change(time):
        return UserError(
            f"{problem}; was the clock set back? Write times in UTC or with their "
            f"offset, as {text.replace(' ', 'T')}+01:00, or delete one row."
        )
    return advise(
        problem,
        "delete one, or pass --every and --how to combine rows",
        "delete one, or combine the rows of each time before",
    )


def _may_be_clock_change(time: np.datetime64) -> bool:
    """Return whether a clock may be set back then: early on a Sunday of autumn."""
    day = time.astype("datetime64[D]")
    hour = (time - day).astype(np.int64) // 3_600
    month = int(time.astype("datetime64[M]").astype(np.int64)) % 12 + 1
    is_sunday = int(day.astype(np.int64)) % 7 == SUNDAY
    return is_sunday and hour < 4 and month in (3, 4, 10, 11)


def combine_rows(
    rows: Rows,
    step: Frequency,
    how: Literal["mean", "sum", "last"],
    where: str,
    remarks: list[str],
) -> Rows:
    """Combine the rows of each step. A time becomes the start of its step.

    A mean and a last value leave missing values out; a sum of a missing value is
    missing. The first and the last step of a series are left out if the file does not
    cover them.

    Args:
        rows: Sorted.
        step: From `--every`.
        how: Rule of a step.
        where: File and column of the times, for messages.
        remarks: Gets what was done.

    Raises:
        UserError: If the rows are farther apart than the step.
    """
    gaps = np.diff(rows.times.astype(np.int64))[np.diff(rows.codes) == 0]
    gaps = gaps[gaps > 0]
    usual = float(np.median(gaps)) if len(gaps) else 0.0
    if usual > 1.2 * step.seconds:
        apart = f"rows are {describe_seconds(int(usual))} apart"
        raise TableError(
            f"{where}: --every {step.every}: {apart}, more than this step; take a "
            "longer one, or omit --every.",
            f"{where}: {apart}, and the run needs one {step.describe()}; take a "
            "finer file.",
        )
    starts = step.floor(rows.times)
    is_new = np.ones(len(starts), bool)
    is_new[1:] = (np.diff(starts).astype(np.int64) != 0) | (np.diff(rows.codes) != 0)
    first = np.flatnonzero(is_new)
    combined = Rows(
        starts[first],
        rows.codes[first],
        rows.lines[first],
        {name: _combine(v, first, how) for name, v in rows.values.items()},
    )
    last = np.append(first[1:], len(starts)) - 1
    cut = _find_cut_steps(rows, combined, step, usual, first, last)
    remarks.append(
        f"rows of each step combined ({step.describe()}), by their "
        f"{'last value' if how == 'last' else how}; a time is the start of its step"
    )
    if cut.any() and not cut.all():
        remarks.append(
            f"{cut.sum():,} step{'s' if cut.sum() > 1 else ''} at an end that the file "
            "covers in part: left out"
        )
        return combined.take(~cut)
    return combined


def _find_cut_steps(
    rows: Rows,
    combined: Rows,
    step: Frequency,
    usual: float,
    first: np.ndarray,
    last: np.ndarray,
) -> np.ndarray:
    """Return whether a step is the first or last of its series, and not covered."""
    ends = _find_next(combined.times, step)
    margin = np.timedelta64(int(usual), "s")
    is_first = np.ones(len(first), bool)
    is_first[1:] = np.diff(combined.codes) != 0
    is_last = np.append(is_first[1:], True)
    early = is_first & (rows.times[first] - margin >= combined.times)
    late = is_last & (rows.times[last] + margin < ends)
    return early | late


def _find_next(times: np.ndarray, step: Frequency) -> np.ndarray:
    """Return the start of the step after each one."""
    if step.unit == "month":
        months = times.astype("datetime64[M]") + np.timedelta64(step.count, "M")
        return months.astype("datetime64[s]")
    return times + np.timedelta64(step.count, "s")


def _combine(values: np.ndarray, first: np.ndarray, how: str) -> np.ndarray:
    """Return a value for each group of neighbouring rows, float64."""
    if how == "sum":
        return np.add.reduceat(values, first)
    missing = np.isnan(values)
    if how == "mean":
        sums = np.add.reduceat(np.where(missing, 0.0, values), first)
        counts = np.add.reduceat(~missing, first, dtype=np.int64)
        return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    positions = np.where(missing, -1, np.arange(len(values)))
    latest = np.maximum.reduceat(positions, first)
    return np.where(latest >= 0, values[latest], np.nan)
