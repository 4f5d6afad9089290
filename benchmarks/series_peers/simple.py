"""Forecasts without a package: last value, last season, ridge in closed form.

Their intervals are split-conformal: quantiles of the absolute errors on the validation
windows, one for each step of the horizon.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .data import cut
from .peers import LEVELS, Forecasts, Problem, Stopwatch

PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1)
"""Of the ridge, per training window. The validation windows choose."""


def repeat_value(problem: Problem) -> Forecasts:
    """Forecast the last value."""
    return _calibrate(problem, lambda origins: _repeat(problem, origins, 1))


def repeat_season(problem: Problem) -> Forecasts:
    """Forecast the last season, repeated."""
    season = problem.task.season
    return _calibrate(problem, lambda origins: _repeat(problem, origins, season))


def fit_ridge(problem: Problem) -> Forecasts:
    """Forecast by a linear map of the differences from the last value."""
    starts = np.arange(problem.task.lookback, problem.train_stop)
    starts = starts[: problem.num_training_windows]
    validation = _list_validation_origins(problem)
    expected = cut(problem.values, validation, problem.task.horizon)
    with Stopwatch() as watch:
        inputs, last = _cut_differences(problem, starts)
        mean, std = inputs.mean(0), inputs.std(0) + 1e-9
        rows = np.c_[(inputs - mean) / std, np.ones(len(inputs))]
        targets = cut(problem.values, starts, problem.task.horizon) - last

        def solve(penalty: float) -> np.ndarray:
            weights = np.full(rows.shape[1], penalty * len(rows))
            weights[-1] = 0.0  # the intercept
            return np.linalg.solve(rows.T @ rows + np.diag(weights), rows.T @ targets)

        def predict(origins: np.ndarray, solution: np.ndarray) -> np.ndarray:
            inputs, last = _cut_differences(problem, origins)
            return np.c_[(inputs - mean) / std, np.ones(len(inputs))] @ solution + last

        best = min(
            map(solve, PENALTIES),
            key=lambda found: np.abs(predict(validation, found) - expected).mean(),
        )
    return _calibrate(problem, lambda origins: predict(origins, best), watch.seconds)


def _calibrate(
    problem: Problem, predict: Callable[[np.ndarray], np.ndarray], seconds: float = 0.0
) -> Forecasts:
    """Return the forecasts of the test windows, with split-conformal intervals."""
    origins = _list_validation_origins(problem)
    expected = cut(problem.values, origins, problem.task.horizon)
    errors = np.sort(np.abs(predict(origins) - expected), 0)
    point = predict(problem.origins)
    intervals = {}
    for level in LEVELS:
        rank = int(np.ceil((len(errors) + 1) * level / 100))
        width = errors[min(rank, len(errors)) - 1]
        intervals[level] = (point - width, point + width)
    return Forecasts(point, intervals, fit_seconds=seconds)


def _list_validation_origins(problem: Problem) -> np.ndarray:
    stop = problem.test_start - problem.task.horizon + 1
    return np.arange(problem.train_stop, stop)


def _repeat(problem: Problem, origins: np.ndarray, season: int) -> np.ndarray:
    steps = np.arange(problem.task.horizon) % season
    return problem.values[origins[:, None] - season + steps]


def _cut_differences(
    problem: Problem, origins: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return inputs less their last value, and that value, (num_origins, 1)."""
    lookback = problem.task.lookback
    inputs = cut(problem.values, origins - lookback, lookback)
    return inputs[:, :-1] - inputs[:, -1:], inputs[:, -1:]
