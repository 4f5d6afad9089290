import numpy as np
import pytest

from shared.tasks.conformal import (
    choose_ends,
    count_needed,
    find_ends,
    find_half_widths,
    measure_coverage,
    measure_outside,
    roll_half_widths,
)


def days(*numbers):
    return np.datetime64("2024-01-01", "s") + np.array(numbers) * np.timedelta64(1, "D")


def test_the_width_is_the_order_statistic_of_split_conformal():
    errors = np.array([[9, 1], [8, 2], [7, 3], [6, 4], [5, 5], [4, 6], [3, 7], [2, 8],
                       [1, 90]], float)  # fmt: skip
    # nine errors, level 0.8: the ceil(10 * 0.8) = 8th smallest of each step
    assert find_half_widths(errors, 0.8).tolist() == [8, 8]
    assert find_half_widths(errors, 0.9).tolist() == [9, 90]
    assert find_half_widths(errors, 0.95) is None  # would need the 10th of nine


def test_a_level_needs_a_number_of_forecasts():
    assert [count_needed(level) for level in (0.5, 0.8, 0.9, 0.95)] == [1, 4, 9, 19]
    for level in (0.5, 0.8, 0.9, 0.95):
        needed = count_needed(level)
        assert find_half_widths(np.ones((needed, 1)), level) is not None
        assert find_half_widths(np.ones((needed - 1, 1)), level) is None


def test_only_forecasts_observed_before_the_origin_calibrate():
    # made on days 0 to 6, each observed two days later
    errors = np.array([1, 2, 3, 4, 5, 6, 100], float)[:, None]
    origins, ends = days(*range(7)), days(*range(2, 9))
    half, found = roll_half_widths(
        errors, origins, ends, np.array([3, 5, 6]), level=0.5, window=3
    )
    # day 3 knows the forecasts of days 0 and 1: the ceil(3 * 0.5) = 2nd smallest
    # day 5 knows those of days 0 to 3 and takes the latest three: 2, 3, 4
    assert half[:, 0].tolist() == [2, 3, 4]
    assert found.all()


def test_an_origin_without_enough_forecasts_has_no_interval():
    errors = np.ones((5, 1))
    half, found = roll_half_widths(
        errors, days(*range(5)), days(*range(1, 6)), np.array([2, 4]), 0.8, 10
    )
    assert np.isnan(half[0, 0]) and half[1, 0] == 1
    assert found.tolist() == [False, True]


def test_a_target_inside_has_a_negative_distance():
    outside = measure_outside(
        np.array([1.0, 4.0, 9.0]), np.full(3, 2.0), np.full(3, 6.0)
    )
    assert outside.tolist() == [1, -2, 3]
    same = np.array([5.0])
    assert measure_outside(np.array([2.0]), same, same).tolist() == [3]


def test_coverage_leaves_out_what_has_no_interval():
    targets = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    lower = np.array([[0.0, 3.0], [2.0, 3.0], [np.nan, np.nan]])
    found = measure_coverage(targets, lower, lower + 2, 0.8)
    assert found.covered == 0.75  # 2 is below its interval of 3 to 5
    assert found.width == 2
    assert found.num_windows == 2


@pytest.mark.parametrize(
    ("level", "expected"), [(0.8, (10, 90)), (0.95, (2, 98)), (0.5, (10, 90))]
)
def test_the_nearest_quantiles_are_the_ends(level, expected):
    levels = (0.02, 0.1, 0.5, 0.9, 0.98)
    predictions = np.array([[2.0, 10.0, 50.0, 90.0, 98.0]])
    lower, upper = choose_ends(predictions, levels, level)
    assert (lower[0], upper[0]) == expected
    lower, upper = choose_ends(np.array([7.0]), (), level)
    assert lower[0] == upper[0] == 7


def test_the_intervals_of_independent_errors_cover_as_promised():
    random = np.random.default_rng(3)
    forecasts, steps = 4_000, 3
    targets = random.normal(0, [1, 2, 5], (forecasts, steps))
    made = np.arange(forecasts).astype("datetime64[s]")
    half, _ = roll_half_widths(
        np.abs(targets), made, made + 1, np.arange(500, forecasts), 0.8, 500
    )
    found = measure_coverage(targets[500:], -half, half, 0.8)
    assert found.covered == pytest.approx(0.8, abs=0.015)
    # the width of a normal's central 80 % is 2 * 1.2816 standard deviations
    assert found.width == pytest.approx(2 * 1.2816 * 8 / 3, rel=0.05)


def test_rolling_over_a_sorted_window_is_sorting_every_window():
    random = np.random.default_rng(5)
    errors = random.integers(-4, 9, (60, 2, 3)).astype(float)  # many ties
    origins = random.integers(0, 40, 60)
    ends = origins + random.integers(1, 6, 60)
    chosen = random.permutation(60)[:45]
    half, found = roll_half_widths(errors, origins, ends, chosen, 0.8, 12)
    order = np.argsort(ends, kind="stable")
    assert 0 < found.sum() < 45
    for k, number in enumerate(chosen):
        before = order[: (ends <= origins[number]).sum()][-12:]
        expected = find_half_widths(errors[before], 0.8)
        assert found[k] == (expected is not None)
        if found[k]:
            assert (half[k] == expected).all()
    nothing = np.array([], np.int64)
    half, found = roll_half_widths(errors, origins, ends, nothing, 0.8, 12)
    assert half.shape == (0, 2, 3) and found.shape == (0,)


def test_the_ends_of_an_interval_are_quantiles():
    assert find_ends(0.8) == (0.1, 0.9)
    assert find_ends(0.95) == (0.025, 0.975)
