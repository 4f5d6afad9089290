"""Verdicts as a matrix: what stands in a row, held against what stands in a column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from shared.groups import Group
from shared.reference.record import read_verdicts
from shared.statistics import LEVEL
from shared.verdicts import (
    MOST_GROUPS,
    Verdict,
    choose_unit,
    find_best,
    find_ends,
    judge_groups,
    spell_ends,
)

BAR = "best simple model"
REFERENCE = "reference"  # the source of published runs
MARK = f" ({REFERENCE})"  # ends their labels


@dataclass(frozen=True)
class Published:
    """A difference as it was published: its interval is the corrected one."""

    low: float
    high: float

    def interval(self, level: float) -> tuple[float, float]:
        """Return the interval, which knows one level only."""
        return self.low, self.high


class Judge:
    """Remembers verdicts, which take a moment each, while a page is made anew.

    Published runs are slim and hold no predictions; what was found when they did stands
    beside them.

    Args:
        published: Folder of the published runs and of their verdicts, if there is one.
    """

    def __init__(self, published: Path | None = None) -> None:
        self._known: dict[tuple[Path, ...], list[Verdict]] = {}
        self._published = published

    def __call__(self, groups: Sequence[Group]) -> list[Verdict]:
        """Return the verdicts on finished groups; finished runs do not change."""
        key = tuple(run.path for group in groups for run in group.runs)
        if key not in self._known:
            self._known[key] = judge_groups(groups)
        answered = [
            verdict
            for verdict in self._known[key]
            if verdict.difference is not None
            or not (_is_published(verdict.first) and _is_published(verdict.second))
        ]
        asked = {frozenset((v.first, v.second)) for v in answered}
        return answered + [
            verdict
            for verdict in self._read_published(groups)
            if frozenset((verdict.first, verdict.second)) not in asked
        ]

    def _read_published(self, groups: Sequence[Group]) -> list[Verdict]:
        """Return the published verdicts between groups that are shown."""
        if self._published is None:
            return []
        shown = {
            group.label.removesuffix(MARK): group.label
            for group in groups
            if _is_published(group.label)
        }
        verdicts = []
        for row in read_verdicts(self._published):
            is_bar = row["second_is_bar"] == "True"
            second = row["second"] if is_bar else shown.get(row["second"])
            first = shown.get(row["first"])
            if row["data"] != groups[0].data or not (first and second):
                continue
            verdict = Verdict(row["data"], first, second, is_bar, row["sentence"])
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
            told = (row["differs"],) if row["differs"] else ()
            verdicts.append(replace(verdict, differs=told))
        return verdicts


def _is_published(label: str) -> bool:
    return label.endswith(MARK)


def build_matrix(
    verdicts: Sequence[Verdict], groups: Sequence[Group]
) -> dict[str, Any]:
    """Arrange verdicts as rows and columns.

    Args:
        verdicts: Those of `groups`.
        groups: All on one data set, at least one.

    Returns:
        `columns` (labels), `rows` (`label` and a cell per column: None where nothing
        was asked, else `result`, `interval` and `sentence`), `pairs` (sentences with
        what else differs) and `note`.
    """
    score = groups[0].runs[0].summary["score"]
    labels = [group.label for group in groups]
    cells: dict[tuple[str, str], dict[str, str]] = {}
    for verdict in verdicts:
        second = BAR if verdict.is_bar else verdict.second
        cells[verdict.first, second] = _build_cell(verdict, score, False)
        if not verdict.is_bar:
            cells[second, verdict.first] = _build_cell(verdict, score, True)
    columns, note = labels, ""
    if len(groups) > MOST_GROUPS:
        best = find_best(groups).label
        columns = [best]
        note = f"{len(groups)} groups: each is held against {best}, the best on "
        note += "validation."
    if len(groups) == 1:
        columns = []
    if any(verdict.is_bar for verdict in verdicts):
        columns = [*columns, BAR]
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


def _build_cell(
    verdict: Verdict, score: dict[str, Any], is_turned: bool
) -> dict[str, str]:
    """Return one answer, seen from the first group or (turned) from the second."""
    if verdict.difference is None:
        return {"result": "unknown", "interval": "", "sentence": verdict.sentence}
    scale, unit, _ = choose_unit(score, [])
    low, high = find_ends(verdict, score, scale)
    if is_turned:
        low, high = -high, -low
    result = "unclear"
    if verdict.corrected <= 1 - LEVEL:
        result = "better" if low > 0 else "worse"
    return {
        "result": result,
        "interval": f"{spell_ends(low, high)}{unit}",
        "sentence": verdict.sentence,
    }
