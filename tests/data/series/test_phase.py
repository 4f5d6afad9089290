import numpy as np
import pytest

from shared.data.series.frequency import infer_frequency
from shared.data.series.phase import describe_grid, is_same_grid

STEPS = {
    "hour": ["2024-03-01T00", "2024-03-01T01", "2024-03-01T02"],
    "six hours": ["2024-03-01T00", "2024-03-01T06", "2024-03-01T12"],
    "day": ["2024-03-01", "2024-03-02", "2024-03-03"],
    "week": ["2024-03-02", "2024-03-09", "2024-03-16"],
    "two weeks": ["2024-03-02", "2024-03-16", "2024-03-30"],
    "month": ["2024-01-01", "2024-02-01", "2024-03-01"],
    "last day of the month": ["2024-01-31", "2024-02-29", "2024-03-31"],
    "quarter": ["2024-01-01", "2024-04-01", "2024-07-01"],
    "year": ["2020-07-01", "2021-07-01", "2022-07-01"],
    "business day": ["2024-02-29", "2024-03-01", "2024-03-04", "2024-03-05"],
}


@pytest.mark.parametrize(
    ("step", "same", "other"),
    [
        ("hour", "2025-01-01T13:00", "2025-01-01T13:07"),
        ("six hours", "2024-05-01T18:00", "2024-05-01T19:00"),
        ("day", "2025-01-01", None),
        ("day", "2025-01-01T12:00", None),  # only how the date is written
        ("week", "2020-05-02", "2020-05-03"),
        ("two weeks", "2024-04-13", "2024-04-06"),
        ("month", "1999-12-01", "1999-12-15"),
        ("last day of the month", "2023-02-28", "2023-03-01"),
        ("quarter", "2030-10-01", "2030-11-01"),
        ("year", "1990-07-01", "1990-01-01"),
        ("business day", "2024-07-02", "2024-07-06"),  # Tuesday, Saturday
    ],
)
def test_a_time_is_on_the_grid_of_another_one(step, same, other):
    times = np.array(STEPS[step], "datetime64[s]")
    frequency = infer_frequency(times)
    for time in times:
        assert is_same_grid(frequency, time, np.datetime64(same))
        assert other is None or not is_same_grid(frequency, time, np.datetime64(other))
        assert other is None or not is_same_grid(frequency, np.datetime64(other), time)


def test_a_grid_is_named_by_its_own_weekday():
    frequency = infer_frequency(np.array(STEPS["week"], "datetime64[s]"))
    sunday, monday = np.datetime64("2024-03-03"), np.datetime64("2024-03-04")
    assert describe_grid(frequency, sunday) == (
        "every week, on Sundays, such as 2024-03-03"
    )
    assert "on Mondays" in describe_grid(frequency, monday)
    frequency = infer_frequency(np.array(STEPS["hour"], "datetime64[s]"))
    assert describe_grid(frequency, np.datetime64("2024-03-01T05:07")) == (
        "every hour, such as 2024-03-01 05:07"
    )
