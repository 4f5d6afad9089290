"""Baselines of a forecast: the value of yesterday, and a linear model of the window."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import replace

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
from shared.data.splits import Examples
from shared.data.weather.dataset import WeatherConfig, WeatherSplits
from shared.data.windows import Windows

BASELINE_FORMAT = 2
DAY = 86_400  # seconds
PENALTIES = (1e1, 1e2, 1e3, 1e4, 1e5)  # on weights of standardised inputs
MAX_NUMBERS = 4_000  # of a window that ridge reads


def forecast_baselines(data: WeatherSplits, weather: WeatherConfig) -> list[Baseline]:
    """Return the baselines of a weather task, with the best achievable if it is known.

    Ridge takes some seconds. It is cached per split.

    Args:
        data: From `load_weather`, with windows as inputs.
        weather: The argument of `load_weather`.

    Returns:
        Baselines with `loss` (squared error) and `mae`, in the target's unit.
    """
    baselines = cached_baselines(
        f"forecast-{_hash_task(data, weather)}",
        lambda: [persistence_baseline(data, weather), ridge_baseline(data)],
        "Solving the ridge regression of this split (once, then cached)",
    )
    if data.test.best_possible is not None:
        baselines = [
            best_achievable("the generator itself", data),
            *baselines,
        ]
    return baselines


def persistence_baseline(data: WeatherSplits, weather: WeatherConfig) -> Baseline:
    """Score the value a whole number of days before the target.

    For a forecast of 24 hours that is the last value read. For 12 hours it is the value
    12 hours before the last one, or the last one if the window is too short.
    """
    delay = weather.delay * weather.sampling
    day = max(1, round(DAY / data.facts["interval"]))
    age = math.ceil(delay / day) * day - delay  # rows before the last one read
    if age > (weather.lookback - 1) * weather.sampling:
        age, name = 0, "last value read"
    else:
        hours = (delay + age) * data.facts["interval"] / 3600
        name = f"value of {hours:g} hours ago"

    def predict(part: Examples) -> np.ndarray:
        rows = part.inputs.starts + (weather.lookback - 1) * weather.sampling - age
        return data.target[rows]

    return make_baseline(name, data, predict)


def ridge_baseline(data: WeatherSplits) -> Baseline:
    """Score a linear model of every number in the window.

    The weights w minimise |X w - y|^2 + penalty |w|^2 over the training windows. The
    solution is w = (X'X + penalty I)^-1 X'y. Inputs and targets are centred, so the
    intercept has no penalty. X'X and X'y are summed over chunks of windows, so memory
    does not grow with the number of windows. It grows with the square of the numbers in
    a window. So of more than 4,000 numbers only every second, third, ... step is read,
    counted back from the last. The penalty with the least absolute error on the
    validation windows is used.
    """
    from scipy.linalg import solve

    windows = data.train.inputs
    thinning = math.ceil(windows.steps * windows.shape[2] / MAX_NUMBERS)
    chosen = choose_windows(windows)
    targets = data.train.targets[chosen].astype(np.float64)
    products, sums, matches = 0.0, 0.0, 0.0
    mean_target = targets.mean()
    for piece, rows in _cut_flat(windows, chosen, thinning):
        products += piece.T @ piece
        sums += piece.sum(axis=0)
        matches += piece.T @ (targets[rows] - mean_target)
    mean = sums / len(chosen)
    products -= len(chosen) * np.outer(mean, mean)
    diagonal = np.diag(products).copy()
    solutions = []
    for penalty in PENALTIES:
        np.fill_diagonal(products, diagonal + penalty)
        solutions.append(solve(products, matches, assume_a="pos"))
    weights = np.column_stack(solutions)

    def predict_all(part: Examples) -> np.ndarray:
        rows = np.arange(len(part))
        pieces = _cut_flat(part.inputs, rows, thinning)
        return np.concatenate([(p - mean) @ weights for p, _ in pieces]) + mean_target

    validation = predict_all(data.validation)
    errors = np.abs(validation - data.validation.targets[:, None]).mean(axis=0)
    best = int(errors.argmin())
    thinned = f", every {thinning} steps" if thinning > 1 else ""
    return make_baseline(
        f"ridge regression on the window{thinned}",
        data,
        lambda part: predict_all(part)[:, best],
    )


def _cut_flat(
    windows: Windows, chosen: np.ndarray, thinning: int
) -> Iterator[tuple[np.ndarray, slice]]:
    """Yield chunks of windows, latest step first, float64 (chunk, steps * features)."""
    forward = replace(windows, reverse=False)
    for first in range(0, len(chosen), CHUNK):
        rows = slice(first, first + CHUNK)
        piece = forward.cut(chosen[rows])[:, ::-1][:, ::thinning].astype(np.float64)
        yield piece.reshape(len(piece), -1), rows


def _hash_task(data: WeatherSplits, weather: WeatherConfig) -> str:
    """Return a hash of everything that decides the baselines."""
    settings = (BASELINE_FORMAT, PENALTIES, MAX_WINDOWS, weather.target, weather.delay)
    windows = data.train.inputs
    digest = hashlib.sha256(f"{settings} {windows.steps} {windows.sampling}".encode())
    digest.update(np.ascontiguousarray(windows.series))
    for part in (data.train, data.validation, data.test):
        digest.update(part.inputs.starts)
        digest.update(part.targets)
    return digest.hexdigest()[:16]
