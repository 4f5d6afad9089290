"""Which groups of runs share a panel, what they are called and how they look."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shared.plots.baseline_lines import BaselineLine, merge_baselines
from shared.plots.colours import LineStyle
from shared.plots.curves import merge_metrics
from shared.plots.labels import count_seeds, label_groups, style_groups
from shared.runs.groups import Group, list_baselines
from shared.tasks.score import format_title

if TYPE_CHECKING:
    from shared.tasks.score import Score

MOST_GROUPS = 8
"""Groups in one panel; with more, each recipe has a panel of its own."""
MOST_PANELS = 12


@dataclass
class Block:
    """The panels of one data set.

    Attributes:
        data: Name of the data set.
        groups: The groups that are drawn.
        panels: Groups, metric and title of each panel.
        left_out: What is not drawn, in words.
        title: Above all panels; empty if each panel says what it shows.
        styles: Label of a group -> how it looks.
        labels: Label of a group -> its name in the legend.
        shared: Flags that all groups share, in words.
        seeds: How many seeds most groups have.
        baselines: Lines of the baselines.
    """

    data: str
    groups: list[Group]
    panels: list[tuple[list[Group], str, str]]
    left_out: str = ""
    title: str = ""
    styles: dict[str, LineStyle] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    shared: str = ""
    seeds: int = 1
    baselines: list[BaselineLine] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Name the groups, and give each recipe its colour."""
        names = [group.label for group in self.groups]
        styles = style_groups(self.groups)
        self.styles = dict(zip(names, styles, strict=True))
        labels, self.shared = label_groups(self.groups)
        self.seeds, notes = count_seeds(self.groups)
        self.labels = {
            name: label + note
            for name, label, note in zip(names, labels, notes, strict=True)
        }
        self.baselines = merge_baselines(list_baselines(self.groups), names)

    @property
    def score(self) -> Score:
        """Score of the task."""
        return self.groups[0].runs[0].score

    def describe(self) -> list[str]:
        """Return what the legend says about all groups."""
        lines = []
        if self.seeds > 1:
            lines.append(f"line: mean of {self.seeds} seeds, band: their range")
        if self.shared:
            lines.append(f"all with {self.shared}")
        return [*lines, self.left_out] if self.left_out else lines


def plan_block(groups: list[Group]) -> Block:
    """Return which groups of one data set share a panel, and what is left out."""
    metric, data = groups[0].runs[0].score.metric, groups[0].data
    recipes = list(dict.fromkeys(group.runs[0].recipe for group in groups))
    title = _title(metric, groups[0].runs[0].score)
    if len(groups) <= MOST_GROUPS or len(recipes) == 1:
        shown, note = _keep_best(groups, MOST_GROUPS, "groups")
        panels = [
            (shown, name, f"{_title(name, groups[0].runs[0].score)} on {data}")
            for name in merge_metrics(shown)
        ]
        return Block(data, shown, panels, note)
    families = {
        name: [group for group in groups if group.runs[0].recipe == name]
        for name in recipes
    }
    best, note = _keep_best(
        [max(family, key=rate_group) for family in families.values()],
        MOST_PANELS, "recipes",
    )  # fmt: skip
    panels, notes = [], [note] if note else []
    for name in (group.runs[0].recipe for group in best):
        shown, note = _keep_best(families[name], MOST_GROUPS, f"groups of {name}")
        panels.append((shown, metric, name))
        notes += [note] if note else []
    drawn = [group for shown, *_ in panels for group in shown]
    title = f"{title} on {data}, a panel per recipe"
    return Block(data, drawn, panels, "; ".join(notes), title)


def rate_group(group: Group) -> float:
    """Return the mean validation score of the best epochs; higher is better."""
    score = group.runs[0].score
    found = [(run.summary["best"] or {}).get(f"val_{score.metric}")
             for run in group.runs]  # fmt: skip
    known = [value for value in found if value is not None and math.isfinite(value)]
    return score.sign * statistics.fmean(known) if known else -math.inf


def _keep_best(groups: list[Group], most: int, what: str) -> tuple[list[Group], str]:
    """Return the best groups in their order, and a note if some are left out."""
    if len(groups) <= most:
        return groups, ""
    best = sorted(groups, key=rate_group, reverse=True)[:most]
    kept = [group for group in groups if group in best]
    return kept, f"the best {most} of {len(groups)} {what} on validation"


def _title(metric: str, score: Score) -> str:
    title = format_title(metric, score.unit)
    return f"Validation {title[0].lower()}{title[1:]}"
