"""A sum of a step says how much there was, or that nobody can know it."""

import numpy as np
import pytest

from shared.core.errors import UserError
from shared.data.series.frequency import Frequency
from shared.data.series.reading import TableOptions, read_series

NAN = float("nan")
SHORT = "fewer rows than usual"


def write(folder, times, cells=None):
    cells = np.ones(len(times)) if cells is None else cells
    rows = [f"{time},{cell:g}" for time, cell in zip(times, cells, strict=True)]
    path = folder / "rain.csv"
    path.write_text("\n".join(["time,rain", *rows, ""]))
    return path


def add_up(folder, times, cells=None, every="1h", how="sum"):
    """Return the sums of the steps, and the remarks."""
    path = write(folder, times, cells)
    table = read_series(TableOptions(path, target=("rain",), every=every, how=how))
    return table.series[0].values["rain"], table.remarks


def ten_minutes(hours=4):
    """Rows from midnight on; row k has the value k."""
    start = np.datetime64("2024-01-01T00:00")
    times = start + np.arange(6 * hours) * np.timedelta64(10, "m")
    return times, np.arange(6.0 * hours)


def test_a_sum_of_whole_steps_is_exact(tmp_path):
    sums, remarks = add_up(tmp_path, *ten_minutes())
    assert sums.tolist() == [15, 51, 87, 123]  # 0 + ... + 5, 6 + ... + 11, ...
    assert not any(SHORT in remark for remark in remarks)


@pytest.mark.parametrize(
    ("lost", "expected"),
    [
        (7, [15, NAN, 87, 123]),  # inside the second hour, which starts in line 8
        (2, [NAN, 51, 87, 123]),  # inside the first
        (20, [15, 51, 87, NAN]),  # inside the last
        (6, [15, NAN, 87, 123]),  # at the start of an hour
    ],
)
def test_a_sum_without_one_row_is_missing(tmp_path, lost, expected):
    times, cells = ten_minutes()
    sums, remarks = add_up(tmp_path, np.delete(times, lost), np.delete(cells, lost))
    np.testing.assert_array_equal(sums, expected)
    (remark,) = [remark for remark in remarks if SHORT in remark]
    line = 2 + 6 * (lost // 6)
    assert remark.startswith("1 step with fewer rows than usual: the sum is missing")
    assert f"line {line}" in remark


def test_all_short_steps_are_told_in_one_remark(tmp_path):
    times, cells = ten_minutes(6)
    rows = [3, 8, 27]
    sums, remarks = add_up(tmp_path, np.delete(times, rows), np.delete(cells, rows))
    np.testing.assert_array_equal(sums, [NAN, NAN, 87, 123, NAN, 195])
    (remark,) = [remark for remark in remarks if SHORT in remark]
    assert "3 steps" in remark
    assert "lines 2, 7, 24" in remark


@pytest.mark.parametrize(("how", "second"), [("mean", 8.8), ("last", 11)])
def test_a_mean_and_a_last_value_need_not_every_row(tmp_path, how, second):
    times, cells = ten_minutes()
    values, remarks = add_up(
        tmp_path, np.delete(times, 7), np.delete(cells, 7), how=how
    )
    assert values[1] == pytest.approx(second)  # (6 + 8 + 9 + 10 + 11) / 5
    assert not any(SHORT in remark for remark in remarks)


def test_a_step_at_an_end_that_is_covered_in_part_is_left_out(tmp_path):
    times, cells = ten_minutes()
    sums, _ = add_up(tmp_path, times[2:-1], cells[2:-1])
    assert sums.tolist() == [51, 87]


def test_months_have_sums_although_their_lengths_differ(tmp_path):
    days = np.arange("2024-01-01", "2024-07-01", dtype="datetime64[D]")
    sums, remarks = add_up(tmp_path, days, every="MS")
    assert sums.tolist() == [31, 29, 31, 30, 31, 30]
    assert not any(SHORT in remark for remark in remarks)
    sums, remarks = add_up(tmp_path, np.delete(days, 40), every="MS")
    np.testing.assert_array_equal(sums, [31, NAN, 31, 30, 31, 30])
    assert any(SHORT in remark for remark in remarks)


def test_quarters_of_months_need_three_of_them(tmp_path):
    months = np.arange("2022-01", "2024-01", dtype="datetime64[M]")
    cells = np.arange(24)
    sums, _ = add_up(tmp_path, np.delete(months, 4), np.delete(cells, 4), every="QS")
    np.testing.assert_array_equal(sums, [3, NAN, 21, 30, 39, 48, 57, 66])


def test_no_row_is_missing_on_a_holiday(tmp_path):
    days = np.arange("2024-01-01", "2024-03-02", dtype="datetime64[D]")
    days = days[np.is_busday(days, holidays=["2024-01-15", "2024-02-19"])]
    sums, _ = add_up(tmp_path, days, every="W")
    assert sums.tolist() == [5, 5, 4, 5, 5, 5, 5, 4]  # the file ends in the next


def test_events_that_come_at_no_rate_are_all_summed(tmp_path):
    counts = [1, 5, 2, 7, 3, 4, 6, 2]
    times = [
        np.datetime64("2024-01-01T00:00") + np.timedelta64(1_440 * day + minute, "m")
        for day, count in enumerate(counts)
        for minute in np.random.default_rng(day).choice(1_440, count, replace=False)
    ]
    sums, remarks = add_up(tmp_path, np.sort(times), every="1D")
    assert set(sums) <= set(counts)
    assert not any(SHORT in remark for remark in remarks)


def test_each_series_has_its_own_usual_number_of_rows(tmp_path):
    lines = ["time,place,rain"]
    for minutes, place in ((10, "a"), (30, "b")):
        steps = np.arange(0, 240, minutes) * np.timedelta64(1, "m")
        lines += [
            f"{time},{place},{k}"
            for k, time in enumerate(np.datetime64("2024-01-01T00:00") + steps)
            if (place, k) != ("a", 8)
        ]
    path = tmp_path / "rain.csv"
    path.write_text("\n".join([*lines, ""]))
    table = read_series(
        TableOptions(path, target=("rain",), series="place", every="1h", how="sum")
    )
    first, second = (one.values["rain"] for one in table.series)
    np.testing.assert_array_equal(first, [15, NAN, 87, 123])
    assert second.tolist() == [1, 5, 9, 13]


def test_rows_that_cover_no_whole_step_have_no_sum(tmp_path):
    times, _ = ten_minutes(8)
    with pytest.raises(UserError, match=r"no whole step \(every day\).*--every"):
        add_up(tmp_path, times, every="1D")
    path = write(tmp_path, times)
    saved = Frequency("second", 86_400)
    options = TableOptions(
        path, target=("rain",), every="1D", how="sum", frequency=saved
    )
    with pytest.raises(UserError, match=r"no sum is known; take a longer file\."):
        read_series(options)
