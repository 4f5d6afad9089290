"""The picture of a forecast beyond the end of a series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from shared.plots.curves import (
    COLOURS,
    add_legend,
    add_title,
    make_panels,
    plain_text,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_PANELS = 6
PAST = 4  # horizons of history that a panel shows


@dataclass(frozen=True)
class ForecastPanel:
    """One series or target.

    Attributes:
        title: Of the panel; may be empty.
        past_times: datetime64, or numbers of samples, (num_past,).
        past: (num_past,): what was measured; NaN where it was not.
        times: datetime64, (horizon,).
        forecast: (horizon,).
        intervals: Level -> lower and upper ends, each (horizon,).
        quantity: Label of the axis.
        best: (horizon,): the best possible forecast; None if it is not known.
        across: Label of the axis of times; empty for dates.
    """

    title: str
    past_times: np.ndarray
    past: np.ndarray
    times: np.ndarray
    forecast: np.ndarray
    intervals: dict[float, tuple[np.ndarray, np.ndarray]]
    quantity: str
    best: np.ndarray | None = None
    across: str = ""


def draw_forecast_beyond(panels: Sequence[ForecastPanel], title: str) -> Figure:
    """Draw history, forecast and intervals; at most six panels.

    Args:
        panels: At least one.
        title: Of the figure.
    """
    shown = panels[:MOST_PANELS]
    figure, axes = make_panels(len(shown), 2)
    for row, panel in zip(axes, shown, strict=True):
        row[1].remove()
        axis = row[0]
        axis.set_subplotspec(row[0].get_gridspec()[list(axes[:, 0]).index(axis), :])
        axis.plot(panel.past_times, panel.past, color="black", lw=1.2, label="measured")
        start = np.flatnonzero(np.isfinite(panel.past))
        times, forecast = panel.times, panel.forecast
        for level, (lower, upper) in sorted(panel.intervals.items(), reverse=True):
            axis.fill_between(
                times, lower, upper, color=COLOURS[1], lw=0,
                alpha=0.35 if level < 0.9 else 0.18, label=f"{level:.0%} interval",
            )  # fmt: skip
        if len(start):  # no hole between the last value and the forecast
            times = np.concatenate([panel.past_times[start[-1] :][:1], times])
            forecast = np.concatenate([panel.past[start[-1] :][:1], forecast])
        mark = "o" if len(panel.times) == 1 else None  # else its interval is a point
        axis.plot(times, forecast, color=COLOURS[1], lw=1.6, label="forecast")
        if mark:
            axis.plot(panel.times, panel.forecast, mark, color=COLOURS[1], ms=4)
            for level, (lower, upper) in panel.intervals.items():
                axis.vlines(panel.times, lower, upper, color=COLOURS[1],
                            lw=5 if level < 0.9 else 2, alpha=0.5)  # fmt: skip
        axis.set_ylabel(plain_text(panel.quantity))
        axis.tick_params(axis="x", labelrotation=25, labelsize=8)
        axis.grid(alpha=0.25)
        if panel.title:
            axis.set_title(plain_text(panel.title), fontsize=9)
        add_legend(axis)
    add_title(figure, title)
    return figure
