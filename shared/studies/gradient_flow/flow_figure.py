"""Draw the gradient that reaches each step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from shared.plots.baseline_lines import BASELINE_COLOUR
from shared.plots.panels import (
    COLOURS,
    add_legend,
    add_title,
    make_panels,
    plain_text,
    wrap_label,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from shared.studies.gradient_flow.state_gradients import Flow

STYLES = {"start": "--", "trained": "-"}
LEGEND = "dashed: first weights, solid: trained\nmedian and middle half of examples"
SMALLEST = float(np.finfo(np.float32).tiny)


def draw_flows(
    panels: Mapping[str, Mapping[str, Mapping[str, Flow]]], title: str
) -> Figure:
    """Draw norms against steps on a log axis, with a row per task, a colour per state.

    Lines are medians over the examples: dashed for the first weights, solid for the
    trained ones. Bands hold the middle half.

    Args:
        panels: Name of the task -> label of a state -> `start`, `trained` or both.
            A panel holds the states of one task.
        title: Above all panels.
    """
    figure, axes = make_panels(len(panels), 2)
    for number, (task, lines) in enumerate(panels.items()):
        axis, spare = axes[number]
        spare.remove()
        axis.set_subplotspec(axis.get_gridspec()[number, :])
        lowest = 1.0
        for k, (label, flows) in enumerate(lines.items()):
            for weights, flow in flows.items():
                figures = flow.summarise()
                names = ("lower_quartile", "median", "upper_quartile")
                shown = np.array([figures[name] for name in names])
                shown[shown == 0] = np.nan  # a log axis cannot show 0
                low, median, high = shown
                ages = np.arange(len(median))
                colour = COLOURS[k % len(COLOURS)]
                legend = label if weights == list(flows)[-1] else ""
                axis.plot(
                    ages, median, STYLES[weights], color=colour,
                    lw=1.4 if k < len(COLOURS) else 0.7, label=wrap_label(legend),
                )  # fmt: skip
                axis.fill_between(ages, low, high, color=colour, alpha=0.15, lw=0)
                lowest = min(lowest, np.nanmin(shown, initial=lowest))
        if lowest < SMALLEST:
            axis.axhline(
                SMALLEST, ls=":", lw=1.3, color=BASELINE_COLOUR, zorder=1,
                label=wrap_label("below this line float32, used in training, is 0"),
            )  # fmt: skip
        axis.set_yscale("log")
        axis.set_title(plain_text(task), fontsize=10)
        axis.invert_xaxis()  # the last step read is on the right, as in a text
        axis.set_xlabel("steps back from the last one read")
        axis.set_ylabel("norm of the gradient by the state")
        axis.grid(alpha=0.25)
        for side in ("top", "right"):
            axis.spines[side].set_visible(False)
        add_legend(axis, LEGEND)
    add_title(figure, title)
    return figure
