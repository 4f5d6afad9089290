"""What every peer is scored by, and the simple forecasts without a package."""

import numpy as np
import pytest

from benchmarks.series_peers import simple
from benchmarks.series_peers.data import TASKS, Task, load_task
from benchmarks.series_peers.measure import score
from benchmarks.series_peers.peers import Budget, Problem

TASK = Task("toy", 3, 4, 5, 2, 13, 11)  # horizon 3, season 4, lookback 5, stride 2


def make_problem(values: np.ndarray) -> Problem:
    last = len(values) - TASK.horizon
    origins = np.arange(len(values) - TASK.test_rows, last + 1, TASK.stride)
    return Problem(TASK, values, origins, seed=0)


def test_score_of_two_windows_by_hand():
    actual = np.array([[1.0, 2.0, 3.0], [2.0, 2.0, 7.0]])
    forecast = np.array([[1.0, 1.0, 5.0], [2.0, 5.0, 7.0]])
    intervals = {80: (forecast - 1, forecast + 1), 95: (forecast - 2, forecast + 3)}
    train = np.array([0.0, 1.0, 4.0, 1.0, 6.0])  # over two steps: 4, 0, 2
    found = score(actual, forecast, train, 2, intervals)
    # Pinball of the ends: 0.025 (2, 3, 0, 2, -1, 2), 0.1 (1, 2, -1, 1, -2, 1),
    # 0.9 (-1, 0, -3, -1, -4, -1), 0.975 (-3, -2, -5, -3, -6, -3), half of 6 / 6.
    ends = (0.225 + 0.975, 0.5 + 2.7, 1.0, 0.55)
    assert found == {
        "mae": 1.0,
        "rmse": pytest.approx((14 / 6) ** 0.5, rel=1e-4),
        "mase": 0.5,
        "mean_pinball": pytest.approx((sum(ends) / 6 + 0.5) / 5, rel=1e-4),
        "coverage_80": pytest.approx(4 / 6, rel=1e-4),
        "width_80": 2.0,
        "coverage_95": pytest.approx(5 / 6, rel=1e-4),
        "width_95": 5.0,
    }


def test_score_without_intervals_leaves_their_cells_empty():
    zeros = np.zeros((2, 3))
    found = score(zeros, zeros, np.arange(9.0), 4, {})
    assert found["mase"] == 0.0
    empty = {name for name, value in found.items() if value == ""}
    assert empty == {
        "mean_pinball", "coverage_80", "width_80", "coverage_95", "width_95"
    }  # fmt: skip


def test_mean_pinball_agrees_with_scoringrules():
    scoringrules = pytest.importorskip("scoringrules")
    random = np.random.default_rng(3)
    actual, forecast = random.normal(size=(2, 7, 5))
    ends = [forecast + shift for shift in (-2, -1.3, 0, 1.3, 2.1)]
    intervals = {80: (ends[1], ends[3]), 95: (ends[0], ends[4])}
    found = score(actual, forecast, np.arange(9.0), 3, intervals)["mean_pinball"]
    quantiles = np.array([0.025, 0.1, 0.5, 0.9, 0.975])
    crps = scoringrules.crps_quantile(actual, np.stack(ends, -1), quantiles)
    assert found == pytest.approx(crps.mean() / 2, rel=1e-4)


def test_windows_start_at_the_first_test_row(tmp_path):
    file = tmp_path / "toy.csv"
    file.write_text("time,value\n" + "".join(f"{k},{k * k}\n" for k in range(29)))
    values, origins, actual = load_task(TASK, file)
    assert values.shape == (29,)
    assert origins.tolist() == [18, 20, 22, 24, 26]
    assert actual[0].tolist() == [18**2, 19**2, 20**2]
    assert actual[-1].tolist() == [26**2, 27**2, 28**2]


def test_last_value_and_last_season():
    problem = make_problem(np.arange(60.0))
    value, season = simple.repeat_value(problem), simple.repeat_season(problem)
    assert value.point[0].tolist() == [48, 48, 48]  # the first test row is 49
    assert season.point[1].tolist() == [47, 48, 49]
    # Every error is 1, 2, 3 for the value and 4 for the season.
    low, high = value.intervals[80]
    assert (high - low)[0].tolist() == [2, 4, 6]
    low, high = season.intervals[95]
    assert (high - low).tolist() == [[8, 8, 8]] * 5


def test_ridge_follows_a_line_and_reads_no_test_row():
    values = np.arange(60.0)
    problem = make_problem(values)
    point = simple.fit_ridge(problem).point
    assert point[2] == pytest.approx([53, 54, 55])
    changed = values.copy()
    changed[problem.test_start :] += 1000
    again = simple.fit_ridge(make_problem(changed)).point
    assert again[0] == pytest.approx(point[0])


def test_epochs_of_a_short_series_make_as_many_updates():
    budget = Budget(batch=32, epochs=20, updates=2000)
    assert budget.count_epochs(65) == 666  # three updates an epoch
    assert budget.count_epochs(8000) == 20
    assert budget.count_patience(20) == 4


def test_tasks_are_six_public_series_and_more():
    assert len({task.series for task in TASKS}) >= 6
    assert len({task.name for task in TASKS}) == len(TASKS)
    assert TASKS[0].flags[:4] == ("--time", "time", "--target", "value")
