"""The step of a series: infer it from times, and count and add steps on its grid."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from shared.core.text import shorten
from shared.data.series.messages import TableError

MINUTE, HOUR, DAY = 60, 3_600, 86_400  # seconds
WEEK = 7 * DAY
THURSDAY = 3  # 1 January 1970, counted from Monday
SATURDAY = 5
LAST_DAY = 31
LONGEST_STEP = 100 * 366 * DAY  # of --every, seconds
SHORTEST_MONTH = 27  # days between two stamps that may be a month apart
ENOUGH = 0.5  # share of the steps that must agree
WEEKDAYS = (
    "Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays",
)  # fmt: skip
UNITS = {
    "s": ("second", 1), "min": ("second", MINUTE), "h": ("second", HOUR),
    "D": ("second", DAY), "W": ("second", WEEK), "MS": ("month", 1),
    "QS": ("month", 3), "YS": ("month", 12),
}  # fmt: skip
"""Unit of --every -> unit of a frequency, and how many of it."""


@dataclass(frozen=True)
class Frequency:
    """The step from one time of a series to the next.

    Attributes:
        unit: `second`: a fixed step. `month`: whole months. `business day`: from Monday
            to Friday.
        count: Units of a step, 1 or more; 1 for business days.
        day: Of whole weeks: the day of the week, 0 is Monday. Of months: the day of the
            month; 31 is the last day of each. Else 0.
    """

    unit: Literal["second", "month", "business day"]
    count: int = 1
    day: int = 0

    @property
    def season(self) -> int:
        """Steps of the usual season; 1: none.

        It is a day for steps below a day, a week for days and a year for longer steps.
        """
        if self.unit == "business day":
            return 5
        if self.unit == "month":
            return 12 // self.count if 12 % self.count == 0 else 1
        named = {DAY: 7, WEEK: 52}
        if self.count in named:
            return named[self.count]
        return DAY // self.count if DAY % self.count == 0 else 1

    @property
    def seconds(self) -> float:
        """The mean length of a step in seconds."""
        if self.unit == "month":
            return self.count * 365.2425 * DAY / 12
        return self.count * (DAY * 7 / 5 if self.unit == "business day" else 1)

    def describe(self) -> str:
        """Return the step in words: `every week, on Saturdays`."""
        if self.unit == "business day":
            return "every business day"
        if self.unit == "month":
            words = {3: "quarter"}.get(self.count) or _count_units(
                *((self.count // 12, "year") if self.count % 12 == 0 else
                  (self.count, "month"))
            )  # fmt: skip
            ends = {1: "first day", LAST_DAY: "last day"}
            return f"every {words}, {ends.get(self.day, f'day {self.day}')}"
        for length, name in ((WEEK, "week"), (DAY, "day"), (HOUR, "hour"),
                             (MINUTE, "minute"), (1, "second")):  # fmt: skip
            if self.count % length == 0:
                words = _count_units(self.count // length, name)
                suffix = f", on {WEEKDAYS[self.day]}" if name == "week" else ""
                return f"every {words}{suffix}"
        raise AssertionError(self.count)

    @property
    def every(self) -> str:
        """The step as `--every` takes it: `15min`; days for business days."""
        if self.unit == "business day":
            return "1D"
        for name, (unit, length) in reversed(UNITS.items()):
            if unit == self.unit and self.count % length == 0:
                return f"{self.count // length}{name}"
        raise AssertionError(self.count)

    def count_steps(self, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the position of each time on the grid.

        The grid goes through the most times. Its position 0 is the first time.

        Args:
            times: datetime64[s], (num_rows,), increasing.

        Returns:
            int64 positions, (num_rows,), and bool, (num_rows,): whether a time is off
            the grid.
        """
        seconds = times.astype("datetime64[s]").astype(np.int64)
        if self.unit == "second":
            phase = seconds % self.count
            off = phase != find_mode(phase)
            positions = seconds // self.count
            return positions - positions[0], off
        clock = seconds % DAY
        off = clock != find_mode(clock)
        if self.unit == "business day":
            days = times.astype("datetime64[D]")
            off |= ~np.is_busday(days)
            return np.busday_count(days[0], days).astype(np.int64), off
        months = times.astype("datetime64[M]").astype(np.int64)
        phase = months % self.count
        off |= phase != find_mode(phase)
        off |= _find_days(times) != np.minimum(self.day, _find_lengths(months))
        positions = (months - phase) // self.count
        return positions - positions[0], off

    def time_at(self, first: np.datetime64, positions: np.ndarray) -> np.ndarray:
        """Return the time of positions on the grid, also beyond its end.

        Args:
            first: Time of position 0, on the grid; or one for each position.
            positions: int64, (num_steps,).

        Returns:
            datetime64[s], (num_steps,).
        """
        first = first.astype("datetime64[s]")
        positions = np.asarray(positions, np.int64)
        if self.unit == "second":
            return first + (positions * self.count).astype("timedelta64[s]")
        clock = first - first.astype("datetime64[D]")
        if self.unit == "business day":
            days = np.busday_offset(first.astype("datetime64[D]"), positions)
            return days.astype("datetime64[s]") + clock
        months = first.astype("datetime64[M]").astype(np.int64) + positions * self.count
        days = np.minimum(self.day, _find_lengths(months)) - 1
        starts = months.astype("datetime64[M]").astype("datetime64[D]")
        return (starts + days.astype("timedelta64[D]")).astype("datetime64[s]") + clock

    def floor(self, times: np.ndarray) -> np.ndarray:
        """Return the start of the step in which each time lies, datetime64[s].

        Steps start at midnight, on Monday, or on the first day of a month.
        """
        if self.unit == "month":
            months = times.astype("datetime64[M]").astype(np.int64)
            starts = months - months % self.count
            return starts.astype("datetime64[M]").astype("datetime64[s]")
        seconds = times.astype("datetime64[s]").astype(np.int64)
        shift = THURSDAY * DAY if self.count % WEEK == 0 else 0
        starts = seconds - (seconds + shift) % self.count
        return starts.astype("datetime64[s]")

    def to_json(self) -> dict[str, Any]:
        """Return all fields, ready for JSON."""
        return {"unit": self.unit, "count": self.count, "day": self.day}

    @classmethod
    def from_json(cls, facts: dict[str, Any]) -> Frequency:
        """Return the frequency from the result of `to_json`.

        Raises:
            KeyError, TypeError, ValueError: If a field is missing or has another form.
        """
        unit, count, day = facts["unit"], int(facts["count"]), int(facts["day"])
        if unit not in ("second", "month", "business day") or count < 1:
            raise ValueError(f"no frequency: {facts!r}")
        return cls(unit, count, day)


def infer_frequency(times: np.ndarray) -> Frequency:
    """Return the step of most times.

    Whole months and business days are found. Missing times are accepted: a gap of two
    or more steps agrees with the step.

    Args:
        times: datetime64[s], (num_rows,), increasing, no two the same.

    Raises:
        ValueError: If there are fewer than two times, or less than half of them agree.
    """
    if len(times) < 2:
        raise ValueError("one time has no step")
    times = times.astype("datetime64[s]")
    gaps = np.diff(times.astype(np.int64))
    step = int(find_mode(gaps))
    day = 0
    if step % WEEK == 0:
        day = int(find_mode(_find_weekdays(times)))
    found, share = Frequency("second", step, day), float(np.mean(gaps % step == 0))
    if np.median(gaps) >= SHORTEST_MONTH * DAY:
        monthly = _guess_months(times)
        _, off_month = monthly.count_steps(times)
        _, off = found.count_steps(times)
        if off_month.sum() <= off.sum():
            found, share = monthly, 1 - float(off_month.mean())
    elif step == DAY and _skips_weekends(times):
        found = Frequency("business day")
    if share < ENOUGH:
        raise ValueError(
            f"the steps differ: from {describe_seconds(gaps.min())} to "
            f"{describe_seconds(gaps.max())}"
        )
    return found


def parse_every(text: str) -> Frequency:
    """Return the step that `--every` names: `15min`, `1h`, `1D`, `W` or `MS`.

    Raises:
        UserError: If it is no step.
    """
    found = re.fullmatch(r"(\d{0,6})(s|min|h|D|W|MS|QS|YS)", text.strip(), re.ASCII)
    count = int(found[1] or 1) if found else 0
    if count:
        unit, length = UNITS[found[2]]
        step = Frequency(unit, count * length, day=1 if unit == "month" else 0)
        if step.seconds <= LONGEST_STEP:
            return step
    problem = (
        f"{shorten(text)!r}: takes a number and a unit: s, min, h, D (day), W (week "
        "from Monday), MS (month), QS (quarter) or YS (year), e.g. 15min, 1h or MS."
    )
    raise TableError(f"--every {problem}", f"the step {problem}")


def find_mode(numbers: np.ndarray) -> np.int64:
    """Return the most common number; of several, the smallest."""
    if (numbers == numbers[0]).all():
        return numbers[0]
    values, counts = np.unique(numbers, return_counts=True)
    return values[counts.argmax()]


def describe_seconds(seconds: float) -> str:
    """Return a duration in its largest whole unit: `90 minutes`."""
    for length, name in ((DAY, "day"), (HOUR, "hour"), (MINUTE, "minute")):
        if seconds % length == 0:
            count = int(seconds // length)
            return f"{count:,} {name}{'s' if count != 1 else ''}"
    return f"{int(seconds):,} second{'s' if seconds != 1 else ''}"


def _guess_months(times: np.ndarray) -> Frequency:
    """Return the months of most steps, and the day that most times have."""
    months = times.astype("datetime64[M]").astype(np.int64)
    days, lengths = _find_days(times), _find_lengths(months)
    step = max(1, int(find_mode(np.diff(months))))
    usual = int(find_mode(days))
    candidates = [usual, LAST_DAY, int(days.max())]
    agreed = [np.mean(days == np.minimum(day, lengths)) for day in candidates]
    return Frequency("month", step, candidates[int(np.argmax(agreed))])


def _skips_weekends(times: np.ndarray) -> bool:
    """Return whether times cross a weekend, and none lies in one."""
    weekdays = _find_weekdays(times)
    return bool((weekdays < SATURDAY).all() and (np.diff(weekdays) < 0).any())


def _find_weekdays(times: np.ndarray) -> np.ndarray:
    return (times.astype("datetime64[D]").astype(np.int64) + THURSDAY) % 7


def _find_days(times: np.ndarray) -> np.ndarray:
    """Return the day of the month of each time, int64, from 1."""
    starts = times.astype("datetime64[M]").astype("datetime64[D]")
    return (times.astype("datetime64[D]") - starts).astype(np.int64) + 1


def _find_lengths(months: np.ndarray) -> np.ndarray:
    """Return the number of days of months since January 1970."""
    starts = months.astype("datetime64[M]").astype("datetime64[D]")
    ends = (months + 1).astype("datetime64[M]").astype("datetime64[D]")
    return (ends - starts).astype(np.int64)


def _count_units(count: int, name: str) -> str:
    return name if count == 1 else f"{count:,} {name}s"
