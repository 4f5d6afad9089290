"""What turns a table of series into the inputs of a network, and its outputs back.

A run keeps its layout. So a saved model reads a newer table as it read the first one.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from shared.data.series.calendar import compute_cycles, list_columns
from shared.data.series.filling import FilledSeries
from shared.data.series.frequency import Frequency

Scale = tuple[float, float]
"""Centre and scale: a number x becomes (x - centre) / scale."""


@dataclass(frozen=True)
class Layout:
    """How columns become the features of a step, and outputs become forecasts.

    The features of a step are the targets, the past inputs, the known columns and the
    cycles of the calendar, in this order. The known future of a step is the last two.

    Attributes:
        target: Columns to predict.
        inputs: Columns that are known up to the latest step.
        known: Columns that are known for the future too.
        cycles: Cycles of the calendar.
        lookback: Steps of a window.
        horizon: Steps of a forecast.
        season: Steps of a season; 1: none.
        frequency: Step of the series.
        scales: Series -> column -> scale of its features.
        outputs: Scale of each target, from features to forecasts. Where there are
            several targets or series, forecasts are in units of each one's seasonal
            naive error, and this is (0, 1).
        change: Typical change of each target within a horizon, in units of its feature.
        naive_error: Mean absolute error of repeating the last season in the training
            part, in the unit of the forecasts. MASE divides by it.
        ranges: Column -> smallest and largest value in the training part.
        quantiles: Probabilities that the network predicts; empty: one forecast.
        max_gap: Missing steps in a row that the last known value replaces.
    """

    target: tuple[str, ...]
    inputs: tuple[str, ...]
    known: tuple[str, ...]
    cycles: tuple[str, ...]
    lookback: int
    horizon: int
    season: int
    frequency: Frequency
    scales: dict[str, dict[str, Scale]]
    outputs: tuple[Scale, ...]
    change: tuple[float, ...]
    naive_error: float
    ranges: dict[str, tuple[float, float]]
    quantiles: tuple[float, ...] = ()
    max_gap: int = 0

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the table that the network reads."""
        return self.target + self.inputs + self.known

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the features of a step."""
        return (*self.columns, *list_columns(self.cycles))

    @property
    def num_known(self) -> int:
        """Features whose future is known: the last ones of a step."""
        return len(self.known) + 2 * len(self.cycles)

    @property
    def is_single(self) -> bool:
        """Whether there is one target of one series, forecast in its own unit."""
        return len(self.target) == 1 and len(self.scales) == 1

    def arrange(self, series: FilledSeries) -> np.ndarray:
        """Return the features of a series, float32, (num_steps, num_features).

        A series that was not in the training data is scaled by its own values.
        """
        scales = self.find_scales(series)
        columns = [
            (series.values[name] - scales[name][0]) / scales[name][1]
            for name in self.columns
        ]
        features = np.empty((len(series.times), len(self.features)), np.float32)
        for k, values in enumerate(columns):
            features[:, k] = values
        features[:, len(columns) :] = compute_cycles(series.times, self.cycles)
        return features

    def find_scales(self, series: FilledSeries) -> dict[str, Scale]:
        """Return the scale of each column of a series, also of one that is new."""
        if self.is_single:  # the file may call its only series by another name
            return next(iter(self.scales.values()))
        return self.scales.get(series.name) or measure_scales(
            series, series.num_observed, self.columns, self.target, self.season
        )

    def to_units(self, forecasts: np.ndarray, series: FilledSeries) -> np.ndarray:
        """Return forecasts in the units of the table.

        Args:
            forecasts: (num_windows, horizon, num_targets, ...), as the network gives
                them, with an axis for the targets even if there is one only.
            series: The series that is forecast.
        """
        if self.is_single:
            return forecasts
        shape = (1, 1, len(self.target)) + (1,) * (forecasts.ndim - 3)
        scales = self.find_scales(series)
        pairs = np.array([scales[column] for column in self.target])
        centre, scale = pairs[:, 0].reshape(shape), pairs[:, 1].reshape(shape)
        return forecasts * scale + centre

    def to_json(self) -> dict[str, Any]:
        """Return all fields, ready for JSON."""
        return dataclasses.asdict(self) | {"frequency": self.frequency.to_json()}

    @classmethod
    def from_json(cls, facts: dict[str, Any]) -> Layout:
        """Return the layout from the result of `to_json`.

        Raises:
            KeyError, TypeError, ValueError: If a field is missing or has another form.
        """
        values = {field.name: facts[field.name] for field in dataclasses.fields(cls)}
        for name in ("target", "inputs", "known", "cycles", "quantiles", "change"):
            values[name] = tuple(values[name])
        values["outputs"] = tuple((float(a), float(b)) for a, b in values["outputs"])
        values["frequency"] = Frequency.from_json(values["frequency"])
        values["scales"] = {
            series: {name: (float(a), float(b)) for name, (a, b) in columns.items()}
            for series, columns in values["scales"].items()
        }
        values["ranges"] = {
            name: (float(a), float(b)) for name, (a, b) in values["ranges"].items()
        }
        return cls(**values)


def measure_scales(
    series: FilledSeries,
    num_steps: int,
    columns: tuple[str, ...],
    seasonal: tuple[str, ...],
    season: int,
) -> dict[str, Scale]:
    """Return the scale of each column from the first steps of a series.

    Args:
        series: Without missing values.
        num_steps: Steps of its training part.
        columns: Columns that the network reads.
        seasonal: Columns whose unit is the seasonal naive error. The unit of the others
            is the standard deviation.
        season: Steps of a season.
    """
    scales = {}
    for name in columns:
        values = series.values[name][:num_steps]
        spread = float(values.std())
        if name in seasonal:
            spread = find_naive_error(values, season) or spread
        tiny = 1e-9 * float(np.abs(values).max(initial=0.0))
        scales[name] = (float(values.mean()), spread if spread > tiny else 1.0)
    return scales


def find_naive_error(values: np.ndarray, season: int) -> float:
    """Return the mean absolute change over a season; 0 for a shorter series.

    It is the error of the seasonal naive forecast within the training part, by which
    MASE divides (Hyndman and Koehler 2006).
    """
    if len(values) <= season:
        return 0.0
    return float(np.abs(values[season:] - values[:-season]).mean())
