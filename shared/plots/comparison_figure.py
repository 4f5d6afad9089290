"""Validation curves of groups of runs on common axes, as a matplotlib figure."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.transforms import ScaledTranslation

from shared.plots.comparison_plan import Block, plan_block
from shared.plots.curves import stack_curves
from shared.plots.outliers import (
    Curves,
    describe_outliers,
    find_kept,
    mark_outliers,
    set_range,
)
from shared.plots.panels import (
    DASHES,
    MARKERS,
    PAGE,
    add_page_legend,
    finish_page_panel,
    make_page,
    measure_legend,
    plain_text,
    wrap_label,
)
from shared.runs.groups import Group

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

IN_A_ROW = {1: 1, 2: 2, 3: 3, 4: 2}
"""Number of panels -> how many are next to each other; else three."""
HEIGHT = 2.7  # inches of a panel
LEGEND_WIDTH, TITLE_WIDTH = 36, 82  # characters of a line below a page
BELOW = 0.42  # inches between a small panel and its legend
FULL_BANDS = 4  # more bands are paler


def draw_comparison(groups: Sequence[Group]) -> Figure:
    """Draw validation curves: a row of panels per data set, a colour per recipe.

    A group with several seeds has its mean as a line and its range as a band. Runs on
    different data sets never share a panel. With more than eight groups on a data set,
    each recipe has a panel with its score; no panel holds more than its best eight.

    Args:
        groups: At least one, each with at least one run that has a history.
    """
    names = list(dict.fromkeys(group.data for group in groups))
    blocks = [plan_block([g for g in groups if g.data == name]) for name in names]
    heights = [_measure_height(block) for block in blocks]
    figure, parts = make_page(heights)
    for block, part in zip(blocks, parts, strict=True):
        _draw_block(block, part)
    return figure


def _is_grid(block: Block) -> bool:
    return bool(block.title)


def _shape(block: Block) -> tuple[int, int]:
    """Return rows and columns of the panels of a block."""
    count = len(block.panels)
    columns = IN_A_ROW.get(count, 3)
    return -(-count // columns), columns


def _measure_height(block: Block) -> float:
    rows, columns = _shape(block)
    entries = [*block.groups, *block.baselines]
    if _is_grid(block):
        most = max(len(shown) for shown, *_ in block.panels)
        return rows * (0.9 * HEIGHT + 0.16 * most) + 0.4 + measure_legend(
            [line.label for line in block.baselines], "\n".join(block.describe())
        )  # fmt: skip
    height = HEIGHT if columns > 1 else 1.15 * HEIGHT
    return rows * height + measure_legend(["\n"] * len(entries), "\n\n\n") * 0.8


def _draw_block(block: Block, part: SubFigure) -> None:
    rows, columns = _shape(block)
    grid = _is_grid(block)
    axes = part.subplots(rows, columns, squeeze=False, sharey=grid)
    values = {
        metric: [v for group in block.groups for run in group.runs
                 for v in run.history.get(f"val_{metric}", [])]
        for metric in dict.fromkeys(metric for _, metric, _ in block.panels)
    }  # fmt: skip
    notes: dict[str, list[str]] = {metric: [] for metric in values}
    for axis, (shown, metric, title) in zip(axes.flat, block.panels, strict=False):
        curves = [
            _draw_group(axis, block, group, metric, k, len(shown))
            for k, group in enumerate(shown)
        ]
        near = [v for line in block.baselines for v in line.list_values(metric)]
        keep = find_kept(metric, block.score)
        set_range(axis, values[metric], near, keep)
        for line in block.baselines:
            line.draw(axis, metric)
        notes[metric] += mark_outliers(axis, curves)
        finish_page_panel(axis, title, "epoch", columns)
        axis.tick_params(labelsize=9)
        if grid:
            _add_small_legend(axis, block, shown)
    for axis in axes.flat[len(block.panels) :]:
        axis.set_visible(False)
    if grid:
        part.suptitle(plain_text(block.title), fontsize=10.5)
    handles = [line.handle(LEGEND_WIDTH) for line in block.baselines]
    if not grid:
        handles = [*_list_handles(block, block.groups), *handles]
    lines = block.describe()
    if outside := describe_outliers(notes):
        lines.append(outside)
    text = "\n".join(
        "\n".join(textwrap.wrap(x, TITLE_WIDTH, break_on_hyphens=False)) for x in lines
    )
    add_page_legend(part, handles, plain_text(text))


def _draw_group(
    axis: Axes, block: Block, group: Group, metric: str, k: int, count: int
) -> Curves:
    epochs, values = stack_curves(group.runs, f"val_{metric}")
    valid = ~np.isnan(values).all(axis=0)
    epochs, values = epochs[valid], values[:, valid]
    style = block.styles[group.label]
    mean = np.nanmean(values, axis=0) if len(epochs) else []
    axis.plot(
        epochs, mean, ls=DASHES[style.dash], marker=MARKERS[k % len(MARKERS)],
        ms=3.5 if len(epochs) <= 20 else 2, lw=1.5, color=style.light,
        label=block.labels[group.label],
    )  # fmt: skip
    if len(epochs) and len(group.runs) > 1:
        low, high = np.nanmin(values, axis=0), np.nanmax(values, axis=0)
        alpha = 0.18 if count <= FULL_BANDS else 0.09
        axis.fill_between(epochs, low, high, color=style.light, alpha=alpha, lw=0)
    return Curves(block.labels[group.label], style.light, epochs, values)


def _list_handles(
    block: Block, groups: Sequence[Group], names: Sequence[str] = ()
) -> list[Line2D]:
    """Return an entry of a legend per group."""
    handles = []
    for k, group in enumerate(groups):
        style = block.styles[group.label]
        name = wrap_label(block.labels[group.label], LEGEND_WIDTH)
        line = Line2D(
            [], [], ls=DASHES[style.dash], marker=MARKERS[k % len(MARKERS)], ms=4,
            lw=1.5, color=style.light, label=names[k] if names else name,
        )  # fmt: skip
        handles.append(line)
    return handles


def _add_small_legend(axis: Axes, block: Block, shown: Sequence[Group]) -> None:
    """Add the legend of one small panel below it; its title already is the recipe."""
    recipe = shown[0].runs[0].recipe
    names = [block.labels[group.label].removeprefix(recipe).lstrip(", ")
             for group in shown]  # fmt: skip
    names = [name if name and name[0] not in "0123456789" else f"defaults, {name}"
             for name in names]  # fmt: skip
    names = [wrap_label(name.removesuffix(", "), int(PAGE * 4)) for name in names]
    below = ScaledTranslation(0, -BELOW, axis.figure.dpi_scale_trans)
    axis.legend(
        handles=_list_handles(block, shown, names), loc="upper center",
        bbox_to_anchor=(0.5, 0), bbox_transform=axis.transAxes + below,
        fontsize=8, frameon=False, labelspacing=0.25,
    )  # fmt: skip
