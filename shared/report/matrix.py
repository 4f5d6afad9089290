"""Verdicts as a matrix: each row is compared with each column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from shared.compare.published_verdicts import read_verdicts
from shared.compare.verdicts import (
    MOST_GROUPS,
    Verdict,
    compare_groups,
    find_best,
    find_ends,
    format_ends,
)
from shared.core.errors import UserError
from shared.core.statistics import LEVEL
from shared.runs.groups import Group
from shared.tasks.score import Score

BASELINE = "best simple model"
OWN = "own"  # the source of the user's runs
REFERENCE = "reference"  # the source of published runs
MARK = f" ({REFERENCE})"  # ends their labels


@dataclass(frozen=True)
class Published:
    """A published difference with its corrected interval."""

    low: float
    high: float

    def interval(self, level: float) -> tuple[float, float]:
        """Return the corrected interval, whatever the level."""
        return self.low, self.high


class VerdictCache:
    """Keeps verdicts, which take a moment each, while a page is updated.

    Published runs hold no predictions. Their verdicts were computed before they were
    published, and are read from a file.

    Args:
        published: Folder of the published runs and their verdicts; None without one.

    Attributes:
        problems: A sentence if the file of published verdicts cannot be used.
    """

    def __init__(self, published: Path | None = None) -> None:
        self._known: dict[tuple[Path, ...], list[Verdict]] = {}
        self.problems: list[str] = []
        self._rows: list[dict[str, str]] = []
        if published is not None:
            try:
                self._rows = read_verdicts(published)
            except UserError as error:
                self.problems.append(f"Not used: {error}")

    def __call__(self, groups: Sequence[Group]) -> list[Verdict]:
        """Return the verdicts on groups of finished runs, which never change."""
        key = tuple(run.path for group in groups for run in group.runs)
        if key not in self._known:
            self._known[key] = compare_groups(groups)
        own = [
            verdict
            for verdict in self._known[key]
            if verdict.difference is not None
            or not (_is_published(verdict.first) and _is_published(verdict.second))
        ]
        known = {frozenset((v.first, v.second)) for v in own}
        return own + [
            verdict
            for verdict in self._read_published(groups)
            if frozenset((verdict.first, verdict.second)) not in known
        ]

    def _read_published(self, groups: Sequence[Group]) -> list[Verdict]:
        """Return the published verdicts on these groups."""
        shown = {
            group.label.removesuffix(MARK): group.label
            for group in groups
            if _is_published(group.label)
        }
        verdicts = []
        for row in self._rows:
            is_baseline = row["second_is_baseline"] == "True"
            second = row["second"] if is_baseline else shown.get(row["second"])
            first = shown.get(row["first"])
            if row["data"] != groups[0].data or not (first and second):
                continue
            verdict = Verdict(row["data"], first, second, is_baseline, row["sentence"])
            if row["corrected_low"]:
                low, high = (
                    float(row["corrected_low"]),
                    float(row["corrected_high"]),
                )
                verdict = replace(
                    verdict,
                    difference=Published(low, high),
                    corrected=float(row["corrected_p"]),
                )
            differs = (row["differs"],) if row["differs"] else ()
            verdicts.append(replace(verdict, differs=differs))
        return verdicts


def _is_published(label: str) -> bool:
    return label.endswith(MARK)


def build_matrix(
    verdicts: Sequence[Verdict], groups: Sequence[Group]
) -> dict[str, Any]:
    """Arrange verdicts in rows and columns.

    Args:
        verdicts: The verdicts on `groups`.
        groups: All on one data set, at least one.

    Returns:
        `columns` (labels), `rows` (`label` and a cell per column: None without a
        comparison, else `result`, `interval` and `sentence`), `pairs` (sentences with
        what else differs) and `note`.
    """
    score = groups[0].runs[0].score
    labels = [group.label for group in groups]
    cells: dict[tuple[str, str], dict[str, str]] = {}
    for verdict in verdicts:
        second = BASELINE if verdict.is_baseline else verdict.second
        cells[verdict.first, second] = _build_cell(verdict, score, False)
        if not verdict.is_baseline:
            cells[second, verdict.first] = _build_cell(verdict, score, True)
    columns, note = labels, ""
    if len(groups) > MOST_GROUPS:
        best = find_best(groups).label
        columns = [best]
        note = f"{len(groups)} groups: each is compared with {best}, the best on "
        note += "validation."
    if len(groups) == 1:
        columns = []
    if any(verdict.is_baseline for verdict in verdicts):
        columns = [*columns, BASELINE]
    return {
        "columns": columns,
        "rows": [
            {"label": label, "cells": [cells.get((label, name)) for name in columns]}
            for label in labels
        ],
        "pairs": [
            {"sentence": verdict.sentence, "differs": list(verdict.differs)}
            for verdict in verdicts
        ],
        "note": note,
    }


def _build_cell(verdict: Verdict, score: Score, is_turned: bool) -> dict[str, str]:
    """Return a verdict as seen by the first group or (turned) by the second."""
    if verdict.difference is None:
        return {"result": "unknown", "interval": "", "sentence": verdict.sentence}
    scale, unit = score.format_unit()
    low, high = find_ends(verdict, score, scale)
    if is_turned:
        low, high = -high, -low
    result = "unclear"
    if verdict.corrected <= 1 - LEVEL:
        result = "better" if low > 0 else "worse"
    return {
        "result": result,
        "interval": f"{format_ends(low, high)}{unit}",
        "sentence": verdict.sentence,
    }
