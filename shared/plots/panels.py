"""Panels, titles and legends that all pictures share."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure, SubFigure

from shared.plots.fonts import mark_missing
from shared.plots.scale import list_epoch_ticks

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.legend import Legend

# Okabe and Ito's colours, which colour-blind readers can distinguish.
COLOURS = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#555555",
)  # fmt: skip
DASHES = ("-", "--", ":", "-.")
"""Line of the first, second, ... group of one recipe."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
"""Points of the first, second, ... group of a panel."""
PANEL = (4.6, 3.7)  # inches
LEGEND = 2.2  # inches to the right of each row of panels
LEGEND_LINE = 0.17  # inches
LABEL_WIDTH, TITLE_WIDTH = 34, 52  # characters of a line
PAGE = 6.2
"""Width in inches of a picture whose legend is below it. On a phone, 390 pixels wide,
its smallest letters are about as high as small print."""
PAGE_DPI = 170
FIXED_SPACE = "\N{NO-BREAK SPACE}"
LETTER = 0.075  # inches, mean width of a letter of the legend


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


def make_page(
    heights: Sequence[float], width: float = PAGE
) -> tuple[Figure, list[SubFigure]]:
    """Return a figure as wide as a page, and its parts from top to bottom.

    Args:
        heights: Inches of each part.
        width: Inches of the figure.
    """
    figure = Figure(figsize=(width, sum(heights)), dpi=PAGE_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    parts = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)
    return figure, list(parts[:, 0])


def finish_panel(axis: Axes, title: str, across: str = "epoch") -> None:
    """Give a panel its title, the name of its horizontal axis, and a light grid.

    Epochs are whole numbers from 1.
    """
    _set_title(axis, title, TITLE_WIDTH)
    axis.set_xlabel(across)
    if across == "epoch":
        name_epochs(axis)
    axis.grid(alpha=0.25)
    hide_frame(axis)


def finish_page_panel(axis: Axes, title: str, across: str, columns: int) -> None:
    """Finish one of some panels next to each other on a page."""
    finish_panel(axis, title, across)
    _set_title(axis, title, int(PAGE / columns / LETTER * 0.82), columns > 2)


def name_epochs(axis: Axes) -> None:
    """Mark whole epochs below a panel, from 1 to the last that is drawn."""
    last = axis.dataLim.x1
    last = int(last) if np.isfinite(last) and last >= 1 else 1
    axis.set_xticks(list_epoch_ticks(last))
    room = 0.04 * max(last - 1, 5)
    axis.set_xlim(1 - room, last + room)


def hide_frame(axis: Axes) -> None:
    """Leave the left and lower side of the frame of a panel."""
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)


def add_legend(panel: Axes, title: str | None = None) -> Legend:
    """Add the legend of a row of panels to the right of its last panel."""
    return panel.legend(
        title=title, title_fontsize=8, alignment="left", fontsize=8, frameon=False,
        loc="upper left", bbox_to_anchor=(1.01, 1.0),
    )  # fmt: skip


def add_page_legend(part: SubFigure, handles: Sequence[Artist], title: str) -> None:
    """Add a legend in two columns below the panels of a part of a page."""
    part.legend(
        handles=handles, loc="outside lower center", ncols=2, fontsize=9.5,
        title=title or None, title_fontsize=9, alignment="left", frameon=False,
        columnspacing=1.2, labelspacing=0.35, handlelength=2.4,
    )  # fmt: skip


def measure_legend(labels: Sequence[str], title: str) -> float:
    """Return about how many inches high a legend below a page is."""
    half = -(-len(labels) // 2)
    columns = labels[:half], labels[half:]
    lines = max(sum(1 + label.count("\n") for label in c) for c in columns)
    return 0.2 + 0.19 * lines + (0.17 * (title.count("\n") + 1) if title else 0)


def add_title(figure: Figure, title: str) -> None:
    """Add a title above all panels, in as many lines as needed."""
    characters = int(figure.get_figwidth() * 10)
    lines = textwrap.wrap(title, characters, break_on_hyphens=False)
    figure.suptitle(plain_text("\n".join(lines)), fontsize=11, fontweight="bold")


def wrap_label(text: str, width: int = LABEL_WIDTH) -> str:
    """Return a label of a legend in lines that fit its width."""
    lines = textwrap.wrap(text, width, break_on_hyphens=False)
    return plain_text("\n".join(lines))


def plain_text(text: str) -> str:
    """Escape dollar signs, which matplotlib reads as mathematics; mark lost letters."""
    return mark_missing(text).replace("$", r"\$")


def _set_title(axis: Axes, title: str, characters: int, narrow: bool = False) -> None:
    title = re.sub(r"\([^)]*\)", lambda unit: unit[0].replace(" ", FIXED_SPACE), title)
    lines = textwrap.wrap(title, characters, break_on_hyphens=narrow)
    text = "\n".join(lines).replace(FIXED_SPACE, " ")
    axis.set_title(plain_text(text), fontsize=9 if narrow else 10)
