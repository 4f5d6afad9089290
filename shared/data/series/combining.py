"""Combine the rows of each step of a table: by their mean, sum or last value."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import numpy as np

from shared.data.series.cleaning import Rows
from shared.data.series.frequency import (
    ENOUGH,
    Frequency,
    describe_seconds,
    find_mode,
    infer_frequency,
)
from shared.data.series.messages import (
    TableError,
    advise,
    format_count,
    format_lines,
)


def combine_rows(
    rows: Rows,
    step: Frequency,
    how: Literal["mean", "sum", "last"],
    where: str,
    remarks: list[str],
) -> Rows:
    """Combine the rows of each step. A time becomes the start of its step.

    A mean and a last value leave missing values out. A sum is missing if a value or a
    row of its step is. The first and the last step of a series are left out if the file
    does not cover them.

    Args:
        rows: Sorted.
        step: From `--every`.
        how: Rule of a step.
        where: File and column of the times, for messages.
        remarks: Gets what was done.

    Raises:
        UserError: If the rows are farther apart than the step, or cover no whole step
            of a sum.
    """
    usual = _find_usual_gap(rows)
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
    series = _list_series(combined, np.append(first, len(starts)))
    cut = _find_cut_steps(rows, combined, step, usual, first, series)
    remarks.append(
        f"rows of each step combined ({step.describe()}), by their "
        f"{'last value' if how == 'last' else how}; a time is the start of its step"
    )
    if how == "sum":
        if cut.all():
            raise advise(
                f"{where}: the rows cover no whole step ({step.describe()}), so no sum "
                "is known",
                "take a longer file, or a shorter --every",
                "take a longer file",
            )
        _remove_short_sums(rows, combined, step, first, series, cut, remarks)
    if cut.any() and not cut.all():
        count = format_count(np.count_nonzero(cut), "step")
        remarks.append(f"{count} at an end that the file covers in part: left out")
        return combined.take(~cut)
    return combined


def _remove_short_sums(
    rows: Rows,
    combined: Rows,
    step: Frequency,
    first: np.ndarray,
    series: list[tuple[slice, slice]],
    cut: np.ndarray,
    remarks: list[str],
) -> None:
    """Make the sums of steps missing that have fewer rows than usual.

    Args:
        rows: Sorted.
        combined: One row for each step; its sums are changed.
        step: Of the sums.
        first: int64, (num_steps,): position of the first row of each step.
        series: The steps and the rows of each series.
        cut: bool, (num_steps,): whether a step is left out.
        remarks: Gets how many steps are short.
    """
    counts = np.diff(first, append=len(rows.times))
    short = np.zeros(len(first), bool)
    for steps, part in series:
        times, starts = rows.times[part], combined.times[steps]
        usual = _count_usual(times, starts, counts[steps], ~cut[steps], step)
        short[steps] = counts[steps] < usual
    short &= ~cut
    if not short.any():
        return
    for values in combined.values.values():
        values[short] = np.nan
    remarks.append(
        f"{format_count(np.count_nonzero(short), 'step')} with fewer rows than usual: "
        f"the sum is missing (from {format_lines(combined.lines[short])})"
    )


def _count_usual(
    times: np.ndarray,
    starts: np.ndarray,
    counts: np.ndarray,
    is_whole: np.ndarray,
    step: Frequency,
) -> np.ndarray | int:
    """Return how many rows a step of one series has if none is missing.

    Args:
        times: datetime64[s], (num_rows,), sorted.
        starts: datetime64[s], (num_steps,).
        counts: int64, (num_steps,): rows of each step.
        is_whole: bool, (num_steps,): whether the file covers a step.
        step: Of the sums.

    Returns:
        int64, (num_steps,), or one number for all; 0 where rows come at no fixed rate,
        or on business days: then a row may be absent and none is missing.
    """
    try:
        own = infer_frequency(np.unique(times))
    except ValueError:
        own = None
    if not is_whole.any() or (own is not None and own.unit == "business day"):
        return 0
    if step.unit == "second":
        usual = np.full(
            len(counts), -find_mode(-counts[is_whole])
        )  # of two, the larger
    elif own is None:
        return 0
    elif own.unit == "month":
        usual = np.full(len(counts), step.count // own.count)
    else:  # months differ in length
        lengths = _find_next(starts, step) - starts
        usual = lengths.astype(np.int64) // own.count
    return usual if np.mean((counts == usual)[is_whole]) >= ENOUGH else 0


def _list_series(combined: Rows, borders: np.ndarray) -> list[tuple[slice, slice]]:
    """Return which steps, and which rows behind them, each series has.

    Args:
        combined: One row for each step.
        borders: int64, (num_steps + 1,): where the rows of each step start and end.
    """
    ends = np.cumsum([0, *(len(part.times) for _, part in combined.split())])
    return [
        (slice(first, stop), slice(borders[first], borders[stop]))
        for first, stop in pairwise(ends)
    ]


def _find_usual_gap(rows: Rows) -> float:
    """Return the median time between rows of a series in seconds; 0: no two times."""
    gaps = np.diff(rows.times.astype(np.int64))[np.diff(rows.codes) == 0]
    gaps = gaps[gaps > 0]
    return float(np.median(gaps)) if len(gaps) else 0.0


def _find_cut_steps(
    rows: Rows,
    combined: Rows,
    step: Frequency,
    usual: float,
    first: np.ndarray,
    series: list[tuple[slice, slice]],
) -> np.ndarray:
    """Return whether a step is the first or last of its series, and not covered."""
    ends = _find_next(combined.times, step)
    last = np.append(first[1:], len(rows.times)) - 1
    margin = np.empty(len(first), "timedelta64[s]")
    for steps, part in series:
        own = _find_usual_gap(rows.take(part)) or usual
        margin[steps] = np.timedelta64(int(own), "s")
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
