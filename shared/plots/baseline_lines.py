"""Lines of the simple models and of the best achievable scores in a panel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from matplotlib.lines import Line2D

from shared.plots.panels import wrap_label
from shared.runs.terminal import format_score

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BASELINE_COLOUR = "#777777"
BEST_ACHIEVABLE_COLOUR = "#B00020"  # nobody can do better
BASELINE_STYLES = ("--", ":", "-.", (0, (9, 3)), (0, (1, 3)), (0, (5, 1, 1, 1, 1, 1)))
GREYS = ("#333333", "#777777")  # in turn, so that neighbours differ twice
APART = 0.01  # share of a panel from which on two lines can be seen as two


@dataclass
class BaselineLine:
    """One baseline in a picture: one style and one label, however many groups have it.

    Attributes:
        name: Its name.
        scores: A row of `list_baselines` for each choice of data that the groups read.
        colour: Grey, or red for a score that nobody can beat.
        style: Line style of matplotlib.
        notes: Where it is outside a panel, such as `accuracy 0.5000, below`.
        count: The most lines that it has in a panel.
    """

    name: str
    scores: list[Mapping[str, Any]]
    colour: str
    style: Any
    notes: list[str] = field(default_factory=list)
    count: int = 1

    @property
    def label(self) -> str:
        """Its name, what is outside the panels, and why it has several lines."""
        notes = list(dict.fromkeys(self.notes))
        if self.count > 1:
            notes.append(f"{self.count} lines: different data")
        return f"{self.name} ({'; '.join(notes)})" if notes else self.name

    def list_values(self, metric: str, part: str = "validation") -> list[float]:
        """Return its scores in a metric on a part of the data."""
        values = [row[part].get(metric) for row in self.scores]
        return [value for value in values if value is not None]

    def draw(
        self, axis: Axes, metric: str, part: str = "validation", across: bool = True
    ) -> None:
        """Draw it into a panel whose range is set, or note that it is outside.

        Args:
            axis: The panel.
            metric: What the panel shows.
            part: Of the data.
            across: Whether the scores are on the vertical axis.
        """
        low, high = axis.get_ylim() if across else axis.get_xlim()
        drawn: list[float] = []
        for value in sorted(self.list_values(metric, part)):
            if not low <= value <= high:
                side = "below" if value < low else "above"
                note = f"{metric} {format_score(value)}, {side}"
                if not across:
                    side = "left" if value < low else "right"
                    note = f"{format_score(value)}, outside on the {side}"
                self.notes.append(note)
            elif not drawn or value - drawn[-1] > APART * (high - low):
                line = axis.axhline if across else axis.axvline
                line(value, ls=self.style, lw=1.3, color=self.colour, zorder=1)
                drawn.append(value)
        self.count = max(self.count, len(drawn))

    def handle(self, width: int) -> Line2D:
        """Return its entry for a legend, with lines of some characters."""
        label = wrap_label(self.label, width)
        return Line2D([], [], ls=self.style, lw=1.3, color=self.colour, label=label)


def merge_baselines(
    baselines: Sequence[Mapping[str, Any]], owners: Sequence[str] = ()
) -> list[BaselineLine]:
    """Return a line per name.

    Args:
        baselines: From `list_baselines`, or of one run.
        owners: Labels of the groups. A name that ends with one in parentheses is that
            of a group that reads other data.
    """
    merged: dict[str, BaselineLine] = {}
    for baseline in baselines:
        name = baseline["name"]
        for owner in owners:
            name = name.removesuffix(f" ({owner})")
        if name in merged:
            merged[name].scores.append(baseline)
            continue
        k = len(merged)
        best = baseline.get("is_best_achievable")
        colour = BEST_ACHIEVABLE_COLOUR if best else GREYS[k % len(GREYS)]
        style = BASELINE_STYLES[k % len(BASELINE_STYLES)]
        merged[name] = BaselineLine(name, [baseline], colour, style)
    return list(merged.values())
