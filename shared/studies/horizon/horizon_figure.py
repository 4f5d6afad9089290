"""The picture of the memory horizon: the longest lag that each seed solved."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.studies.horizon.chains import RULES, SETTINGS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Bar:
    """One row of the picture.

    Attributes:
        task: Key of `RULES`.
        cell: Name of the recurrent layer, such as `gru`.
        label: The cell and what differs.
        longest: Longest lag that each seed solved, 0 if none.
    """

    task: str
    cell: str
    label: str
    longest: Sequence[int]


def draw_bars(bars: Sequence[Bar], lags: Sequence[int], updates: int) -> Figure:
    """Draw the longest lag that each seed solved: a panel per task, a row per bar.

    Args:
        bars: At least one.
        lags: All requested lags, tried or not.
        updates: Most updates of a training.
    """
    from shared.plots.panels import add_title, make_panels

    tried = {bar.task for bar in bars}
    rules = [rule for rule in RULES.values() if rule.name in tried]
    figure, axes = make_panels(1, len(rules))
    for axis, rule in zip(axes[0], rules, strict=True):
        _draw_task(axis, [bar for bar in bars if bar.task == rule.name], lags)
        axis.set_title(f"{rule.name}: {rule.solved_in_words}", fontsize=9)
    add_title(
        figure,
        f"How far back each cell remembers after at most {updates:,} updates of "
        f"{SETTINGS['batch_size']} sequences (dots: seeds, bar: range, line: median)",
    )
    return figure


def _draw_task(axis: Axes, bars: Sequence[Bar], lags: Sequence[int]) -> None:
    from matplotlib.ticker import NullLocator

    from shared.plots.colours import recipe_colour
    from shared.plots.panels import hide_frame

    none = min(lags) / 2
    for place, bar in enumerate(bars):
        solved = [lag or none for lag in bar.longest]
        colour = recipe_colour(f"memory-{bar.cell}")
        axis.plot(
            [min(solved), max(solved)], [place, place], color=colour, alpha=0.35,
            lw=6, solid_capstyle="round",
        )  # fmt: skip
        # Seeds are next to each other, so that equal ones stay visible.
        shifts = [0.16 * (k - (len(solved) - 1) / 2) for k in range(len(solved))]
        axis.plot(solved, [place + s for s in shifts], "o", ms=5, color=colour)
        axis.plot(statistics.median(solved), place, "|", ms=20, color="black")
    axis.set_xscale("log")
    axis.set_xticks([none, *sorted(lags)], ["none", *map(str, sorted(lags))])
    axis.xaxis.set_minor_locator(NullLocator())
    axis.set_xlim(none * 0.8, max(lags) * 1.25)
    axis.set_yticks(range(len(bars)), [bar.label for bar in bars], size=8)
    axis.set_ylim(len(bars) - 0.5, -0.5)
    axis.set_xlabel("longest lag solved (steps)")
    axis.grid(alpha=0.25, axis="x")
    hide_frame(axis)
