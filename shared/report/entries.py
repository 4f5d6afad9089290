"""The order of groups on the page, and which curves are switched on at first."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from shared.plots.colours import LineStyle
from shared.report.published import REFERENCE
from shared.runs.groups import Group
from shared.runs.reader import Run

MOST_SHOWN = 6  # curves that a reader can tell apart
RUNNING_FIRST = {"running": 0, "finished": 1}


@dataclass(frozen=True)
class Entry:
    """A group as it stands on the page.

    Attributes:
        source: `own` or `reference`.
        label: Its label in the run folders; the same in every version of a page.
        group: The group; its label is the name on the page.
        style: Colour and dash of its curve.
    """

    source: str
    label: str
    group: Group
    style: LineStyle


def rank_entries(entries: Iterable[Entry]) -> list[Entry]:
    """Return entries in the order of the page.

    Running groups come first. The finished ones follow, the best on validation first,
    then those that were stopped.
    """

    def rate(entry: Entry) -> tuple[int, int, float, str]:
        runs = entry.group.runs
        score = runs[0].score
        rows = [run.summary["best"] or {} for run in runs]
        values = [
            value
            for row in rows
            if (value := row.get(f"val_{score.metric}")) is not None
        ]
        rank = -score.sign * statistics.fmean(values) if values else 0.0
        order = RUNNING_FIRST.get(runs[0].state, 2)
        return order, int(not values), rank, entry.group.label

    return sorted(entries, key=rate)


def choose_shown(ranked: Sequence[Entry]) -> list[Entry]:
    """Return whose curves are switched on: at most `MOST_SHOWN`, own ones first.

    The best entry of every recipe comes before the second of any.

    Args:
        ranked: In the order of the page.
    """
    usual = [e for e in ranked if e.group.runs[0].state in RUNNING_FIRST]
    ordered = sorted(usual, key=lambda entry: entry.source == REFERENCE)  # stable
    seen: set[str] = set()
    leaders, others = [], []
    for entry in ordered:
        recipe = entry.group.runs[0].recipe
        (others if recipe in seen else leaders).append(entry)
        seen.add(recipe)
    chosen = {entry.label for entry in [*leaders, *others][:MOST_SHOWN]}
    return [entry for entry in usual if entry.label in chosen]


def name_key(run: Run) -> str:
    """Return the key of a run: the last three parts of its path."""
    return "/".join(run.place.parts[-3:])
