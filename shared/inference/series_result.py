"""The forecast of a series run: its table and its picture."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from shared.data.series.filling import FilledSeries
from shared.data.series.layout import Layout
from shared.inference.intervals import list_ends, round_number
from shared.plots.forecast_figure import FEWEST, PAST, ForecastPanel


@dataclass
class SeriesForecast:
    """Forecasts of the steps after the last measured one.

    Attributes:
        layout: Of the run.
        series: What was read, one after the other.
        times: Series -> datetime64[s], (horizon,).
        values: Series -> float64, (horizon, num_targets, num_quantiles or 1), in the
            units of the table.
        intervals: Series -> level -> lower and upper ends, each (horizon, num_targets).
        source: Which rows were read, in words.
        remarks: What the user should know, each in one sentence.
    """

    layout: Layout
    series: list[FilledSeries]
    times: dict[str, np.ndarray] = field(default_factory=dict)
    values: dict[str, np.ndarray] = field(default_factory=dict)
    intervals: dict[str, dict[float, tuple[np.ndarray, np.ndarray]]] = field(
        default_factory=dict
    )
    source: str = ""
    remarks: list[str] = field(default_factory=list)

    def median(self, name: str) -> np.ndarray:
        """Return the forecast of a series, float64, (horizon, num_targets)."""
        quantiles = self.layout.quantiles
        return self.values[name][..., quantiles.index(0.5) if quantiles else 0]

    def to_rows(self) -> list[dict[str, Any]]:
        """Return a row for each series, step and target."""
        several = len(self.series) > 1 or bool(self.series[0].name)
        rows = []
        for one in self.series:
            first = {"series": one.name} if several else {}
            for step, time in enumerate(self.times[one.name]):
                for k, target in enumerate(self.layout.target):
                    row = first | {"time": str(time).replace("T", " ")}
                    if len(self.layout.target) > 1:
                        row["target"] = target
                    rows.append(row | self._list_values(one.name, step, k))
        return rows

    def to_panels(self) -> list[ForecastPanel]:
        """Return what the picture shows: a panel for each series and target."""
        panels = []
        for one in self.series:
            shown = max(PAST * self.layout.horizon, FEWEST)
            part = slice(max(0, one.num_observed - shown), one.num_observed)
            ends = self.intervals[one.name]
            for k, target in enumerate(self.layout.target):
                past = np.where(one.is_measured[part], one.values[target][part], np.nan)
                panels.append(
                    ForecastPanel(
                        title=one.name,
                        past_times=one.times[part],
                        past=past,
                        times=self.times[one.name],
                        forecast=self.median(one.name)[:, k],
                        intervals={
                            level: (lower[:, k], upper[:, k])
                            for level, (lower, upper) in ends.items()
                        },
                        quantity=target,
                    )
                )
        return panels

    def _list_values(self, name: str, step: int, k: int) -> dict[str, Any]:
        """Return forecast, quantiles and ends of intervals of a step and target."""
        row: dict[str, Any] = {"forecast": round_number(self.median(name)[step, k])}
        for q, level in enumerate(self.layout.quantiles):
            row[f"quantile_{level:g}"] = round_number(self.values[name][step, k, q])
        return row | list_ends(self.intervals[name], (step, k))
