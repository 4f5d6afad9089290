"""Which part of an axis is shown: known ranges and ticks."""

import math

import pytest

from shared.plots.scale import (
    find_step,
    list_epoch_ticks,
    list_log_ticks,
    needs_log,
    robust_range,
)


def test_the_range_ends_three_quartile_distances_beyond_the_quartiles():
    values = [0, 1, 2, 3, 4, 5, 6, 7, 8, 1000]  # quartiles 2.25 and 6.75, distance 4.5
    assert robust_range(values) == (0, 6.75 + 3 * 4.5)
    assert robust_range([-value for value in values]) == (-(6.75 + 13.5), 0)
    assert robust_range(range(9)) == (0, 8)  # never beyond the data


def test_the_side_of_better_scores_loses_nothing():
    values = [*range(9), 1000, -1000]
    assert robust_range(values, keep="high")[1] == 1000
    assert robust_range(values, keep="low")[0] == -1000
    assert robust_range(values, keep="low")[1] < 1000


def test_values_that_are_half_equal_have_no_outlier():
    assert robust_range([0.5] * 8 + [0.9, 0.1]) == (0.1, 0.9)


def test_nan_infinity_and_nothing_at_all():
    assert robust_range([1, 2, math.nan, math.inf, -math.inf, None]) == (1, 2)
    assert robust_range([]) == (0, 1)
    assert robust_range([math.nan]) == (0, 1)
    assert robust_range([3.0]) == (3, 3)


def test_a_near_baseline_widens_the_range_and_a_far_one_does_not():
    values = [0.0, 1, 2, 3, 4]
    assert robust_range(values, near=[5.0, -1.0]) == (-1, 5)  # a quarter of 4 away
    assert robust_range(values, near=[5.1, -1.1, math.nan]) == (0, 4)


def test_the_best_baseline_is_shown_from_farther_away():
    values = [0.0, 1, 2, 3, 4]
    assert robust_range(values, near=[-12.0, -20], keep="high") == (-12, 4)
    assert robust_range(values, near=[-12.1, -20], keep="high") == (0, 4)
    assert robust_range(values, near=[16.0, 20], keep="low") == (0, 16)
    assert robust_range(values, near=[-12.0, 16]) == (0, 4)  # nobody knows the best


def test_a_logarithmic_range_is_by_ratios():
    values = [1, 10, 100, 1000, 10_000]
    low, high = robust_range(values, log=True)
    assert (low, high) == (pytest.approx(1), pytest.approx(10_000))
    low, high = robust_range([0, *[2.0**k for k in range(9)], 1e30], log=True)
    assert low == pytest.approx(1)  # 0 does not count
    assert high == pytest.approx(2 ** (6.75 + 13.5))


def test_one_broken_value_makes_no_axis_logarithmic():
    assert needs_log([0.2, 0.1, 0.01, 0.001, 0.0001])
    assert not needs_log([0.3, 0.4, 0.5, 0.3, 0.4, 0.5, 0.35, 0.45, 100.0])
    assert not needs_log([0.0, 1.0, 100.0])
    assert not needs_log([])


@pytest.mark.parametrize(
    ("last", "ticks"),
    [
        (1, [1]),
        (3, [1, 2, 3]),
        (8, [1, 2, 3, 4, 5, 6, 7, 8]),
        (10, [1, 2, 4, 6, 8, 10]),
        (30, [1, 5, 10, 15, 20, 25, 30]),
        (100, [1, 20, 40, 60, 80, 100]),
    ],
)
def test_epochs_are_whole_numbers_from_one(last, ticks):
    assert list_epoch_ticks(last) == ticks


def test_there_are_never_more_than_eight_steps():
    assert all(last / find_step(last) <= 8 for last in range(1, 3000))


def test_logarithmic_ticks_are_few_and_round():
    assert list_log_ticks(60, 1500) == [100, 200, 500, 1000]
    assert list_log_ticks(0.9, 12_000) == [1, 10, 100, 1000, 10_000]
    assert list_log_ticks(3.1, 4.9) == [3.1]  # no round number in between
    assert len(list_log_ticks(1, 1e12)) <= 5
