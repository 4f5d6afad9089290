"""Curves of runs as matplotlib figures, drawn from what stands in run folders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from shared.groups import Group, list_bars
from shared.metrics import TITLES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from shared.runs import Run

# Okabe and Ito's colours, told apart by colour-blind readers too.
COLOURS = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#555555",
)  # fmt: skip
BAR_COLOUR = "#777777"
BAR_STYLES = (":", "--", "-.", (0, (1, 3)))
PANEL = (4.6, 3.7)  # inches
LEGEND = 2.2  # inches beside each row of panels


def draw_curves(run: Run) -> Figure:
    """Draw every metric of one run: training, validation, bars and the best epoch.

    Args:
        run: A run with at least one epoch.
    """
    metrics = list_metrics(run.history)
    figure, axes = _make_panels(1, len(metrics))
    epochs = run.history["epoch"]
    best = run.summary["best"]
    for axis, metric in zip(axes[0], metrics, strict=True):
        train, validation = run.history[metric], run.history[f"val_{metric}"]
        axis.plot(
            epochs, train, "o-", ms=3, color=COLOURS[0], alpha=0.45, label="training"
        )
        axis.plot(epochs, validation, "o-", ms=4, color=COLOURS[1], label="validation")
        _draw_bars(axis, run.summary["bars"], metric)
        if best is not None and best[f"val_{metric}"] is not None:
            axis.plot(
                best["epoch"], best[f"val_{metric}"], "o", ms=11, mfc="none",
                mec=COLOURS[1], mew=1.6, label=f"best epoch ({best['epoch']})",
            )  # fmt: skip
        _finish_panel(axis, metric)
    _add_legend(axes[0, -1])
    figure.suptitle(_plain(_title(run)), fontsize=11, fontweight="bold")
    return figure


def draw_comparison(groups: Sequence[Group]) -> Figure:
    """Overlay validation curves: a row of panels per data set, a colour per group.

    Several seeds of a group are their mean as a line and their range as a band. Runs on
    different data sets never share a panel.

    Args:
        groups: At least one, each with at least one run that has a history.
    """
    names = list(dict.fromkeys(group.data for group in groups))
    metrics = {
        name: list_metrics(next(g for g in groups if g.data == name).runs[0].history)
        for name in names
    }
    figure, axes = _make_panels(len(names), max(map(len, metrics.values())))
    for row, name in zip(axes, names, strict=True):
        members = [group for group in groups if group.data == name]
        for axis, metric in zip(row, metrics[name], strict=False):
            for k, group in enumerate(members):
                _draw_group(axis, group, metric, COLOURS[k % len(COLOURS)],
                            dashed=k >= len(COLOURS))  # fmt: skip
            _draw_bars(axis, list_bars(members), metric)
            _finish_panel(
                axis, metric, f"Validation {TITLES[metric].lower()} on {name}"
            )
        repeated = any(len(group.runs) > 1 for group in members)
        title = "line: mean of seeds, band: range" if repeated else None
        _add_legend(row[len(metrics[name]) - 1], title)
        for axis in row[len(metrics[name]) :]:
            axis.set_visible(False)
    return figure


def list_metrics(history: dict[str, list[float]]) -> list[str]:
    """Return the metrics of a history, `loss` last."""
    names = [name for name in history if f"val_{name}" in history]
    return sorted(names, key=lambda name: name == "loss")


def stack_curves(runs: Sequence[Run], column: str) -> tuple[np.ndarray, np.ndarray]:
    """Line up one column of several runs by epoch.

    Returns:
        Epochs (num_epochs,) and values (num_runs, num_epochs), NaN where a run had
        already stopped.
    """
    longest = max(len(run.history[column]) for run in runs)
    values = np.full((len(runs), longest), np.nan)
    for row, run in zip(values, runs, strict=True):
        row[: len(run.history[column])] = run.history[column]
    return np.arange(1, longest + 1), values


def _draw_group(
    axis: Axes, group: Group, metric: str, colour: str, dashed: bool
) -> None:
    epochs, values = stack_curves(group.runs, f"val_{metric}")
    valid = ~np.isnan(values).all(axis=0)
    epochs, values = epochs[valid], values[:, valid]
    if not len(epochs):
        return
    seeds = f", {len(group.runs)} seeds" if len(group.runs) > 1 else ""
    axis.plot(
        epochs, np.nanmean(values, axis=0), "--" if dashed else "-", marker="o", ms=3.5,
        color=colour, label=_plain(f"{group.label}{seeds}"),
    )  # fmt: skip
    if len(group.runs) > 1:
        low, high = np.nanmin(values, axis=0), np.nanmax(values, axis=0)
        axis.fill_between(epochs, low, high, color=colour, alpha=0.18, lw=0)


def _draw_bars(axis: Axes, bars: Sequence[dict], metric: str) -> None:
    for bar, style in zip(bars, BAR_STYLES, strict=False):
        value = bar["validation"].get(metric)
        if value is not None:
            axis.axhline(
                value,
                ls=style,
                lw=1.3,
                color=BAR_COLOUR,
                zorder=1,
                label=_plain(bar["name"]),
            )


def _make_panels(rows: int, columns: int) -> tuple[Figure, np.ndarray]:
    figure = Figure(
        figsize=(PANEL[0] * columns + LEGEND, PANEL[1] * rows),
        dpi=110,
        layout="constrained",
    )
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False)


def _finish_panel(axis: Axes, metric: str, title: str = "") -> None:
    axis.set_title(_plain(title) or TITLES[metric], fontsize=10)
    axis.set_xlabel("epoch")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axis.grid(alpha=0.25)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)


def _add_legend(panel: Axes, title: str | None = None) -> None:
    """Name the lines of a row of panels once, to the right of its last panel."""
    panel.legend(
        title=title, title_fontsize=8, alignment="left", fontsize=8, frameon=False,
        loc="upper left", bbox_to_anchor=(1.01, 1.0),
    )  # fmt: skip


def _plain(text: str) -> str:
    """Keep matplotlib from reading a dollar sign as mathematics."""
    return text.replace("$", r"\$")


def _title(run: Run) -> str:
    title = f"{run.recipe} on {run.data}, seed {run.seed}"
    if run.state != "finished":
        return f"{title}: {run.state} after epoch {run.summary['epochs']}"
    if run.summary["test"]:
        metric = run.summary["score"]["metric"]
        value = run.summary["test"]["best"][f"test_{metric}"]
        title += f": test {metric} {value:.4f} with the best epoch's weights"
    return title
