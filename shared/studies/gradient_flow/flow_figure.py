"""Draw the gradient that reaches each step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from shared.plots.baseline_lines import BASELINE_COLOUR
from shared.plots.colours import assign_styles
from shared.plots.labels import label_groups
from shared.plots.panels import (
    MARKERS,
    add_legend,
    add_title,
    make_panels,
    plain_text,
    wrap_label,
)
from shared.runs.groups import Group

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from shared.studies.gradient_flow.state_gradients import Flow

TITLE = "How much of the gradient of the loss reaches each step"
STYLES = {"start": "--", "trained": "-"}
LEGEND = "dashed: first weights, solid: trained\nmedian and middle half of examples"
SMALLEST = float(np.finfo(np.float32).tiny)


def name_panels(
    groups: Sequence[Group],
) -> tuple[dict[tuple[str, str], str], dict[str, str]]:
    """Return short names for the legend, and the titles of the panels.

    Returns:
        Label of a group and its data -> its name, with only the flags in which the
        groups on these data differ. Then data -> title, with the flags they share.
    """
    names: dict[tuple[str, str], str] = {}
    titles: dict[str, str] = {}
    for data in dict.fromkeys(group.data for group in groups):
        mine = [group for group in groups if group.data == data]
        labels, shared = label_groups(mine)
        names |= {(g.label, data): k for g, k in zip(mine, labels, strict=True)}
        titles[data] = f"{data} ({shared})" if shared else data
    return names, titles


def draw_flows(
    panels: Mapping[str, Mapping[str, Mapping[str, Flow]]],
    title: str,
    recipes: Mapping[str, str] | None = None,
) -> Figure:
    """Draw norms against steps on a log axis, with a row per task, a colour per state.

    Lines are medians over the examples: dashed for the first weights, solid for the
    trained ones. Bands hold the middle half.

    Args:
        panels: Name of the task -> label of a state -> `start`, `trained` or both.
            A panel holds the states of one task.
        title: Above all panels.
        recipes: Label of a state -> its recipe, which has a colour. The second state
            of a recipe has a lighter one and points.
    """
    figure, axes = make_panels(len(panels), 2)
    for number, (task, lines) in enumerate(panels.items()):
        axis, spare = axes[number]
        spare.remove()
        axis.set_subplotspec(axis.get_gridspec()[number, :])
        lowest = 1.0
        styles = assign_styles((recipes or {}).get(label, label) for label in lines)
        for style, (label, flows) in zip(styles, lines.items(), strict=True):
            for weights, flow in flows.items():
                figures = flow.summarise()
                names = ("lower_quartile", "median", "upper_quartile")
                shown = np.array([figures[name] for name in names])
                shown[shown == 0] = np.nan  # a log axis cannot show 0
                low, median, high = shown
                ages = np.arange(len(median))
                colour = style.light
                legend = label if weights == list(flows)[-1] else ""
                axis.plot(
                    ages, median, STYLES[weights], color=colour,
                    lw=1.4, marker=MARKERS[style.dash] if style.dash else "",
                    markevery=max(1, len(ages) // 12), ms=4, label=wrap_label(legend),
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
