"""Score against cost as a matplotlib figure."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter

from shared.plots.colours import recipe_colour
from shared.plots.comparison_plan import rate_group
from shared.plots.labels import count_seeds, label_groups, style_groups
from shared.plots.outliers import (
    add_mark,
    describe_outliers,
    find_kept,
    set_range,
)
from shared.plots.panels import (
    MARKERS,
    add_page_legend,
    finish_page_panel,
    make_page,
    measure_legend,
    plain_text,
    wrap_label,
)
from shared.plots.scale import list_log_ticks, robust_range
from shared.runs.cost import (
    COSTS,
    find_cost,
    find_front,
    find_score,
    list_comparable,
    score_run,
)
from shared.runs.groups import Group
from shared.runs.terminal import format_score
from shared.tasks.score import format_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

    from shared.plots.colours import LineStyle

FRONT = "#999999"
SPREAD = 3  # an axis of costs is logarithmic above this ratio
MOST_NAMED = 12
"""Groups with a name of their own; the others are small points."""
HEIGHT, WIDTH = 2.6, 8.6  # inches of a panel and of the picture
LEGEND_WIDTH, TITLE_WIDTH = 50, 122  # characters of a line
NOTE = (
    "Seconds are from runs on one machine, and comparable under equal load only. "
    "Time and memory of the baselines are not counted."
)


def draw_cost(groups: Sequence[Group]) -> Figure:
    """Draw the test score against each cost: a row per data set, a point per group.

    Points of efficient groups are filled and joined, the others are hollow. Lines
    through a point show the range of its seeds. A group far worse than the others is
    marked at the lower or upper border. With more than twelve groups on a data set,
    twelve have a name, and the others are small points in the colour of their recipe.

    Args:
        groups: At least one.
    """
    names = list(dict.fromkeys(group.data for group in groups))
    blocks = [[group for group in groups if group.data == name] for name in names]
    entries = [["\n"] * min(len(block), MOST_NAMED) for block in blocks]
    heights = [HEIGHT + measure_legend(lines, "\n\n\n") for lines in entries]
    figure, parts = make_page(heights, WIDTH)
    for part, block in zip(parts, blocks, strict=True):
        _draw_block(part, block)
    return figure


def _draw_block(part: SubFigure, groups: Sequence[Group]) -> None:
    score = groups[0].runs[0].score
    title = format_title(score.metric, score.unit)
    title = f"Test {title[0].lower()}{title[1:]} on {groups[0].data}"
    named = _choose_named(groups)
    styles = style_groups(named)
    labels, shared = label_groups(named)
    axes = part.subplots(1, len(COSTS), squeeze=False)[0]
    notes: list[str] = []
    seeds, counts = count_seeds(named)
    labels = [label + count for label, count in zip(labels, counts, strict=True)]
    for axis, (cost, label) in zip(axes, COSTS.items(), strict=True):
        shown = list_comparable(groups, cost)
        front = find_front(groups, cost)
        _draw_front(axis, front, cost)
        _draw_others(axis, [g for g in shown if g not in named], cost)
        _draw_named(axis, named, styles, shown, front, cost)
        if not shown:
            axis.text(0.5, 0.5, "unknown, or not on one machine", ha="center",
                      transform=axis.transAxes, fontsize=9)  # fmt: skip
        else:
            _set_scores(axis, shown)
            _set_costs(axis, shown, cost)
            notes += _mark(axis, named, shown, cost, styles, labels)
        finish_page_panel(axis, label, label, len(COSTS))
        axis.set_title("")
        axis.tick_params(labelsize=9)
    part.suptitle(plain_text(title), fontsize=10)
    lines = [NOTE]
    if len(named) < len(groups):
        lines.append(
            f"{len(named)} of {len(groups)} groups have a name: the best of each "
            "recipe on validation, then the efficient ones; small points: the others"
        )
    if seeds > 1:
        lines.append(f"point: mean of {seeds} seeds, lines: their range")
    if shared:
        lines.append(f"all with {shared}")
    if outside := describe_outliers({"": list(dict.fromkeys(notes))}):
        lines.append(outside)
    text = "\n".join(
        "\n".join(textwrap.wrap(x, TITLE_WIDTH, break_on_hyphens=False)) for x in lines
    )
    add_page_legend(part, _list_handles(styles, labels), plain_text(text))


def _choose_named(groups: Sequence[Group]) -> list[Group]:
    """Return the groups with a name: all if they are few.

    Otherwise the best one of each recipe comes first, then the efficient ones, then the
    best of the others.
    """
    if len(groups) <= MOST_NAMED:
        return list(groups)
    best = sorted(groups, key=rate_group, reverse=True)
    of_recipe = {group.runs[0].recipe: group for group in reversed(best)}
    fronts = {group.label for cost in COSTS for group in find_front(groups, cost)}
    efficient = [group for group in best if group.label in fronts]
    first = sorted(of_recipe.values(), key=rate_group, reverse=True)
    names = dict.fromkeys(group.label for group in [*first, *efficient, *best])
    chosen = [*names][:MOST_NAMED]
    return [group for group in groups if group.label in chosen]


def _draw_front(axis: Axes, front: Sequence[Group], cost: str) -> None:
    axis.plot(
        [find_cost(group, cost) for group in front],
        [find_score(group) for group in front],
        "-", color=FRONT, lw=1.2, zorder=1,
    )  # fmt: skip


def _draw_others(axis: Axes, groups: Sequence[Group], cost: str) -> None:
    """Draw groups without a name: a small point each, all of a recipe at once."""
    for recipe in dict.fromkeys(group.runs[0].recipe for group in groups):
        shown = [group for group in groups if group.runs[0].recipe == recipe]
        axis.plot(
            [find_cost(group, cost) for group in shown],
            [find_score(group) for group in shown],
            ls="none", marker=".", ms=3.5, color=recipe_colour(recipe), alpha=0.5,
            zorder=1,
        )  # fmt: skip


def _draw_named(
    axis: Axes,
    groups: Sequence[Group],
    styles: Sequence[LineStyle],
    shown: Sequence[Group],
    front: Sequence[Group],
    cost: str,
) -> None:
    """Draw groups with a name: a marker each, and the range of the seeds."""
    for k, (group, style) in enumerate(zip(groups, styles, strict=True)):
        if group not in shown:
            continue
        x, y = find_cost(group, cost), find_score(group)
        paid = _list_costs(group, cost)
        scores = _list_scores(group)
        axis.errorbar(
            x, y,
            xerr=_reach(x, paid), yerr=_reach(y, scores),
            fmt=MARKERS[k % len(MARKERS)], ms=7.5, color=style.light, elinewidth=1,
            mfc=style.light if group in front else "white", mew=1.4,
        )  # fmt: skip


def _reach(mean: float, values: Sequence[float]) -> list[list[float]]:
    """Return the distances of a mean from both ends, which rounding keeps above 0."""
    return [[max(0.0, mean - min(values))], [max(0.0, max(values) - mean)]]


def _list_costs(group: Group, cost: str) -> list[float]:
    return [v for run in group.runs if (v := run.summary.get(cost)) is not None]


def _list_scores(group: Group) -> list[float]:
    return [v for run in group.runs if (v := score_run(run)) is not None]


def _set_scores(axis: Axes, shown: Sequence[Group]) -> None:
    """Set the range of the scores, which a broken group does not decide."""
    score = shown[0].runs[0].score
    values = [value for group in shown for value in _list_scores(group)]
    set_range(axis, values, (), find_kept(score.metric, score))


def _set_costs(axis: Axes, shown: Sequence[Group], cost: str) -> None:
    """Set the range of the costs, and few ticks with short numbers."""
    means = [find_cost(group, cost) for group in shown]
    paid = [value for group in shown for value in _list_costs(group, cost)]
    ends = robust_range(paid)
    low, high = min(*means, *ends), max(*means, *ends)
    if low > 0 and high / low > SPREAD:
        axis.set_xscale("log")
        room = (high / low) ** 0.08
        low, high = low / room, high * room
        axis.xaxis.set_major_locator(FixedLocator(list_log_ticks(low, high)))
        axis.xaxis.set_minor_formatter(NullFormatter())
    else:
        room = 0.1 * (high - low) or 0.15 * high or 1.0
        low, high = low - room, high + room
        axis.xaxis.set_major_locator(MaxNLocator(4))
    axis.set_xlim(low, high)
    digits = 4 if high - low < 0.02 * high else 3
    axis.xaxis.set_major_formatter(
        FuncFormatter(lambda value, _: format_amount(value, digits))
    )


def format_amount(value: float, digits: int = 3) -> str:
    """Return a number for an axis: `950`, `1.2k`, `25.1M`."""
    for unit, name in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= unit:
            unit = 1e3 if name == "k" else unit
            return f"{value / unit:.{digits}g}{name}"
    return f"{value:.{max(digits, 4)}g}"


def _mark(
    axis: Axes,
    groups: Sequence[Group],
    shown: Sequence[Group],
    cost: str,
    styles: Sequence[LineStyle],
    labels: Sequence[str],
) -> list[str]:
    """Mark the groups whose mean is outside the panel, and return which they are."""
    low, high = axis.get_ylim()
    notes = []
    for group, style, label in zip(groups, styles, labels, strict=True):
        if group not in shown:
            continue
        value = find_score(group)
        if low <= value <= high:
            continue
        side = "down" if value < low else "up"
        border = low if value < low else high
        add_mark(axis, find_cost(group, cost), border, side, style.light)
        notes.append(f"{label} {format_score(value)}")
    return notes


def _list_handles(styles: Sequence[LineStyle], labels: Sequence[str]) -> list[Line2D]:
    """Return the entries of the legend: all groups, and what the points mean."""
    handles = [
        Line2D(
            [], [], ls="none", marker=MARKERS[k % len(MARKERS)], color=style.light,
            label=wrap_label(label, LEGEND_WIDTH),
        )
        for k, (style, label) in enumerate(zip(styles, labels, strict=True))
    ]  # fmt: skip
    points = {"color": FRONT, "marker": "o"}
    front = Line2D([], [], label="filled: efficient front", **points)
    hollow = {"mfc": "white", "label": "hollow: another is better and cheaper"}
    return [*handles, front, Line2D([], [], ls="none", **points, **hollow)]
