"""The picture of a forecast beyond the end of a series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.ticker import MaxNLocator

from shared.plots.baseline_lines import BEST_ACHIEVABLE_COLOUR
from shared.plots.panels import (
    COLOURS,
    add_legend,
    add_title,
    finish_panel,
    make_panels,
    plain_text,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_PANELS = 6
PAST, FEWEST = 4, 40  # horizons of history that a panel shows, and at least steps


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


def draw_forecast_beyond(
    panels: Sequence[ForecastPanel], title: str, colour: str = COLOURS[1]
) -> Figure:
    """Draw history, forecast and intervals; at most six panels.

    Args:
        panels: At least one.
        colour: Of the forecast, that of its recipe.
        title: Of the figure. It also says how many panels are left out.
    """
    shown = panels[:MOST_PANELS]
    figure, axes = make_panels(len(shown), 2)
    for row, panel in zip(axes, shown, strict=True):
        row[1].remove()
        axis = row[0]
        axis.set_subplotspec(row[0].get_gridspec()[list(axes[:, 0]).index(axis), :])
        _draw_panel(axis, panel, colour)
    if len(shown) < len(panels):
        title += f" (the first {len(shown)} of {len(panels)})"
    add_title(figure, title)
    return figure


def _draw_panel(axis: Axes, panel: ForecastPanel, colour: str) -> None:
    axis.plot(panel.past_times, panel.past, color="black", lw=1.2, label="measured")
    known = np.flatnonzero(np.isfinite(panel.past))[-1:]
    # The line starts at the last value, so that no hole is before the forecast.
    times = np.concatenate([panel.past_times[known], panel.times])
    forecast = np.concatenate([panel.past[known], panel.forecast])
    axis.plot(times, forecast, color=colour, lw=1.6, label="forecast")
    if panel.best is not None:
        axis.plot(panel.times, panel.best, "--", color=BEST_ACHIEVABLE_COLOUR, lw=1.4,
                  marker="x" if len(panel.times) == 1 else None,
                  label="best possible forecast")  # fmt: skip
    for level, (lower, upper) in sorted(panel.intervals.items()):
        style = {"color": colour, "lw": 0, "label": f"{level:.0%} interval"}
        alpha = 0.35 if level < 0.9 else 0.18
        axis.fill_between(panel.times, lower, upper, alpha=alpha, **style)
    if len(panel.times) == 1:  # a band over one time cannot be seen
        axis.plot(panel.times, panel.forecast, "o", color=colour, ms=4)
        for level, (lower, upper) in panel.intervals.items():
            axis.vlines(panel.times, lower, upper, color=colour,
                        lw=5 if level < 0.9 else 2, alpha=0.5)  # fmt: skip
    finish_panel(axis, panel.title, panel.across)
    axis.margins(x=0.01)
    axis.set_ylabel(plain_text(panel.quantity))
    if panel.across:
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    else:
        locator = AutoDateLocator()
        axis.xaxis.set_major_locator(locator)
        axis.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    add_legend(axis)
