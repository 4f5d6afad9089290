"""Score against cost as a matplotlib figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib.ticker import MaxNLocator

from shared.plots.curves import (
    COLOURS,
    WIDE,
    add_legend,
    finish_panel,
    make_panels,
    make_room,
    wrap_label,
)
from shared.runs.cost import (
    COSTS,
    find_cost,
    find_front,
    find_score,
    list_comparable,
    score_run,
)
from shared.runs.groups import Group
from shared.tasks.score import format_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FRONT = "#999999"


def draw_cost(groups: Sequence[Group]) -> Figure:
    """Draw the test score against each cost: a row per data set, a point per group.

    Points of efficient groups are filled and joined, the others are hollow. Lines
    through a point show the range of its seeds.

    Args:
        groups: At least one.
    """
    names = list(dict.fromkeys(group.data for group in groups))
    figure, axes = make_panels(len(names), len(COSTS))
    for row, name in zip(axes, names, strict=True):
        same_data = [group for group in groups if group.data == name]
        score = same_data[0].runs[0].score
        title = format_title(score.metric, score.unit)
        for axis, (cost, label) in zip(row, COSTS.items(), strict=True):
            _draw_groups(axis, same_data, cost)
            finish_panel(axis, f"Test {title[0].lower()}{title[1:]} on {name}", label)
        _explain(row[-1], same_data)
    make_room(figure)
    figure.supxlabel(
        "Seconds are from runs on one machine, and comparable under equal load only. "
        "Time and memory of the baselines are not counted.",
        fontsize=8,
    )
    return figure


def _draw_groups(axis: Axes, groups: Sequence[Group], cost: str) -> None:
    front = find_front(groups, cost)
    shown = list_comparable(groups, cost)
    axis.plot(
        [find_cost(group, cost) for group in front],
        [find_score(group) for group in front],
        "-", color=FRONT, lw=1.2, zorder=1,
    )  # fmt: skip
    for k, group in enumerate(groups):
        if group not in shown:
            continue
        x, y = find_cost(group, cost), find_score(group)
        paid = [v for run in group.runs if (v := run.summary.get(cost)) is not None]
        scores = [v for run in group.runs if (v := score_run(run)) is not None]
        colour = COLOURS[k % len(COLOURS)]
        axis.errorbar(
            x, y,
            xerr=[[x - min(paid)], [max(paid) - x]],
            yerr=[[y - min(scores)], [max(scores) - y]],
            fmt="o" if k < len(COLOURS) else "s", ms=8, color=colour, elinewidth=1,
            mfc=colour if group in front else "white",
        )  # fmt: skip
    if not shown:
        axis.text(0.5, 0.5, "unknown, or not on one machine", ha="center",
                  transform=axis.transAxes, fontsize=9)  # fmt: skip
        return
    axis.margins(0.12)
    costs = [find_cost(group, cost) for group in shown]
    if min(costs) > 0 and max(costs) / min(costs) > WIDE:
        axis.set_xscale("log")
    else:
        axis.xaxis.set_major_locator(MaxNLocator(5))


def _explain(axis: Axes, groups: Sequence[Group]) -> None:
    """Add a legend with all groups of a row of panels."""
    for k, group in enumerate(groups):
        seeds = f", {len(group.runs)} seeds" if len(group.runs) > 1 else ""
        axis.plot(
            [], [], "o" if k < len(COLOURS) else "s", color=COLOURS[k % len(COLOURS)],
            label=wrap_label(f"{group.label}{seeds}"),
        )  # fmt: skip
    axis.plot([], [], "o-", color=FRONT, label="filled: efficient front")
    axis.plot(
        [],
        [],
        "o",
        color=FRONT,
        mfc="white",
        label="hollow: another is better and cheaper",
    )
    add_legend(axis, "mean of seeds, lines: range")
