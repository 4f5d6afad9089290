"""A forecast and what it leans on, as the page of `make explain` and `make try`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.inference.explain.page import PageContent
from shared.inference.explain.windows import WindowExplanation
from shared.plots.forecast_figure import FEWEST

if TYPE_CHECKING:
    from shared.inference.series_result import SeriesForecast

HINT = (
    "Blue steps raise the forecast, orange ones lower it, compared with a window that "
    "repeats its latest step. A dotted line marks steps without a measured value."
)
WITH_FORECAST = (
    "A forecast is bold: point at one, and the colours are those of its step."
)
WITHOUT_FORECAST = "The colours are those of 1 step ahead."
MOST_ROWS = 8  # columns that a panel shows, those that add most


@dataclass(frozen=True)
class Steps:
    """The steps that the page shows: measured ones, and those that are forecast.

    Attributes:
        labels: Of each step, first the measured ones.
        columns: Column -> float64, (num_measured,), in its unit.
        is_measured: bool, (num_measured,).
        forecasts: Target -> float64, (num_ahead,). Empty: no forecast is shown.
        intervals: Target -> level -> lower and upper ends, each (num_ahead,).
    """

    labels: list[str]
    columns: dict[str, np.ndarray]
    is_measured: np.ndarray
    forecasts: dict[str, np.ndarray]
    intervals: dict[str, dict[float, tuple[np.ndarray, np.ndarray]]] = field(
        default_factory=dict
    )

    @property
    def num_measured(self) -> int:
        """Steps before the forecast."""
        return len(self.is_measured)

    @property
    def main(self) -> str:
        """Column whose values stand for the steps."""
        return next(iter(self.forecasts or self.columns))

    def describe_forecast(self) -> str:
        """Return the forecast of the first target, in a sentence."""
        values = [_format(value) for value in self.forecasts[self.main]]
        first = self.labels[self.num_measured]
        if len(values) == 1:
            return f"The forecast of {self.main} for {first} is {values[0]}."
        shown = ", ".join(values)
        if len(values) > 6:
            shown = f"{', '.join(values[:3])}, ..., {values[-1]}"
        return f"The next {len(values)} steps of {self.main}, from {first}: {shown}."


def take_steps(found: SeriesForecast, lookback: int) -> Steps:
    """Return the steps of the first series of a forecast.

    Args:
        found: The forecast.
        lookback: Steps that the network reads. The page shows at least these.
    """
    series, layout = found.series[0], found.layout
    stop = series.num_observed
    part = slice(max(0, stop - max(lookback, FEWEST)), stop)
    times = np.concatenate([series.times[part], found.times[series.name]])
    median = found.median(series.name)
    return Steps(
        labels=_write_times(times),
        columns={name: series.values[name][part] for name in layout.columns},
        is_measured=series.is_measured[part],
        forecasts={name: median[:, k] for k, name in enumerate(layout.target)},
        intervals={
            name: {
                level: (low[:, k], high[:, k])
                for level, (low, high) in found.intervals[series.name].items()
            }
            for k, name in enumerate(layout.target)
        },
    )


def describe_steps(
    steps: Steps,
    leaning: WindowExplanation | None,
    answer: str,
    remarks: Sequence[str],
) -> PageContent:
    """Return the page of a forecast.

    Args:
        steps: What was measured, and is forecast.
        leaning: What the forecast leans on; None: not yet computed. Its window ends at
            the last measured step.
        answer: The result, in a sentence.
        remarks: What the reader should know.
    """
    count = len(steps.labels)
    groups: list[dict[str, Any]] = []
    charts = [_draw_target(steps, name) for name in steps.forecasts or [steps.main]]
    if leaning is not None:
        shift = steps.num_measured - leaning.by_step.shape[1]
        largest = float(np.abs(leaning.by_step).max()) or 1.0
        for ahead, values in zip(leaning.ahead, leaning.by_step, strict=True):
            total = _pad(values.sum(axis=1), shift, count)
            most = float(np.nanmax(np.abs(total))) or 1.0
            groups.append(
                {
                    "word": min(steps.num_measured + ahead - 1, count - 1),
                    "shares": [0.0 if np.isnan(one) else round(one / most, 4)
                               for one in total],
                }
            )  # fmt: skip
            charts.append(_draw_leaning(leaning, ahead, values, shift, count, largest))
    shares = groups[0]["shares"] if groups else [0.0] * count
    words = [
        _describe_step(steps, k) | {"share": shares[k]} for k in range(count)
    ]  # fmt: skip
    hint = f"{HINT} {WITH_FORECAST if steps.forecasts else WITHOUT_FORECAST}"
    cursor = min(steps.num_measured, count - 1)
    return PageContent(
        answer, list(remarks), words, charts, True, hint=hint, by_ahead=groups,
        cursor=cursor,
    )  # fmt: skip


def _describe_step(steps: Steps, k: int) -> dict[str, Any]:
    """Return the word of a step: its value, and the facts below the text."""
    label, ahead = steps.labels[k], k - steps.num_measured
    if ahead < 0:
        value = _format(steps.columns[steps.main][k])
        facts = [
            [name, _format(values[k])]
            for name, values in steps.columns.items()
            if name != steps.main
        ]
        known = bool(steps.is_measured[k])
        if not known:
            facts.append(["measured", "no; the last known value is read"])
        return {"text": value, "known": known, "facts": [[label, value], *facts]}
    value = _format(steps.forecasts[steps.main][ahead])
    facts = []
    for name, values in steps.forecasts.items():
        facts.append([f"forecast of {name}", _format(values[ahead])])
        for level, (low, high) in steps.intervals.get(name, {}).items():
            ends = f"{_format(low[ahead])} to {_format(high[ahead])}"
            facts.append([f"{level:.0%} interval", ends])
    unit = "step" if ahead == 0 else "steps"
    first = [label, f"{ahead + 1} {unit} ahead"]
    return {"text": value, "known": True, "ahead": True, "facts": [first, *facts]}


def _draw_target(steps: Steps, name: str) -> dict[str, Any]:
    """Return the curve of a target with its forecast and its intervals."""
    count, first = len(steps.labels), steps.num_measured
    measured = np.where(steps.is_measured, steps.columns[name], np.nan)
    curves = [{"name": "measured", "values": _round(_pad(measured, 0, count))}]
    bands = []
    if name in steps.forecasts:
        forecast = _round(_pad(steps.forecasts[name], first, count))
        curves.append({"name": "forecast", "values": forecast, "joins": True})
        ordered = sorted(steps.intervals.get(name, {}).items(), reverse=True)
        bands = [
            {
                "name": f"{level:.0%} interval",
                "low": _round(_pad(low, first, count)),
                "high": _round(_pad(high, first, count)),
            }
            for level, (low, high) in ordered
        ]
    return {
        "title": name, "kind": "lines", "curves": curves, "bands": bands,
        "zoomed": True, "ends": [steps.labels[0], steps.labels[-1]],
    }  # fmt: skip


def _draw_leaning(
    leaning: WindowExplanation,
    ahead: int,
    values: np.ndarray,
    shift: int,
    count: int,
    largest: float,
) -> dict[str, Any]:
    """Return the panel of what a step ahead leans on: a row for each column."""
    weights = np.abs(values).sum(axis=0)
    shown = sorted(np.argsort(-weights, kind="stable")[:MOST_ROWS])
    rows = [
        {
            "name": leaning.columns[j],
            "values": _round(_pad(values[:, j], shift, count)),
        }
        for j in shown
    ]
    unit = "step" if ahead == 1 else "steps"
    left_out = len(leaning.columns) - len(rows)
    more = f" (without {left_out} columns that add least)" if left_out else ""
    return {
        "title": f"{ahead} {unit} ahead: what each step and column adds{more}",
        "kind": "heat",
        "curves": rows,
        "largest": largest,
    }


def _pad(values: np.ndarray, first: int, count: int) -> np.ndarray:
    """Return values from a step on; NaN before and after them."""
    padded = np.full(count, np.nan)
    padded[first : first + len(values)] = values
    return padded


def _round(values: np.ndarray) -> list[float | None]:
    """Return numbers for JSON; None for NaN."""
    return [float(f"{one:.5g}") if np.isfinite(one) else None for one in values]


def _format(value: float) -> str:
    return f"{value:.5g}" if abs(value) < 1e5 else f"{value:,.0f}"


def _write_times(times: np.ndarray) -> list[str]:
    """Return times; without a clock or its seconds where none has them."""
    labels = [str(one).replace("T", " ") for one in times.astype("datetime64[s]")]
    for end in (":00", " 00:00"):
        if all(label.endswith(end) for label in labels):
            labels = [label.removesuffix(end) for label in labels]
    return labels
