"""Curves of runs as matplotlib figures, drawn from run folders."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from shared.plots.fonts import mark_missing
from shared.runs.groups import Group, list_baselines
from shared.runs.terminal import format_score
from shared.tasks.score import format_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.legend import Legend

    from shared.runs.reader import Run

# Okabe and Ito's colours, which colour-blind readers can distinguish.
COLOURS = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#555555",
)  # fmt: skip
BASELINE_COLOUR = "#777777"
BEST_ACHIEVABLE_COLOUR = "#B00020"  # nobody can do better
BASELINE_STYLES = (":", "--", "-.", (0, (1, 3)), (0, (6, 3)), (0, (3, 1, 1, 1, 1, 1)))
WIDE = 20  # an axis is logarithmic above this ratio of highest to lowest score
PANEL = (4.6, 3.7)  # inches
LEGEND = 2.2  # inches to the right of each row of panels
LEGEND_LINE = 0.17  # inches
LABEL_WIDTH, TITLE_WIDTH = 34, 52  # characters of a line


def draw_curves(run: Run) -> Figure:
    """Draw every metric of one run: training, validation, baselines and the best epoch.

    Args:
        run: A run with at least one epoch.
    """
    metrics = list_metrics(run)
    figure, axes = make_panels(1, len(metrics))
    epochs = run.history["epoch"]
    best = run.summary["best"]
    for axis, metric in zip(axes[0], metrics, strict=True):
        train, validation = run.history[metric], run.history[f"val_{metric}"]
        axis.plot(
            epochs, train, "o-", ms=3, color=COLOURS[0], alpha=0.45, label="training"
        )
        axis.plot(epochs, validation, "o-", ms=4, color=COLOURS[1], label="validation")
        _scale([*train, *validation], axis)
        _draw_baselines(axis, run.summary["baselines"], metric)
        if best is not None and best.get(f"val_{metric}") is not None:
            axis.plot(
                best["epoch"], best[f"val_{metric}"], "o", ms=11, mfc="none",
                mec=COLOURS[1], mew=1.6, label=f"best epoch ({best['epoch']})",
            )  # fmt: skip
        finish_panel(axis, format_title(metric, _unit(run)))
    add_legend(axes[0, -1])
    add_title(figure, _title(run))
    return figure


def draw_comparison(groups: Sequence[Group]) -> Figure:
    """Overlay validation curves: a row of panels per data set, a colour per group.

    A group with several seeds has its mean as a line and its range as a band. Runs on
    different data sets never share a panel.

    Args:
        groups: At least one, each with at least one run that has a history.
    """
    names = list(dict.fromkeys(group.data for group in groups))
    metrics = {
        name: merge_metrics(g for g in groups if g.data == name) for name in names
    }
    figure, axes = make_panels(len(names), max(map(len, metrics.values())))
    for row, name in zip(axes, names, strict=True):
        same_data = [group for group in groups if group.data == name]
        for axis, metric in zip(row, metrics[name], strict=False):
            column = f"val_{metric}"
            for k, group in enumerate(same_data):
                _draw_group(axis, group, metric, COLOURS[k % len(COLOURS)],
                            dashed=k >= len(COLOURS))  # fmt: skip
            runs = [run for group in same_data for run in group.runs]
            _scale([v for run in runs for v in run.history.get(column, [])], axis)
            _draw_baselines(axis, list_baselines(same_data), metric)
            title = format_title(metric, runs[0].score.unit)
            finish_panel(axis, f"Validation {title[0].lower()}{title[1:]} on {name}")
        repeated = any(len(group.runs) > 1 for group in same_data)
        title = "line: mean of seeds, band: range" if repeated else None
        legend = add_legend(row[len(metrics[name]) - 1], title)
        # Next to the last panel of the figure the layout reserves room for it.
        legend.set_in_layout(len(metrics[name]) == len(row))
        for axis in row[len(metrics[name]) :]:
            axis.set_visible(False)
    make_room(figure)
    return figure


def list_metrics(run: Run) -> list[str]:
    """Return the metrics of a run: the score first, `loss` last, each curve once."""
    history, score = run.history, run.score.metric
    names = [name for name in history if f"val_{name}" in history and name != "loss"]
    names.sort(key=lambda name: name != score)
    if "val_loss" in history and not any(
        np.allclose(history[f"val_{name}"], history["val_loss"], rtol=1e-4)
        for name in names
    ):
        names.append("loss")
    return names


def merge_metrics(groups: Iterable[Group]) -> list[str]:
    """Return the metrics of all groups, `loss` last, without repeats."""
    found = dict.fromkeys(m for group in groups for m in list_metrics(group.runs[0]))
    return sorted(found, key=lambda name: name == "loss")


def stack_curves(runs: Sequence[Run], column: str) -> tuple[np.ndarray, np.ndarray]:
    """Align one column of several runs by epoch.

    Returns:
        Epochs (num_epochs,) and values (num_runs, num_epochs), NaN where a run had
        already stopped or lacks the column.
    """
    columns = [run.history.get(column, []) for run in runs]
    longest = max(map(len, columns))
    values = np.full((len(runs), longest), np.nan)
    for row, known in zip(values, columns, strict=True):
        row[: len(known)] = known
    return np.arange(1, longest + 1), values


def _draw_group(
    axis: Axes, group: Group, metric: str, colour: str, dashed: bool
) -> None:
    epochs, values = stack_curves(group.runs, f"val_{metric}")
    valid = ~np.isnan(values).all(axis=0)
    epochs, values = epochs[valid], values[:, valid]
    seeds = f", {len(group.runs)} seeds" if len(group.runs) > 1 else ""
    # A group without values has an empty line, so that the legend names it.
    mean = np.nanmean(values, axis=0) if len(epochs) else []
    axis.plot(
        epochs, mean, "--" if dashed else "-", marker="o", ms=3.5,
        color=colour, label=wrap_label(f"{group.label}{seeds}"),
    )  # fmt: skip
    if len(epochs) and len(group.runs) > 1:
        low, high = np.nanmin(values, axis=0), np.nanmax(values, axis=0)
        axis.fill_between(epochs, low, high, color=colour, alpha=0.18, lw=0)


def _draw_baselines(axis: Axes, baselines: Sequence[dict], metric: str) -> None:
    low, high = axis.get_ylim()
    if axis.get_yscale() == "log":
        low, high = low / WIDE, high * WIDE
    else:
        low, high = low - 3 * (high - low), high + 3 * (high - low)
    outside: dict[str, list[str]] = {"above": [], "below": []}
    for k, baseline in enumerate(baselines):
        value = baseline["validation"].get(metric)
        if value is None:
            continue
        label = wrap_label(baseline["name"])
        style = BASELINE_STYLES[k % len(BASELINE_STYLES)]
        colour = (
            BEST_ACHIEVABLE_COLOUR
            if baseline.get("is_best_achievable")
            else BASELINE_COLOUR
        )
        if low <= value <= high:
            axis.axhline(value, ls=style, lw=1.3, color=colour, zorder=1, label=label)
        else:  # a far line would flatten the curves
            place = "above" if value > high else "below"
            outside[place].append(f"{place}: {baseline['name']} {format_score(value)}")
            axis.plot([], [], ls=style, lw=1.3, color=colour, label=label)
    # Errors fall from the upper left to the lower right: the other corners are free.
    sides = {"above": "right", "below": "left"}
    if metric == "accuracy":
        sides = {"above": "left", "below": "right"}
    for place, side in sides.items():
        axis.text(
            0.98 if side == "right" else 0.02, 0.98 if place == "above" else 0.02,
            plain_text("\n".join(outside[place])), fontsize=7, color=BASELINE_COLOUR,
            ha=side, va="top" if place == "above" else "bottom",
            transform=axis.transAxes,
            bbox={"fc": "white", "ec": "none", "alpha": 0.8, "pad": 1},
        )  # fmt: skip


def make_panels(rows: int, columns: int) -> tuple[Figure, np.ndarray]:
    """Return a figure and its axes, (rows, columns), with room for legends."""
    figure = Figure(
        figsize=(PANEL[0] * columns + LEGEND, PANEL[1] * rows),
        dpi=110,
        layout="constrained",
    )
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False)


def make_room(figure: Figure) -> None:
    """Make each row of panels at least as high as its legend."""
    grid = figure.axes[0].get_subplotspec().get_gridspec()
    heights = [PANEL[1]] * grid.nrows
    for axis in figure.axes:
        if (legend := axis.get_legend()) is not None:
            lines = sum(t.get_text().count("\n") + 1 for t in legend.get_texts())
            row = axis.get_subplotspec().rowspan.start
            heights[row] = max(heights[row], LEGEND_LINE * (lines + 4))
    grid.set_height_ratios(heights)
    figure.set_figheight(sum(heights))


def _scale(values: Sequence[float], axis: Axes) -> None:
    """Use a logarithmic axis where a linear one would hide most values."""
    known = [value for value in values if np.isfinite(value)]
    if known and min(known) > 0 and max(known) / min(known) > WIDE:
        axis.set_yscale("log")


def finish_panel(axis: Axes, title: str, across: str = "epoch") -> None:
    """Give a panel its title, the name of its horizontal axis, and a light grid."""
    lines = textwrap.wrap(title, TITLE_WIDTH, break_on_hyphens=False)
    axis.set_title(plain_text("\n".join(lines)), fontsize=10)
    axis.set_xlabel(across)
    if across == "epoch":
        axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axis.grid(alpha=0.25)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)


def add_legend(panel: Axes, title: str | None = None) -> Legend:
    """Add the legend of a row of panels to the right of its last panel."""
    return panel.legend(
        title=title, title_fontsize=8, alignment="left", fontsize=8, frameon=False,
        loc="upper left", bbox_to_anchor=(1.01, 1.0),
    )  # fmt: skip


def add_title(figure: Figure, title: str) -> None:
    """Add a title above all panels, in as many lines as needed."""
    characters = int(figure.get_figwidth() * 10)
    lines = textwrap.wrap(title, characters, break_on_hyphens=False)
    figure.suptitle(plain_text("\n".join(lines)), fontsize=11, fontweight="bold")


def wrap_label(text: str) -> str:
    """Return a label of a legend in lines that fit its width."""
    lines = textwrap.wrap(text, LABEL_WIDTH, break_on_hyphens=False)
    return plain_text("\n".join(lines))


def plain_text(text: str) -> str:
    """Escape dollar signs, which matplotlib reads as mathematics; mark lost letters."""
    return mark_missing(text).replace("$", r"\$")


def name_run(run: Run) -> str:
    """Return recipe, data and seed of a run."""
    return f"{run.recipe} on {run.data}, seed {run.seed}"


def _unit(run: Run) -> str:
    return run.score.unit


def _title(run: Run) -> str:
    title = name_run(run)
    if run.state != "finished":
        return f"{title}: {run.state} after epoch {run.summary['epochs']}"
    if run.summary["test"]:
        metric = run.score.metric
        value = run.summary["test"]["best"][f"test_{metric}"]
        unit = f" {_unit(run)}" if _unit(run) else ""
        title += (
            f": test {metric} {format_score(value)}{unit} with the best epoch's weights"
        )
    return title
