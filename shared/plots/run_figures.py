"""All pictures of a run: curves, forecasts and comparisons."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.plots.baseline_lines import BASELINE_STYLES, GREYS
from shared.plots.colours import recipe_colour
from shared.plots.confusion_figure import draw_confusion
from shared.plots.curves import draw_curves, name_run
from shared.plots.panels import (
    COLOURS,
    add_legend,
    add_title,
    finish_panel,
    make_panels,
    plain_text,
    wrap_label,
)
from shared.plots.scale import list_epoch_ticks
from shared.runs.reader import read_predictions

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from shared.runs.reader import Run

HOUR = np.timedelta64(1, "h")
STRETCH = np.timedelta64(10, "D")  # what one can read in one picture
PERSISTENCE = ("value of", "last value")  # beginnings of that baseline's names


def draw_run(run: Run) -> Iterator[tuple[str, Figure]]:
    """Yield file name and figure of each picture, drawn from the run folder."""
    if run.history:
        yield "curves", draw_curves(run)
    predictions = read_predictions(run)
    for name in run.task.figures if predictions is not None else ():
        figure = TASK_FIGURES[name](run, predictions)
        if figure is not None:
            yield name, figure
    for names, name, draw in TABLE_FIGURES:
        path = next((p for n in names if (p := run.path / f"{n}.csv").is_file()), None)
        if path is not None:
            with path.open(encoding="utf-8", newline="") as file:
                yield name, draw(run, list(csv.DictReader(file)))


def draw_forecast(run: Run, predictions: dict[str, np.ndarray]) -> Figure | None:
    """Draw forecast and truth for ten days from the middle of the test part.

    Args:
        run: A forecast of one number.
        predictions: From `read_predictions`.

    Returns:
        None if the targets have no time.
    """
    if "times" not in predictions:
        return None
    times = predictions["times"]
    middle = times[len(times) // 2]
    shown = (times >= middle) & (times < middle + STRETCH)
    if not shown.any():
        shown = np.ones(len(times), bool)
    figure, axes = make_panels(1, 2)
    axes[0, 1].remove()
    axis = axes[0, 0]
    axis.set_subplotspec(axes[0, 0].get_gridspec()[0, :])
    lines = {"measured": ("targets", "black", "-")}
    lines["forecast"] = ("predictions", recipe_colour(run.recipe), "-")
    lines |= _list_baselines(_list_persistence(predictions))
    for label, (name, colour, style) in lines.items():
        axis.plot(
            *_break_gaps(times[shown], predictions[name][shown]),
            ls=style, lw=1.4, color=colour, label=wrap_label(label),
        )  # fmt: skip
    axis.set_ylabel(plain_text(_name_target(run)))
    axis.tick_params(axis="x", labelrotation=25, labelsize=8)
    axis.grid(alpha=0.25)
    add_legend(axis)
    add_title(figure, f"{name_run(run)}: forecast and truth, test part")
    return figure


def draw_error_by_hour(run: Run, predictions: dict[str, np.ndarray]) -> Figure | None:
    """Draw the mean absolute error of the test forecasts against the time of day.

    Returns:
        None if the targets have no time, or lie more than an hour apart.
    """
    if "times" not in predictions or not is_hourly(predictions["times"]):
        return None
    hours = predictions["times"].astype("datetime64[h]").astype(np.int64) % 24
    figure, axes = make_panels(1, 1)
    axis = axes[0, 0]
    lines = {"network": ("predictions", recipe_colour(run.recipe), "-")}
    lines |= _list_baselines(k for k in predictions if k.startswith("baseline "))
    present = np.unique(hours)
    for label, (name, colour, style) in lines.items():
        errors = np.abs(predictions[name] - predictions["targets"])
        means = [errors[hours == hour].mean() for hour in present]
        axis.plot(present, means, ls=style, color=colour, label=wrap_label(label))
    axis.set_xlabel("hour of the day that is forecast")
    axis.set_xticks(range(0, 24, 3))
    axis.set_ylabel(plain_text(f"mean absolute error, {_name_target(run)}"))
    axis.set_ylim(bottom=0)
    axis.grid(alpha=0.25)
    add_legend(axis)
    add_title(figure, name_run(run))
    return figure


def is_hourly(times: np.ndarray) -> bool:
    """Return whether times lie at most an hour apart and are of several hours."""
    if len(times) < 2 or np.median(np.diff(times)) > HOUR:
        return False
    return len(np.unique(times.astype("datetime64[h]").astype(np.int64) % 24)) > 1


def draw_error_by_step(run: Run, predictions: dict[str, np.ndarray]) -> Figure:
    """Draw the mean absolute error of the test forecasts against the steps ahead."""
    targets = predictions["targets"]
    figure, axes = make_panels(1, 1)
    axis = axes[0, 0]
    lines = {"network": ("predictions", recipe_colour(run.recipe), "-")}
    lines |= _list_baselines(k for k in predictions if k.startswith("baseline "))
    for label, (name, colour, style) in lines.items():
        errors = np.abs(run.task.find_median(predictions[name]) - targets)
        errors = errors.reshape(*errors.shape[:2], -1).mean(axis=(0, 2))
        steps = np.arange(1, len(errors) + 1)
        marker = "o" if label == "network" else ""
        axis.plot(
            steps, errors, ls=style, marker=marker, ms=4, color=colour,
            label=wrap_label(label),
        )  # fmt: skip
    axis.set_xlabel("steps ahead")
    axis.set_xticks(list_epoch_ticks(targets.shape[1]))
    axis.set_ylabel(plain_text(f"mean absolute error, {_name_target(run)}"))
    axis.set_ylim(bottom=0)
    axis.grid(alpha=0.25)
    add_legend(axis)
    add_title(figure, name_run(run))
    return figure


def draw_free_run(run: Run, rows: list[dict[str, str]]) -> Figure:
    """Draw a forecast that reads its own output, and the clean series.

    Args:
        run: The run whose network made the forecast.
        rows: Columns `sample`, `clean`, and either `read` or `forecast`; the other one
            is empty.
    """
    figure, axes = make_panels(1, 2)
    axes[0, 1].remove()
    axis = axes[0, 0]
    axis.set_subplotspec(axes[0, 0].get_gridspec()[0, :])
    styles = {"clean": ("-", "black", "clean sine"),
              "read": ("o", COLOURS[0], "samples read"),
              "forecast": ("-", COLOURS[1], "forecast, fed back")}  # fmt: skip
    for name, (style, colour, label) in styles.items():
        points = [(int(row["sample"]), float(row[name])) for row in rows if row[name]]
        axis.plot(*zip(*points, strict=True), style, ms=4, color=colour, label=label)
    axis.set_xlabel("sample")
    axis.set_ylim(-1.6, 1.6)
    axis.grid(alpha=0.25)
    add_legend(axis)
    add_title(figure, f"{name_run(run)}: free-running forecast")
    return figure


def draw_comparison_with_keras(run: Run, rows: list[dict[str, str]]) -> Figure:
    """Draw the losses of the NumPy network on top of those of Keras.

    Args:
        run: The run of the NumPy network.
        rows: Rows of `keras_comparison.csv`, one per epoch.
    """
    values = {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}
    epochs, difference = values["epoch"], values["difference"]
    figure, axes = make_panels(1, 2)
    losses, apart = axes[0]
    for name, part, colour in (
        ("loss", "training", COLOURS[0]),
        ("val_loss", "validation", COLOURS[1]),
    ):
        keras = {"lw": 7, "alpha": 0.3, "label": f"{part}, Keras"}
        ours = {"lw": 1, "marker": "o", "ms": 3, "label": f"{part}, NumPy"}
        for column, style in ((f"library_{name}", keras), (name, ours)):
            losses.plot(epochs, values[column], color=colour, **style)
            apart.plot([], [], color=colour, **style)  # for the legend of this panel
    # A logarithmic axis cannot show epochs without any difference.
    differs = np.isfinite(difference) & (difference > 0)
    apart.plot(epochs[differs], difference[differs], "o", ms=4, color="black")
    if differs.any():
        apart.set_yscale("log")
    finish_panel(losses, "Loss")
    finish_panel(apart, "Difference, the larger of training and validation")
    add_legend(apart)
    add_title(figure, f"{name_run(run)}: NumPy and Keras")
    return figure


def _list_baselines(names: Iterable[str]) -> dict[str, tuple[str, str, Any]]:
    """Return name for the legend -> name of the predictions, colour and line style."""
    return {
        name.removeprefix("baseline "): (
            name, GREYS[k % len(GREYS)], BASELINE_STYLES[k % len(BASELINE_STYLES)],
        )
        for k, name in enumerate(names)
    }  # fmt: skip


def _list_persistence(predictions: dict[str, np.ndarray]) -> list[str]:
    names = (name for name in predictions if name.startswith("baseline "))
    return [n for n in names if n.removeprefix("baseline ").startswith(PERSISTENCE)]


def _break_gaps(times: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Insert a NaN into every gap, so that no line crosses it."""
    if len(times) < 2:
        return times, values
    steps = np.diff(times)
    gaps = np.flatnonzero(steps > np.median(steps)) + 1
    return np.insert(times, gaps, times[gaps - 1]), np.insert(values, gaps, np.nan)


def _name_target(run: Run) -> str:
    return getattr(run.task, "quantity", "")


TASK_FIGURES = {
    "forecast": draw_forecast,
    "error_by_hour": draw_error_by_hour,
    "error_by_step": draw_error_by_step,
    "confusion": draw_confusion,
}
"""Name of a picture of a task -> function that draws it from the predictions."""
TABLE_FIGURES = (
    (("free_run",), "free_run", draw_free_run),
    (("keras_comparison", "beside"), "keras_comparison", draw_comparison_with_keras),
)
"""Names of a table in the run folder, name of its picture, function that draws it.
Version 0.1 called the second table `beside`."""
