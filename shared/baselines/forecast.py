"""Bars of a forecast: the same time yesterday, and a linear model of the window."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from shared.baselines.bars import FORECAST, Bar, cached_bars, floor_bar, make_bar
from shared.data.splits import Examples, Splits
from shared.data.weather import WeatherConfig
from shared.data.windows import Windows

BAR_FORMAT = 1
DAY = 86_400  # seconds
MAX_WINDOWS = 50_000  # that ridge is fitted to; neighbours are nearly the same
PENALTIES = (1e1, 1e2, 1e3, 1e4, 1e5)  # on weights of standardised inputs
CHUNK = 2_000  # windows cut at a time


def forecast_bars(splits: Splits, weather: WeatherConfig) -> list[Bar]:
    """Return the bars of a weather task, and its floor where that is known.

    Ridge takes some seconds, and is cached per split.

    Args:
        splits: From `load_weather`, with windows as inputs.
        weather: What it was called with.

    Returns:
        Bars with `loss` (squared error) and `mae`, in the target's unit.
    """
    bars = cached_bars(
        f"forecast-{_hash_task(splits, weather)}",
        lambda: [persistence_bar(splits, weather), ridge_bar(splits)],
        "Solving the ridge regression of this split (once, then cached)",
    )
    if splits.test.best_possible is not None:
        bars = [floor_bar("the generator itself", splits, FORECAST), *bars]
    return bars


def persistence_bar(splits: Splits, weather: WeatherConfig) -> Bar:
    """Score the value a whole number of days before the target.

    At 24 hours ahead that is the last value read; at 12 hours ahead the value 12
    hours before that, if the window reaches back so far, and else the last one.
    """
    delay = weather.delay * weather.sampling
    day = round(DAY / splits.facts["interval"])
    age = math.ceil(delay / day) * day - delay  # rows before the last one read
    if age > (weather.lookback - 1) * weather.sampling:
        age, name = 0, "last value read"
    else:
        hours = (delay + age) * splits.facts["interval"] / 3600
        name = f"value of {hours:g} hours ago"
    column = splits.facts["columns"].index(weather.target)

    def predict(part: Examples) -> np.ndarray:
        windows = part.inputs
        rows = windows.starts + (weather.lookback - 1) * weather.sampling - age
        values = windows.series[rows, column].astype(np.float64)
        return values * splits.scale.spread + splits.scale.mean

    return make_bar(name, splits, predict, FORECAST)


def ridge_bar(splits: Splits) -> Bar:
    """Score a linear model of every number in the window.

    The weights w minimise |X w - y|^2 + penalty |w|^2 over the training windows,
    which is solved by w = (X'X + penalty I)^-1 X'y, with inputs and targets centred
    so that the intercept goes free. X'X and X'y are summed over chunks of windows:
    memory does not grow with their number. The penalty is the one with the least
    absolute error on the validation windows.
    """
    from scipy.linalg import solve

    windows = splits.train.inputs
    chosen = np.unique(
        np.linspace(0, len(windows) - 1, min(len(windows), MAX_WINDOWS), dtype=np.int64)
    )
    targets = splits.train.targets[chosen].astype(np.float64)
    products, sums, matches = 0.0, 0.0, 0.0
    mean_target = targets.mean()
    for piece, rows in _cut_flat(windows, chosen):
        products += (piece.T @ piece).astype(np.float64)
        sums += piece.sum(axis=0, dtype=np.float64)
        matches += piece.T.astype(np.float64) @ (targets[rows] - mean_target)
    mean = sums / len(chosen)
    products -= len(chosen) * np.outer(mean, mean)
    size = len(mean)
    solutions = np.column_stack(
        [
            solve(products + penalty * np.eye(size), matches, assume_a="pos")
            for penalty in PENALTIES
        ]
    )

    def predict_all(part: Examples) -> np.ndarray:
        rows = np.arange(len(part))
        pieces = [
            (piece.astype(np.float64) - mean) @ solutions
            for piece, _ in _cut_flat(part.inputs, rows)
        ]
        return np.concatenate(pieces) + mean_target

    validation = predict_all(splits.validation)
    errors = np.abs(validation - splits.validation.targets[:, None]).mean(axis=0)
    best = int(errors.argmin())
    return make_bar(
        "ridge regression on the window",
        splits,
        lambda part: predict_all(part)[:, best],
        FORECAST,
    )


def _cut_flat(
    windows: Windows, chosen: np.ndarray
) -> Iterator[tuple[np.ndarray, slice]]:
    """Yield chunks of windows in time order, float32 (chunk, steps * features)."""
    forward = replace(windows, reverse=False)
    for first in range(0, len(chosen), CHUNK):
        rows = slice(first, first + CHUNK)
        piece = forward.cut(chosen[rows])
        yield piece.reshape(len(piece), -1), rows


def _hash_task(splits: Splits, weather: WeatherConfig) -> str:
    """Return a hash of all that the bars depend on."""
    settings = (BAR_FORMAT, PENALTIES, MAX_WINDOWS, weather.target, weather.delay)
    windows = splits.train.inputs
    digest = hashlib.sha256(f"{settings} {windows.steps} {windows.sampling}".encode())
    digest.update(np.ascontiguousarray(windows.series))
    for part in (splits.train, splits.validation, splits.test):
        digest.update(part.inputs.starts)
        digest.update(part.targets)
    return digest.hexdigest()[:16]
