"""Rows of a table in the order of series and time, each time once."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from shared.core.errors import UserError
from shared.core.text import shorten
from shared.data.series.messages import (
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
