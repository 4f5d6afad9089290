"""Figures of groups of runs as points with intervals, a row per group."""

from __future__ import annotations

import math
import statistics
import textwrap
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from shared.core.statistics import LEVEL, quantile
from shared.plots.baseline_lines import merge_baselines
from shared.plots.labels import count_seeds, label_groups, style_groups
from shared.plots.outliers import (
    add_mark,
    describe_outliers,
    find_kept,
    set_range,
)
from shared.plots.panels import (
    LETTER,
    PAGE,
    add_page_legend,
    finish_page_panel,
    make_page,
    measure_legend,
    plain_text,
    wrap_label,
)
from shared.runs.cost import score_run
from shared.runs.groups import Group, list_baselines
from shared.runs.terminal import format_score
from shared.tasks.score import format_title

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

    from shared.runs.reader import Run

FEWEST = 3  # seeds of an interval
ROW, FRAME = 0.33, 0.75  # inches of a row, and of title and axis
NAME_WIDTH, LEGEND_WIDTH, TITLE_WIDTH = 28, 36, 78  # characters of a line


def draw_test_scores(groups: Sequence[Group]) -> Figure:
    """Draw the test scores: a panel per data set, a row per group, a small dot per run.

    A large point is the mean of the seeds. A line is its 95 % interval by Student's t,
    which counts seeds and not test examples. Baselines are lines with one label each.

    Args:
        groups: At least one with a test score.
    """
    return _draw(groups, score_run, "")


def draw_figures(
    groups: Sequence[Group], read: Callable[[Run], float | None], title: str
) -> Figure:
    """Draw a figure of the runs, such as seconds per epoch, in the same way.

    Args:
        groups: At least one with a figure.
        read: Returns the figure of a run; None or NaN if it has none.
        title: What it is, with its unit.
    """
    return _draw(groups, read, title)


def mean_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Return the 95 % interval of a mean by Student's t; None below three values."""
    count = len(values)
    if count < FEWEST:
        return None
    half = quantile(0.5 + LEVEL / 2, count - 1)
    half *= statistics.stdev(values) / math.sqrt(count)
    mean = statistics.fmean(values)
    return mean - half, mean + half


def _draw(
    groups: Sequence[Group], read: Callable[[Run], float | None], title: str
) -> Figure:
    known = {group.label: _list_values(group, read) for group in groups}
    groups = [group for group in groups if known[group.label]]
    names = list(dict.fromkeys(group.data for group in groups))
    blocks = [[group for group in groups if group.data == name] for name in names]
    figure, parts = make_page([_measure_height(block) for block in blocks])
    for part, block in zip(parts, blocks, strict=True):
        _draw_block(part, block, known, title)
    return figure


def _list_values(group: Group, read: Callable[[Run], float | None]) -> list[float]:
    found = [read(run) for run in group.runs]
    return [value for value in found if value is not None and math.isfinite(value)]


def _measure_height(groups: Sequence[Group]) -> float:
    baselines = list_baselines(groups)
    lines = {baseline["name"].partition(" (")[0] for baseline in baselines}
    return FRAME + ROW * len(groups) + measure_legend([*lines, ""], "\n\n")


def _draw_block(
    part: SubFigure,
    groups: Sequence[Group],
    known: Mapping[str, list[float]],
    title: str,
) -> None:
    axis = part.subplots()
    score, data = groups[0].runs[0].score, groups[0].data
    labels, shared = label_groups(groups)
    _, counts = count_seeds(groups)
    labels = [label + count for label, count in zip(labels, counts, strict=True)]
    styles = style_groups(groups)
    baselines = []
    if not title:
        owners = [group.label for group in groups]
        baselines = merge_baselines(list_baselines(groups), owners)
    near = [v for line in baselines for v in line.list_values(score.metric, "test")]
    values = [value for group in groups for value in known[group.label]]
    for group in groups:
        near += mean_interval(known[group.label]) or ()
    keep = find_kept(score.metric, score) if not title else "low"
    set_range(axis, values, near, keep, across=False)
    notes = [
        note
        for k, (group, label, style) in enumerate(
            zip(groups, labels, styles, strict=True)
        )
        for note in _draw_row(axis, k, known[group.label], label, style.light)
    ]
    for line in baselines:
        line.draw(axis, score.metric, "test", across=False)
    what = format_title(score.metric, score.unit)
    heading = title or f"Test {what[0].lower()}{what[1:]}"
    finish_page_panel(axis, f"{heading} on {data}", "", 1)
    axis.set_yticks(
        range(len(groups)), [wrap_label(x, NAME_WIDTH) for x in labels], fontsize=9
    )
    axis.set_ylim(len(groups) - 0.4, -0.6)
    axis.grid(visible=False, axis="y")
    if axis.get_xscale() == "linear":
        letters = max(min(len(label), NAME_WIDTH) for label in labels)
        room = PAGE - letters * LETTER
        axis.xaxis.set_major_locator(MaxNLocator(max(3, int(room / 0.8))))
    lines = _describe(groups, shared)
    if outside := describe_outliers({"": notes}):
        lines.append(outside)
    text = "\n".join(
        "\n".join(textwrap.wrap(x, TITLE_WIDTH, break_on_hyphens=False)) for x in lines
    )
    handles = [line.handle(LEGEND_WIDTH) for line in baselines] or [
        Line2D([], [], ls="none", label="")
    ]
    add_page_legend(part, handles, plain_text(text))


def _draw_row(
    axis: Axes, place: int, values: Sequence[float], label: str, colour: str
) -> list[str]:
    """Draw the runs of a group, their mean and its interval.

    Returns:
        A note if some runs are outside the panel.
    """
    low, high = axis.get_xlim()
    inside = [value for value in values if low <= value <= high]
    axis.plot(inside, [place + 0.17] * len(inside), "o", ms=3.5, color=colour,
              alpha=0.55, mec="none", zorder=3)  # fmt: skip
    mean = statistics.fmean(values)
    if interval := mean_interval(values):
        ends = [min(max(end, low), high) for end in interval]
        axis.plot(ends, [place, place], "-", lw=2, color=colour, zorder=3)
    if low <= mean <= high:
        axis.plot([mean], [place], "o", ms=7.5, color=colour, zorder=4, gid="mean")
    else:
        side = "left" if mean < low else "right"
        axis.text(
            low if side == "left" else high, place - 0.12,
            f"  mean {format_score(mean)}  ", ha=side, va="bottom", fontsize=8,
        )  # fmt: skip
    notes = []
    for side, beyond, border in (
        ("left", [v for v in values if v < low], low),
        ("right", [v for v in values if v > high], high),
    ):
        if beyond:
            add_mark(axis, border, place + 0.17, side, colour)
            numbers = ", ".join(format_score(value) for value in sorted(beyond))
            notes.append(f"{label} {numbers}")
    return notes


def _describe(groups: Sequence[Group], shared: str) -> list[str]:
    seeds, _ = count_seeds(groups)
    lines = ["small dots: runs"]
    if seeds >= FEWEST:
        points = f"point: mean of {seeds} seeds, line: its 95 % interval"
        lines = [f"{points}, small dots: the seeds"]
    if shared:
        lines.append(f"all with {shared}")
    return lines
