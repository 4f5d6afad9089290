"""Errors of a back-test as a matplotlib figure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from shared.plots.baseline_lines import (
    BASELINE_STYLES,
    BEST_ACHIEVABLE_COLOUR,
    GREYS,
)
from shared.plots.panels import (
    COLOURS,
    add_legend,
    add_title,
    finish_panel,
    make_panels,
    make_room,
    wrap_label,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_TICKS = 8  # folds that are named below a panel


def draw_backtest(
    folds: Sequence[str],
    errors: Mapping[str, Sequence[float]],
    coverage: Mapping[float, Sequence[float]],
    network: str,
    best_achievable: Collection[str],
    across: str,
    title: str,
    colour: str = COLOURS[0],
) -> Figure:
    """Draw the error by fold of a network and its baselines, and maybe the coverage.

    Args:
        folds: When each fold begins, at least one.
        errors: Name of a forecast -> its error in each fold.
        coverage: Level of an interval -> share of the values inside, for each fold; NaN
            where there is none. Empty: the errors take the whole width.
        network: Name of the network among the errors. Its line is the thick one.
        best_achievable: Names that nobody can expect to beat.
        across: Title of the panel of the errors.
        title: Above all panels.
        colour: Of the network, that of its recipe.
    """
    figure, axes = make_panels(1, 2)
    axis, other = axes[0]
    if not coverage:
        other.remove()
        axis.set_subplotspec(axis.get_gridspec()[0, :])
    places = range(1, len(folds) + 1)
    simple = [name for name in errors if name != network]
    for name, values in errors.items():
        is_network = name == network
        k = 0 if is_network else simple.index(name)
        shade = colour if is_network else GREYS[k % len(GREYS)]
        if name in best_achievable:
            shade = BEST_ACHIEVABLE_COLOUR
        axis.plot(
            places, values, color=shade, marker="o" if is_network else "s",
            ls="-" if is_network else BASELINE_STYLES[k % len(BASELINE_STYLES)],
            lw=2.4 if is_network else 1.2, ms=6 if is_network else 4,
            zorder=3 if is_network else 2, label=wrap_label(name),
        )  # fmt: skip
    axis.set_ylim(bottom=0)
    finish_panel(axis, across, "fold, and its first step")
    _name_folds(axis, folds)
    add_legend(axis)
    if coverage:
        _draw_coverage(other, folds, coverage)
        axis.get_legend().remove()
        handles, labels = axis.get_legend_handles_labels()
        more = other.get_legend_handles_labels()
        other.legend(
            [*handles, *more[0]], [*labels, *more[1]], fontsize=8, frameon=False,
            loc="upper left", bbox_to_anchor=(1.01, 1.0), alignment="left",
        )  # fmt: skip
    make_room(figure)
    add_title(figure, title)
    return figure


def _draw_coverage(
    axis: Axes, folds: Sequence[str], coverage: Mapping[float, Sequence[float]]
) -> None:
    """Draw the share of values inside the network's intervals against the promise."""
    for k, (level, shares) in enumerate(coverage.items()):
        colour = COLOURS[0] if k else COLOURS[5]
        percent = [100 * share for share in shares]
        axis.plot(
            range(1, len(folds) + 1), percent, "o-", color=colour, ms=5,
            label=f"inside the {level:.0%} intervals",
        )  # fmt: skip
        axis.axhline(100 * level, ls=":", lw=1.2, color=colour, zorder=1)
    axis.set_ylim(0, 102)
    finish_panel(
        axis, "Values inside the intervals, % (dotted: promised)",
        "fold, and its first step",
    )  # fmt: skip
    _name_folds(axis, folds)


def _name_folds(axis: Axes, folds: Sequence[str]) -> None:
    """Write number and beginning of the folds below a panel; of many, only some."""
    every = -(-len(folds) // MOST_TICKS)
    places = range(1, len(folds) + 1, every)
    axis.set_xticks(
        places,
        [f"{place}: {folds[place - 1]}" for place in places],
        rotation=30,
        ha="right",
        fontsize=7,
    )
