"""Baselines of a series: last value, last season, ridge, and statistical models."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from shared.baselines.baseline import (
    CHUNK,
    MAX_WINDOWS,
    Baseline,
    best_achievable,
    cached_baselines,
    choose_windows,
    make_baseline,
)
from shared.baselines.statistical import statistical_baselines
from shared.data.series.dataset import SeriesSplits
from shared.data.splits import Examples
from shared.data.windows import ForecastWindows

BASELINE_FORMAT = 2
PENALTIES = tuple(10.0**power for power in range(-3, 6))
"""On weights of differences, in units of the typical change."""
MAX_NUMBERS = 3_000  # of a window that ridge reads


def series_baselines(data: SeriesSplits) -> list[Baseline]:
    """Return the baselines of a series, with the best achievable if it is known.

    Ridge may take some seconds, and AutoETS and AutoTheta may take more. They are
    cached per split.

    Args:
        data: From `load_series`.
    """
    key = _hash_task(data)
    baselines = cached_baselines(
        f"series-{key}",
        lambda: [
            *(season_baseline(data) for _ in range(data.layout.season > 1)),
            last_value_baseline(data),
            ridge_baseline(data),
        ],
        "Solving the ridge regression of this split (once, then cached)",
    )
    baselines += statistical_baselines(data, key)
    if data.test.best_possible is not None:
        baselines = [best_achievable("the generator itself", data), *baselines]
    return baselines


def last_value_baseline(data: SeriesSplits) -> Baseline:
    """Score the latest value, repeated for all steps."""

    def predict(part: Examples) -> np.ndarray:
        latest = data.values[part.inputs.last][:, None]
        return _complete(np.repeat(latest, data.layout.horizon, axis=1), data)

    return make_baseline("last value", data, predict)


def season_baseline(data: SeriesSplits) -> Baseline:
    """Score the latest season, repeated: the seasonal naive forecast.

    A window whose series starts later than a season ago repeats the latest value.
    """
    season = data.layout.season

    def predict(part: Examples) -> np.ndarray:
        back = np.arange(data.layout.horizon) % season + 1 - season
        last = part.inputs.last
        first = data.first_rows[np.searchsorted(data.first_rows, last, "right") - 1]
        rows = last[:, None] + back
        rows = np.where(rows >= first[:, None], rows, last[:, None])
        return _complete(data.values[rows], data)

    return make_baseline(f"last season ({season} steps)", data, predict)


def ridge_baseline(data: SeriesSplits) -> Baseline:
    """Score a linear model of the differences from the latest value, all steps at once.

    Penalty and solution: `solve_ridge`.
    """
    ridge = solve_ridge(data)
    return make_baseline(
        "ridge on differences",
        data,
        lambda part: _complete(ridge.predict(part.inputs), data),
    )


@dataclass(frozen=True)
class Ridge:
    """A linear model of a window: forecast = latest + numbers @ weights + intercept.

    Attributes:
        weights: float64, (num_numbers, horizon * num_targets), in the unit of the
            forecasts. The numbers of a window are those of `read_numbers`.
        intercept: float64, (horizon * num_targets,).
        penalty: The one that was chosen.
        data: The split it was solved for.
    """

    weights: np.ndarray
    intercept: np.ndarray
    penalty: float
    data: SeriesSplits

    def predict(self, windows: ForecastWindows) -> np.ndarray:
        """Return forecasts, float64, (num_windows, horizon) or with targets."""
        rows = np.arange(len(windows))
        pieces = [
            piece @ self.weights + self.intercept
            for piece, _ in _cut_numbers(windows, rows, self.data)
        ]
        return _add_latest(np.concatenate(pieces), windows, self.data)


def build_dense(ridge: Ridge) -> tuple[np.ndarray, np.ndarray]:
    """Return ridge as kernel and bias of a dense layer on the differences of a window.

    Args:
        ridge: A linear model.

    Returns:
        float32 (lookback * num_features + horizon * num_known, outputs) and (outputs,):
        for the flat `differences`, then the flat known future, in units of the typical
        change.
    """
    layout = ridge.data.layout
    moving = len(layout.target) + len(layout.inputs)
    outputs = ridge.weights.shape[1]
    thinning = count_thinning(ridge.data)
    window = np.zeros((layout.lookback, len(layout.features), outputs))
    steps = np.arange(layout.lookback - 1, -1, -1)[thinning::thinning]
    past = len(steps) * moving
    window[steps, :moving] = ridge.weights[:past].reshape(len(steps), moving, outputs)
    future = np.zeros((layout.horizon, layout.num_known, outputs))
    if layout.num_known:
        count = layout.horizon if layout.known else 1
        future[:count] = ridge.weights[past:].reshape(count, -1, outputs)
    scale = np.array([scale for _, scale in layout.outputs]) * np.array(layout.change)
    unit = np.tile(scale, layout.horizon)
    kernel = np.concatenate([window.reshape(-1, outputs), future.reshape(-1, outputs)])
    repeats = max(1, len(layout.quantiles))  # every quantile starts as the forecast
    return tuple(
        np.repeat(numbers / unit, repeats, axis=-1).astype(np.float32)
        for numbers in (kernel, ridge.intercept)
    )


def solve_ridge(data: SeriesSplits) -> Ridge:
    """Fit a linear model to the differences from the latest value, in closed form.

    The weights W minimise |X W - Y|^2 + penalty |W|^2 over the training windows, with
    centred X and Y: W = (X'X + penalty I)^-1 X'Y. X holds the differences of targets
    and past inputs from the latest step, and the known future. X'X and X'Y are summed
    over chunks of windows, so memory does not grow with their number. The penalty with
    the least absolute error on the validation windows is used.
    """
    from scipy.linalg import eigh

    windows = data.train.inputs
    chosen = choose_windows(windows)
    products, matches, sums, totals = 0.0, 0.0, 0.0, 0.0
    for piece, rows in _cut_numbers(windows, chosen, data):
        targets = data.train.targets[chosen[rows]].astype(np.float64)
        changes = _subtract_latest(targets, windows.last[chosen[rows]], data)
        products += piece.T @ piece
        matches += piece.T @ changes
        sums += piece.sum(axis=0)
        totals += changes.sum(axis=0)
    count = len(chosen)
    mean, mean_change = sums / count, totals / count
    products = products - count * np.outer(mean, mean)
    matches = matches - count * np.outer(mean, mean_change)
    values, vectors = eigh(products)
    turned = vectors.T @ matches
    best = None
    for penalty in PENALTIES:
        weights = vectors @ (turned / (np.maximum(values, 0) + penalty)[:, None])
        ridge = Ridge(weights, mean_change - mean @ weights, penalty, data)
        error = np.abs(ridge.predict(data.validation.inputs) - data.validation.targets)
        if best is None or error.mean() < best[0]:
            best = (error.mean(), ridge)
    return best[1]


def count_thinning(data: SeriesSplits) -> int:
    """Return that ridge reads only every n-th step of a window, so that it is solvable.

    The steps are counted back from the latest one.
    """
    layout = data.layout
    moving = len(layout.target) + len(layout.inputs)
    return max(1, math.ceil(layout.lookback * moving / MAX_NUMBERS))


def _cut_numbers(
    windows: ForecastWindows, chosen: np.ndarray, data: SeriesSplits
) -> Iterator[tuple[np.ndarray, slice]]:
    """Yield chunks of the numbers that ridge reads, float64, (chunk, num_numbers)."""
    layout = data.layout
    moving = len(layout.target) + len(layout.inputs)
    thinning = count_thinning(data)
    change = np.array([*layout.change, *[1.0] * len(layout.inputs)])
    for first in range(0, len(chosen), CHUNK):
        rows = slice(first, first + CHUNK)
        past = windows.cut(chosen[rows])[:, ::-1, :moving].astype(np.float64)
        past = (past[:, thinning::thinning] - past[:, :1]) / change
        parts = [past.reshape(len(past), -1)]
        if layout.num_known:
            future = windows.cut_known(chosen[rows]).astype(np.float64)
            if not layout.known:  # the calendar of the first step says all
                future = future[:, :1]
            parts.append(future.reshape(len(past), -1))
        yield np.concatenate(parts, axis=1), rows


def _subtract_latest(
    targets: np.ndarray, last: np.ndarray, data: SeriesSplits
) -> np.ndarray:
    """Return the changes from the latest value, (num_windows, horizon * targets)."""
    changes = targets - data.values[last][:, None]
    return changes.reshape(len(changes), -1)


def _add_latest(
    changes: np.ndarray, windows: ForecastWindows, data: SeriesSplits
) -> np.ndarray:
    latest = data.values[windows.last][:, None].astype(np.float64)
    return (
        changes.reshape(len(changes), data.layout.horizon, *latest.shape[2:]) + latest
    )


def _complete(forecasts: np.ndarray, data: SeriesSplits) -> np.ndarray:
    """Return forecasts in the form of the network's predictions."""
    return data.task.repeat_for_quantiles(forecasts)


def _hash_task(data: SeriesSplits) -> str:
    """Return a hash of everything that decides the baselines."""
    settings = (BASELINE_FORMAT, PENALTIES, MAX_WINDOWS, MAX_NUMBERS)
    digest = hashlib.sha256(repr(settings).encode())
    digest.update(json.dumps(data.layout.to_json(), sort_keys=True).encode())
    digest.update(json.dumps(data.task.to_json(), sort_keys=True).encode())
    digest.update(np.ascontiguousarray(data.train.inputs.series))
    digest.update(np.ascontiguousarray(data.values))
    for part in (data.train, data.validation, data.test):
        digest.update(part.inputs.starts)
    return digest.hexdigest()[:16]
