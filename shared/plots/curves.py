"""Curves of a run as a matplotlib figure, and the metrics that curves show."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from shared.plots.baseline_lines import merge_baselines
from shared.plots.outliers import (
    Curves,
    describe_outliers,
    find_kept,
    mark_outliers,
    set_range,
)
from shared.plots.panels import (
    COLOURS,
    LABEL_WIDTH,
    add_legend,
    add_title,
    finish_panel,
    make_panels,
    wrap_label,
)
from shared.runs.groups import Group
from shared.runs.terminal import format_score
from shared.tasks.score import format_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from shared.plots.baseline_lines import BaselineLine
    from shared.runs.reader import Run


def draw_curves(run: Run) -> Figure:
    """Draw every metric of one run: training, validation, baselines and the best epoch.

    Args:
        run: A run with at least one epoch.
    """
    metrics = list_metrics(run)
    figure, axes = make_panels(1, len(metrics))
    lines = merge_baselines(run.summary["baselines"])
    notes: dict[str, list[str]] = {}
    for axis, metric in zip(axes[0], metrics, strict=True):
        notes[metric] = _draw_metric(axis, run, metric, lines)
        finish_panel(axis, format_title(metric, run.score.unit))
    legend = axes[0, -1]
    for line in lines:
        legend.add_line(line.handle(LABEL_WIDTH))
    outside = describe_outliers(notes)
    add_legend(legend, wrap_label(outside) if outside else None)
    add_title(figure, _title(run))
    return figure


def _draw_metric(
    axis: Axes, run: Run, metric: str, lines: Sequence[BaselineLine]
) -> list[str]:
    """Draw one metric of a run, and return what lies outside the panel."""
    epochs = np.array(run.history["epoch"])
    parts = {"training": run.history[metric]}
    parts["validation"] = run.history[f"val_{metric}"]
    styles = {"training": {"ms": 3, "color": COLOURS[0], "alpha": 0.45}}
    styles["validation"] = {"ms": 4, "color": COLOURS[1]}
    for name, values in parts.items():
        axis.plot(epochs, values, "o-", label=name, **styles[name])
    best = run.summary["best"]
    if best is not None and best.get(f"val_{metric}") is not None:
        axis.plot(
            best["epoch"], best[f"val_{metric}"], "o", ms=11, mfc="none",
            mec=COLOURS[1], mew=1.6, label=f"best epoch ({best['epoch']})",
        )  # fmt: skip
    near = [value for line in lines for value in line.list_values(metric)]
    values = [value for part in parts.values() for value in part]
    set_range(axis, values, near, find_kept(metric, run.score))
    for line in lines:
        line.draw(axis, metric)
    return mark_outliers(
        axis,
        [
            Curves(name, styles[name]["color"], epochs, np.array([part], float))
            for name, part in parts.items()
        ],
    )


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


def name_run(run: Run) -> str:
    """Return recipe, data and seed of a run."""
    return f"{run.recipe} on {run.data}, seed {run.seed}"


def _title(run: Run) -> str:
    title = name_run(run)
    if run.state != "finished":
        return f"{title}: {run.state} after epoch {run.summary['epochs']}"
    if run.summary["test"]:
        metric = run.score.metric
        value = run.summary["test"]["best"][f"test_{metric}"]
        unit = f" {run.score.unit}" if run.score.unit else ""
        title += (
            f": test {metric} {format_score(value)}{unit} with the best epoch's weights"
        )
    return title
