"""Bars of a forecast: the same time yesterday, and a linear model of the window."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from shared.baselines.bars import FORECAST, Bar, cached_bars, floor_bar, make_bar
from shared.data.splits import Examples
from shared.data.weather import WeatherConfig, WeatherSplits
from shared.data.windows import Windows

BAR_FORMAT = 2
DAY = 86_400  # seconds
MAX_WINDOWS = 50_000  # that ridge is fitted to; neighbours are nearly the same
PENALTIES = (1e1, 1e2, 1e3, 1e4, 1e5)  # on weights of standardised inputs
MAX_NUMBERS = 4_000  # that ridge reads of a window
CHUNK = 2_000  # windows cut at a time


def forecast_bars(splits: WeatherSplits, weather: WeatherConfig) -> list[Bar]:
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


def persistence_bar(splits: WeatherSplits, weather: WeatherConfig) -> Bar:
    """Score the value a whole number of days before the target.

    At 24 hours ahead that is the last value read; at 12 hours ahead the value 12
    hours before that, if the window reaches back so far, and else the last one.
    """
    delay = weather.delay * weather.sampling
    day = max(1, round(DAY / splits.facts["interval"]))
    age = math.ceil(delay / day) * day - delay  # rows before the last one read
    if age > (weather.lookback - 1) * weather.sampling:
        age, name = 0, "last value read"
    else:
        hours = (delay + age) * splits.facts["interval"] / 3600
        name = f"value of {hours:g} hours ago"

    def predict(part: Examples) -> np.ndarray:
        rows = part.inputs.starts + (weather.lookback - 1) * weather.sampling - age
        return splits.target[rows]

    return make_bar(name, splits, predict, FORECAST)


def ridge_bar(splits: WeatherSplits) -> Bar:
    """Score a linear model of every number in the window.

    The weights w minimise |X w - y|^2 + penalty |w|^2 over the training windows,
    which is solved by w = (X'X + penalty I)^-1 X'y, with inputs and targets centred
    so that the intercept goes free. X'X and X'y are summed over chunks of windows:
    memory does not grow with their number. It does grow with the square of the numbers
    in a window, so of more than 4,000 only every second, third, ... step is read,
    counted back from the last. The penalty is the one with the least absolute error
    on the validation windows.
    """
    from scipy.linalg import solve

    windows = splits.train.inputs
    thinning = math.ceil(windows.steps * windows.shape[2] / MAX_NUMBERS)
    chosen = np.unique(
        np.linspace(0, len(windows) - 1, min(len(windows), MAX_WINDOWS), dtype=np.int64)
    )
    targets = splits.train.targets[chosen].astype(np.float64)
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

    validation = predict_all(splits.validation)
    errors = np.abs(validation - splits.validation.targets[:, None]).mean(axis=0)
    best = int(errors.argmin())
    thinned = f", every {thinning} steps" if thinning > 1 else ""
    return make_bar(
        f"ridge regression on the window{thinned}",
        splits,
        lambda part: predict_all(part)[:, best],
        FORECAST,
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


def _hash_task(splits: WeatherSplits, weather: WeatherConfig) -> str:
    """Return a hash of all that the bars depend on."""
    settings = (BAR_FORMAT, PENALTIES, MAX_WINDOWS, weather.target, weather.delay)
    windows = splits.train.inputs
    digest = hashlib.sha256(f"{settings} {windows.steps} {windows.sampling}".encode())
    digest.update(np.ascontiguousarray(windows.series))
    for part in (splits.train, splits.validation, splits.test):
        digest.update(part.inputs.starts)
        digest.update(part.targets)
    return digest.hexdigest()[:16]
