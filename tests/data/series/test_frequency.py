"""The step of a series: found from its times, and its grid beyond the last one."""

import numpy as np
import pytest

from shared.core.errors import UserError
from shared.data.series.frequency import Frequency, infer_frequency, parse_every


def to_times(*texts):
    return np.array(texts, "datetime64[s]")


def every(step, count=7, first="2024-01-01T00:00"):
    return np.datetime64(first, "s") + np.arange(count) * np.timedelta64(step, "s")


FOUND = {
    "every 10 minutes": (every(600), 144, "10min"),
    "every 90 minutes": (every(5400), 16, "90min"),
    "every 7 hours": (every(25200), 1, "7h"),
    "every hour": (np.delete(every(3600, 9), [3, 4, 6]), 24, "1h"),
    "every day": (every(86400), 7, "1D"),
    "every week, on Saturdays": (every(604800, 5, "2024-01-06"), 52, "1W"),
    "every month, first day": (
        to_times("2023-11-01", "2023-12-01", "2024-01-01", "2024-02-01"), 12, "1MS",
    ),
    "every month, last day": (
        to_times("2023-12-31", "2024-01-31", "2024-02-29", "2024-03-31"), 12, "1MS",
    ),
    "every month, day 30": (
        to_times("2023-12-30", "2024-01-30", "2024-02-29", "2024-03-30"), 12, "1MS",
    ),
    "every quarter, last day": (to_times("2023-12-31", "2024-03-31", "2024-06-30"), 4,
                                "1QS"),
    "every year, first day": (to_times("1700-01-01", "1701-01-01", "1702-01-01"), 1,
                              "1YS"),
    "every business day": (
        to_times("2024-01-04", "2024-01-05", "2024-01-08", "2024-01-09"), 5, "1D",
    ),
}  # fmt: skip


@pytest.mark.parametrize("words", FOUND)
def test_the_step_is_found_with_its_season(words):
    times, season, text = FOUND[words]
    frequency = infer_frequency(times)
    assert (frequency.describe(), frequency.season, frequency.every) == (
        words, season, text,
    )  # fmt: skip
    assert Frequency.from_json(frequency.to_json()) == frequency


@pytest.mark.parametrize("words", FOUND)
def test_positions_and_times_are_inverse(words):
    times, _, _ = FOUND[words]
    frequency = infer_frequency(times)
    positions, off = frequency.count_steps(times)
    assert not off.any()
    assert positions[0] == 0
    np.testing.assert_array_equal(frequency.time_at(times[0], positions), times)


@pytest.mark.parametrize(
    ("frequency", "first", "expected"),
    [
        (Frequency("month", 1, 31), "2024-01-31", ["2024-02-29", "2024-03-31"]),
        (Frequency("month", 1, 30), "2023-01-30", ["2023-02-28", "2023-03-30"]),
        (Frequency("month", 12, 29), "2024-02-29", ["2025-02-28", "2026-02-28"]),
        (Frequency("business day"), "2024-01-05", ["2024-01-08", "2024-01-09"]),
        (Frequency("second", 7 * 86400, 5), "2024-01-06", ["2024-01-13", "2024-01-20"]),
        (Frequency("second", 3600), "2024-01-31T23:00",
         ["2024-02-01T00:00", "2024-02-01T01:00"]),
        (Frequency("month", 3, 1), "2023-11-01T06:00",
         ["2024-02-01T06:00", "2024-05-01T06:00"]),
    ],
)  # fmt: skip
def test_times_continue_beyond_the_end(frequency, first, expected):
    times = frequency.time_at(np.datetime64(first), np.array([1, 2]))
    assert times.dtype == "datetime64[s]"
    np.testing.assert_array_equal(times, to_times(*expected))


def test_a_time_off_the_grid_is_found():
    times = every(3600, 6)
    times[4] += np.timedelta64(7, "m")
    frequency = infer_frequency(times)
    positions, off = frequency.count_steps(times)
    assert frequency == Frequency("second", 3600)
    assert off.tolist() == [False, False, False, False, True, False]
    assert positions.tolist() == [0, 1, 2, 3, 4, 5]


def test_the_first_time_may_be_the_one_off_the_grid():
    times = every(86400, 5)
    times[0] += np.timedelta64(1, "h")
    _, off = Frequency("second", 86400).count_steps(times)
    assert off.tolist() == [True, False, False, False, False]


def test_times_without_a_common_step_are_refused():
    with pytest.raises(ValueError, match="from 2 minutes to 35 minutes"):
        infer_frequency(every(60, 60)[[0, 7, 9, 20, 55]])
    with pytest.raises(ValueError, match="one time has no step"):
        infer_frequency(every(60, 1))


def test_steps_start_at_midnight_on_monday_or_the_first_day():
    time = to_times("2024-05-18T13:47:11")  # a Saturday
    expected = {
        "15min": "2024-05-18T13:45", "6h": "2024-05-18T12:00", "1D": "2024-05-18",
        "W": "2024-05-13", "MS": "2024-05-01", "QS": "2024-04-01", "YS": "2024-01-01",
    }  # fmt: skip
    for text, start in expected.items():
        assert parse_every(text).floor(time)[0] == np.datetime64(start), text


@pytest.mark.parametrize("text", ["", "0h", "h1", "1 hour", "-1D", "1m", "999999YS"])
def test_a_step_that_is_none_is_refused(text):
    with pytest.raises(UserError, match=r"--every .* takes a number and a unit"):
        parse_every(text)


def test_a_saved_step_of_another_form_is_refused():
    with pytest.raises(ValueError, match="no frequency"):
        Frequency.from_json({"unit": "moon", "count": 1, "day": 0})
