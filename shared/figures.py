"""Every picture a run gets: curves, and of a forecast what it forecast."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from shared.plots import (
    BAR_COLOUR,
    COLOURS,
    add_legend,
    add_title,
    draw_curves,
    finish_panel,
    make_panels,
    name_run,
    plain_text,
    wrap_label,
)
from shared.runs import read_predictions

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from shared.runs import Run

STRETCH = np.timedelta64(10, "D")  # what one can read in one picture
PERSISTENCE = ("value of", "last value")  # beginnings of that bar's names


def draw_run(run: Run) -> Iterator[tuple[str, Figure]]:
    """Yield the pictures of a run with their file names, from what its folder holds."""
    if run.history:
        yield "curves", draw_curves(run)
    predictions = read_predictions(run.path)
    if predictions is not None and "times" in predictions:
        yield "forecast", draw_forecast(run, predictions)
        yield "error_by_hour", draw_error_by_hour(run, predictions)
    free_run = run.path / "free_run.csv"
    if free_run.is_file():
        with free_run.open(encoding="utf-8", newline="") as file:
            yield "free_run", draw_free_run(run, list(csv.DictReader(file)))
    beside = run.path / "beside.csv"
    if beside.is_file():
        with beside.open(encoding="utf-8", newline="") as file:
            yield "beside", draw_beside(run, list(csv.DictReader(file)))


def draw_forecast(run: Run, predictions: dict[str, np.ndarray]) -> Figure:
    """Draw forecast against truth for ten days from the middle of the test part.

    Args:
        run: A forecast.
        predictions: From `read_predictions`, with times.
    """
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
    lines["forecast"] = ("predictions", COLOURS[1], "-")
    for name in _list_persistence(predictions):
        lines[name.removeprefix("bar ")] = (name, BAR_COLOUR, ":")
    for label, (name, colour, style) in lines.items():
        axis.plot(
            *_break_gaps(times[shown], predictions[name][shown]),
            style, lw=1.4, color=colour, label=wrap_label(label),
        )  # fmt: skip
    axis.set_ylabel(plain_text(_spell_target(run)))
    axis.tick_params(axis="x", labelrotation=25, labelsize=8)
    axis.grid(alpha=0.25)
    add_legend(axis)
    add_title(figure, f"{name_run(run)}: forecast and truth, test part")
    return figure


def draw_error_by_hour(run: Run, predictions: dict[str, np.ndarray]) -> Figure:
    """Draw the mean absolute error of the test forecasts against the time of day."""
    hours = predictions["times"].astype("datetime64[h]").astype(np.int64) % 24
    figure, axes = make_panels(1, 1)
    axis = axes[0, 0]
    lines = {"network": ("predictions", COLOURS[1], "o-")}
    bars = [name for name in predictions if name.startswith("bar ")]
    for name, style in zip(bars, (":", "--", "-."), strict=False):
        lines[name.removeprefix("bar ")] = (name, BAR_COLOUR, style)
    present = np.unique(hours)
    for label, (name, colour, style) in lines.items():
        errors = np.abs(predictions[name] - predictions["targets"])
        means = [errors[hours == hour].mean() for hour in present]
        axis.plot(present, means, style, ms=4, color=colour, label=wrap_label(label))
    axis.set_xlabel("hour of the day that is forecast")
    axis.set_xticks(range(0, 24, 3))
    axis.set_ylabel(plain_text(f"mean absolute error, {_spell_target(run)}"))
    axis.set_ylim(bottom=0)
    axis.grid(alpha=0.25)
    add_legend(axis)
    add_title(figure, name_run(run))
    return figure


def draw_free_run(run: Run, rows: list[dict[str, str]]) -> Figure:
    """Draw a forecast that feeds on its own output, against the clean series.

    Args:
        run: Its network made the forecast.
        rows: `sample`, `clean`, and either `read` or `forecast`, empty where none.
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


def draw_beside(run: Run, rows: list[dict[str, str]]) -> Figure:
    """Draw the losses of a network written out on those of the library's.

    Args:
        run: Of the network written out.
        rows: Of `beside.csv`, a row per epoch.
    """
    values = {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}
    epochs, difference = values["epoch"], values["difference"]
    figure, axes = make_panels(1, 2)
    losses, apart = axes[0]
    for name, part, colour in (
        ("loss", "training", COLOURS[0]),
        ("val_loss", "validation", COLOURS[1]),
    ):
        theirs = {"lw": 7, "alpha": 0.3, "label": f"{part}, library"}
        ours = {"lw": 1, "marker": "o", "ms": 3, "label": f"{part}, written out"}
        for column, style in ((f"library_{name}", theirs), (name, ours)):
            losses.plot(epochs, values[column], color=colour, **style)
            apart.plot([], [], color=colour, **style)  # named beside this panel
    # A logarithmic axis has no place for epochs that agree to the last digit.
    parted = np.isfinite(difference) & (difference > 0)
    apart.plot(epochs[parted], difference[parted], "o", ms=4, color="black")
    if parted.any():
        apart.set_yscale("log")
    finish_panel(losses, "Loss")
    finish_panel(apart, "Difference, the larger of training and validation")
    add_legend(apart)
    add_title(figure, f"{name_run(run)}: written out, beside the library's")
    return figure


def _list_persistence(predictions: dict[str, np.ndarray]) -> list[str]:
    names = (name for name in predictions if name.startswith("bar "))
    return [n for n in names if n.removeprefix("bar ").startswith(PERSISTENCE)]


def _break_gaps(times: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Put a NaN into every gap, so that no line is drawn across it."""
    if len(times) < 2:
        return times, values
    steps = np.diff(times)
    gaps = np.flatnonzero(steps > np.median(steps)) + 1
    return np.insert(times, gaps, times[gaps - 1]), np.insert(values, gaps, np.nan)


def _spell_target(run: Run) -> str:
    return str(run.config["settings"].get("target", ""))
