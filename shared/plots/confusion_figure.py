"""The picture of what a classifier confuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shared.core.text import shorten
from shared.plots.curves import name_run
from shared.plots.fonts import MISSING
from shared.plots.panels import add_title, make_panels, plain_text
from shared.tasks.confusion import count_confusions

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from shared.runs.reader import Run

MOST_CLASSES = 30  # more labels cannot be read
MOST_NUMBERS = 12  # classes with a number in each cell
LABEL = 18  # characters of a class


def draw_confusion(run: Run, predictions: dict[str, np.ndarray]) -> Figure | None:
    """Draw which class was predicted for which true class, on the test part.

    A row holds the test texts of a class. Its colours are shares of the row. Classes
    whose letters no font has are numbered.

    Returns:
        None if there are more than 30 classes.
    """
    classes = run.task.classes
    if len(classes) > MOST_CLASSES:
        return None
    counts = count_confusions(
        predictions["targets"], predictions["predictions"], len(classes)
    )
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure, axes = make_panels(1, 1)
    axis = axes[0, 0]
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    names = [plain_text(shorten(name, LABEL)) for name in classes]
    note = ""
    if any(MISSING in name for name in names):
        names = [str(k) for k in range(1, len(classes) + 1)]
        note = " (row of classes.csv)"
    places = range(len(classes))
    axis.set_xticks(places, names, rotation=45, ha="right", fontsize=8)
    axis.set_yticks(places, names, fontsize=8)
    axis.set_xlabel(f"predicted class{note}")
    axis.set_ylabel(f"true class{note}")
    if len(classes) <= MOST_NUMBERS:
        for row, column in np.ndindex(counts.shape):
            colour = "white" if shares[row, column] > 0.6 else "black"
            axis.text(
                column, row, f"{counts[row, column]:,}",
                ha="center", va="center", fontsize=8, color=colour,
            )  # fmt: skip
    add_title(figure, f"{name_run(run)}: test texts by class")
    return figure
