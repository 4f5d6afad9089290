"""AutoETS and AutoTheta of the package statsforecast as baselines of a series.

They are optional: `pip install -r requirements-statistics.txt`. Each forecasts one
target of one series. It is fitted once, on the training part of that series. Then it
forecasts every validation and test window: its parameters stay, and its state follows
the values up to the window. Like the network, it reads the last known value where one
is missing. It reads no other column.

AutoETS takes no season above 24 steps. It then forecasts without a season. The
intervals are those of the models: normal ones around AutoETS, quantiles of simulated
paths of AutoTheta. They are not calibrated.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import numpy as np

from shared.baselines.baseline import Baseline, cached_baselines, make_baseline
from shared.core.text import shorten
from shared.data.series.dataset import SeriesSplits
from shared.data.splits import Examples
from shared.tasks.conformal import LEVELS, find_ends

PACKAGE = "statsforecast"
MODELS = ("AutoETS", "AutoTheta")
PARTS = ("validation", "test")
STATISTICAL_FORMAT = 1
LONGEST_SEASON = 24  # of AutoETS
MOST_SECONDS = 20
"""Models whose estimated time goes beyond it are left out (`estimate_seconds`)."""
SMALLEST = 1e-6
"""Share of the largest value below which a value is 0. A scale may have rounded it, and
both models try products of trend and season where no value is 0."""

Named = dict[float, np.ndarray]
"""Quantile -> forecasts of all windows of a part; 0.5 is the forecast itself."""


class _NoForecastError(Exception):
    """A model cannot forecast a series. The message says why."""


@dataclass(frozen=True)
class _Target:
    """One target of one series: what one model is fitted to.

    Attributes:
        name: Of the series and the target, for messages.
        values: float64, (num_rows,), in the unit of the table, from the first row of
            the training part on.
        num_train: Rows of the training part.
        first: Row of `SeriesSplits.values` of the first value.
        column: Position among the targets.
        centre: A forecast x of the table is (x - centre) / scale.
        scale: See `centre`.
    """

    name: str
    values: np.ndarray
    num_train: int
    first: int
    column: int
    centre: float
    scale: float


def statistical_baselines(data: SeriesSplits, key: str) -> list[Baseline]:
    """Return AutoETS and AutoTheta on the windows of a series.

    The list is empty without the package. A model is left out if it cannot forecast
    every series, or if it would take too long. A line says so.

    Args:
        data: From `load_series`.
        key: A hash of the windows and values.
    """
    version = find_version()
    if version is None:
        print(
            f"Baselines that are not installed: {', '.join(MODELS)} (pip install -r "
            "requirements-statistics.txt)"
        )
        return []
    baselines: list[Baseline] = []
    left = float(MOST_SECONDS)
    for name in MODELS:
        seconds = estimate_seconds(name, data)
        if seconds > left:
            print(
                f"{name} is left out: it would take about {seconds:,.0f} s, and such "
                f"models get {MOST_SECONDS} s in all. A larger --test-stride helps."
            )
            continue
        left -= seconds
        try:
            baselines += cached_baselines(
                f"{name}-{STATISTICAL_FORMAT}-{version}-{key}",
                lambda name=name: [_make_baseline(name, data)],
                f"Fitting {name} to every series (once, then cached)",
            )
        except _NoForecastError as error:
            print(f"{name} is left out: {error}")
    return baselines


def find_version() -> str | None:
    """Return the version of statsforecast; None if it is not installed."""
    try:
        return metadata.version(PACKAGE)
    except metadata.PackageNotFoundError:
        return None


def estimate_seconds(name: str, data: SeriesSplits) -> float:
    """Return about how long a model takes on one core, rather too long than too short.

    Measured with statsforecast 2.1.1 on 100 to 14,000 rows, without the import of the
    package. AutoETS follows all rows before a forecast. AutoTheta sums over all of them
    at each of them.

    Args:
        name: One of `MODELS`.
        data: From `load_series`.
    """
    num_train = np.array([one.num_train for one in _list_targets(data)], np.float64)
    rows = {part: _count_rows(getattr(data, part), data) for part in PARTS}
    with_ends = len(data.test) + bool(data.layout.quantiles) * len(data.validation)
    every = np.concatenate([*rows.values()]).astype(np.float64)
    horizon = data.layout.horizon
    if name == "AutoTheta":
        fits = 0.02 * len(num_train) + 4e-7 * (num_train**2).sum()
        forecasts = (3e-3 + 1.5e-9 * every**2).sum() + 1e-4 * horizon * with_ends
    else:
        is_seasonal = 1 < data.layout.season <= LONGEST_SEASON
        fits = (1.1e-3 if is_seasonal else 1.5e-4) * num_train.sum()
        ends = 2e-3 + (1.5e-4 * horizon if is_seasonal else 0)
        forecasts = (3e-4 + 1e-7 * every).sum() + ends * with_ends
    return float(fits + forecasts * len(data.layout.target))


def _make_baseline(name: str, data: SeriesSplits) -> Baseline:
    forecasts = _forecast(name, data)

    def predict(part: Examples) -> np.ndarray:
        named = forecasts["validation" if part is data.validation else "test"]
        if not data.layout.quantiles:
            return named[0.5]
        return np.stack([named[q] for q in data.layout.quantiles], axis=-1)

    ends = [[forecasts["test"][q] for q in find_ends(level)] for level in LEVELS]
    return dataclasses.replace(
        make_baseline(name, data, predict), intervals=np.array(ends, np.float32)
    )


def _forecast(name: str, data: SeriesSplits) -> dict[str, Named]:
    """Return the forecasts of a model in the unit of the network's, for both parts."""
    own = [0.5, *data.layout.quantiles]
    wanted = {
        "validation": own,
        "test": [*own, *(q for level in LEVELS for q in find_ends(level))],
    }
    forecasts: dict[str, Named] = {}
    for part in PARTS:
        shape = (len(getattr(data, part)), *data.train.targets.shape[1:])
        forecasts[part] = {q: np.full(shape, np.nan) for q in wanted[part]}
    for target in _list_targets(data):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model = _fit(name, target, data.layout.season)
                for part in PARTS:
                    for row, found in _follow(
                        model, target, getattr(data, part), wanted[part], data
                    ):
                        for quantile, values in found.items():
                            place = forecasts[part][quantile][row]
                            place.reshape(len(values), -1)[:, target.column] = values
        except Exception as error:  # whatever the package raises
            reason = shorten(f"{type(error).__name__}: {error}".replace("\n", " "))
            raise _NoForecastError(f"{target.name}: {reason}") from error
    return forecasts


def _fit(name: str, target: _Target, season: int) -> Any:
    from statsforecast import models

    if name == "AutoETS" and season > LONGEST_SEASON:
        season = 1
    model = getattr(models, name)(season_length=season)
    return model.fit(target.values[: target.num_train])


def _follow(
    model: Any,
    target: _Target,
    part: Examples,
    quantiles: Sequence[float],
    data: SeriesSplits,
) -> Iterator[tuple[int, Named]]:
    """Yield window and forecasts, (horizon,), of all windows of one series."""
    sides = {q: _name_side(q) for q in quantiles if q != 0.5}
    levels = sorted({level for _, level in sides.values()}) or None
    last = part.inputs.last - target.first
    inside = (last >= 0) & (last < len(target.values))
    for row in np.flatnonzero(inside):
        found = model.forward(
            target.values[: last[row] + 1], h=data.layout.horizon, level=levels
        )
        named = {q: found[f"{side}-{level}"] for q, (side, level) in sides.items()}
        named[0.5] = found["mean"]
        if not all(np.isfinite(values).all() for values in named.values()):
            raise ValueError("a forecast is not finite")
        yield int(row), {q: (v - target.centre) / target.scale
                         for q, v in named.items()}  # fmt: skip


def _name_side(quantile: float) -> tuple[str, float]:
    """Return which end of an interval a quantile is, and the percent of its level."""
    return "lo" if quantile < 0.5 else "hi", round(abs(200 * quantile - 100), 6)


def _list_targets(data: SeriesSplits) -> list[_Target]:
    """Return the values of every target of every series that has windows.

    A held-out series has no training windows. All rows before its first forecast are
    then its training part.
    """
    layout = data.layout
    train = data.train.inputs
    starts = np.sort(train.starts)
    last = np.sort(np.concatenate([getattr(data, part).inputs.last for part in PARTS]))
    stops = [*data.first_rows[1:], len(data.values)]
    values = data.values.reshape(len(data.values), -1).astype(np.float64)
    targets = []
    for first, stop, one in zip(data.first_rows, stops, data.latest, strict=True):
        taught, ahead = (_cut(rows, first, stop) for rows in (starts, last))
        if len(taught):
            begin, end = taught[0], taught[-1] + train.steps + train.horizon
        elif len(ahead):
            begin, end = first, ahead[0] + 1
        else:
            continue
        scales = layout.find_scales(one)
        for column, name in enumerate(layout.target):
            centre, scale = (0.0, 1.0) if layout.is_single else scales[name]
            own = values[begin:stop, column] * scale + centre
            own[np.abs(own) < SMALLEST * np.abs(own).max()] = 0
            whose = f"{shorten(name, 60)!r}" + (
                f" of series {shorten(one.name, 60)!r}" if one.name else ""
            )
            targets.append(
                _Target(whose, own, int(end - begin), int(begin), column, centre, scale)
            )
    return targets


def _cut(rows: np.ndarray, first: int, stop: int) -> np.ndarray:
    """Return the part of sorted rows that lies in a series."""
    return rows[slice(*np.searchsorted(rows, [first, stop]))]


def _count_rows(part: Examples, data: SeriesSplits) -> np.ndarray:
    """Return how many rows of its series lie before each forecast."""
    last = part.inputs.last
    first = data.first_rows[np.searchsorted(data.first_rows, last, "right") - 1]
    return last - first + 1
