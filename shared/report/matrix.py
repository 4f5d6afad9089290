"""Verdicts as a matrix: each row is compared with each column."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from shared.compare.verdicts import (
    MOST_GROUPS,
    Verdict,
    compare_groups,
    find_best,
    find_ends,
    format_ends,
)
from shared.core.statistics import LEVEL
from shared.report.published import PublishedVerdicts, rename
from shared.runs.groups import Group
from shared.runs.reader import PREDICTIONS
from shared.tasks.score import Score, format_title

MOST_NAMED = 6  # with more columns than these, columns have numbers
MOST_COLUMNS = 16  # of groups
MOST_LISTED = 12  # names in a note


class VerdictCache:
    """Keeps verdicts, which take a moment each, while a page is updated.

    Published runs hold no predictions. Their verdicts were computed before they were
    published, and are read from files.

    Args:
        published: Folder of the published runs and their verdicts; None without one.

    Attributes:
        problems: A sentence for each file of published verdicts that cannot be used.
    """

    def __init__(self, published: Path | None = None) -> None:
        self._known: dict[tuple, list[Verdict]] = {}
        self._published = PublishedVerdicts(published)
        self.problems = self._published.problems

    def __call__(
        self, groups: Sequence[Group], published: Mapping[str, str]
    ) -> list[Verdict]:
        """Return the verdicts on groups of finished runs, which never change.

        Args:
            groups: All on one data set.
            published: Label of each published group here -> its published label.
        """
        able = list_comparable(groups)
        key = tuple((group.label, run.path) for group in able for run in group.runs)
        if able and key not in self._known:
            self._known[key] = compare_groups(able)
        own = self._known[key] if able else []
        known = {frozenset((verdict.first, verdict.second)) for verdict in own}
        shown = {
            published[group.label]: group
            for group in groups
            if group.label in published
        }
        return own + [
            verdict
            for verdict in self._published.list_verdicts(shown)
            if frozenset((verdict.first, verdict.second)) not in known
        ]


def list_comparable(groups: Sequence[Group]) -> list[Group]:
    """Return the groups with a file of test predictions."""
    return [
        group
        for group in groups
        if any(os.path.lexists(run.path / PREDICTIONS) for run in group.runs)
    ]


def build_matrix(
    verdicts: Sequence[Verdict], groups: Sequence[Group], published: Mapping[str, str]
) -> dict[str, Any]:
    """Arrange verdicts in rows and columns.

    Groups and simple models without any comparison have no column. At most
    `MOST_COLUMNS` groups have one.

    Args:
        verdicts: The verdicts on `groups`.
        groups: All on one data set, at least one.
        published: As in `VerdictCache`.

    Returns:
        `columns` (`label` and `number`, which is "" where all labels fit), `rows`
        (`label`, `number` and a cell per column: None without a comparison, else
        `result`, `interval` and `sentence`), `is_long` (whether columns have numbers),
        `pairs` (sentences with what else differs), `unit` of the intervals and `notes`
        (sentences).
    """
    score = groups[0].runs[0].score
    labels = [group.label for group in groups]
    verdicts = [_mark_simple(verdict) for verdict in verdicts]
    cells: dict[tuple[str, str, bool], dict[str, str]] = {}
    for verdict in verdicts:
        pair = verdict.first, verdict.second
        cells[*pair, verdict.is_baseline] = _build_cell(verdict, score, False)
        if not verdict.is_baseline:
            cells[*pair[::-1], False] = _build_cell(verdict, score, True)
    baselines = dict.fromkeys(v.second for v in verdicts if v.is_baseline)
    met = Counter(first for first, _, is_baseline in cells if not is_baseline)
    compared = [name for name in labels if name in met]
    most = sorted(compared, key=met.get, reverse=True)[:MOST_COLUMNS]
    columns = [(name, True) for name in baselines]
    columns += [(name, False) for name in compared if name in most]
    is_long = len(columns) > MOST_NAMED
    numbers = {name: str(k) for k, name in enumerate(labels, start=1) if is_long}
    rows = [
        {
            "label": label,
            "number": numbers.get(label, ""),
            "cells": [cells.get((label, *column)) for column in columns],
        }
        for label in labels
    ]
    if len(rows) > MOST_COLUMNS:
        rows = [row for row in rows if any(row["cells"])]
    notes = _list_notes(groups, published, compared)
    if len(compared) > len(most):
        notes.append(
            f"Columns: the {len(most)} entries with the most comparisons. The list "
            "below has every comparison."
        )
    return {
        "columns": [
            {"label": name, "number": "" if is_baseline else numbers.get(name, "")}
            for name, is_baseline in columns
        ],
        "rows": rows,
        "is_long": is_long,
        "pairs": [
            {"sentence": verdict.sentence, "differs": list(verdict.differs)}
            for verdict in verdicts
        ],
        "unit": name_unit(score),
        "notes": notes,
    }


def _mark_simple(verdict: Verdict) -> Verdict:
    """Return a verdict whose sentence says which of the two is a simple model."""
    if not verdict.is_baseline:
        return verdict
    names = {verdict.second: f'the simple model "{verdict.second}"'}
    return replace(verdict, sentence=rename(verdict.sentence, names))


def name_unit(score: Score) -> str:
    """Return the unit of a difference in words, such as `percentage points`."""
    if score.is_share:
        return "percentage points"
    unit = score.format_unit()[1].strip()
    return lower_title(score.metric) if unit == score.metric else unit


def lower_title(metric: str, unit: str = "") -> str:
    """Return the title of a metric for the middle of a sentence."""
    title = format_title(metric, unit)
    return title if title[:2].isupper() else title[:1].lower() + title[1:]


def _list_notes(
    groups: Sequence[Group], published: Mapping[str, str], compared: Sequence[str]
) -> list[str]:
    """Return why cells are empty."""
    able = list_comparable(groups)
    notes = []
    if len(able) > MOST_GROUPS:
        notes.append(
            f"{len(able)} entries have test predictions here. Each is compared with "
            f"{find_best(able).label}, the best of them on validation."
        )
    if any(group.label in published for group in groups):
        notes.append(
            "Published runs come without their test predictions, so only the published "
            "comparisons can be shown."
        )
    able_labels = {group.label for group in able}
    lacking = [
        group.label
        for group in groups
        if group.label not in published and group.label not in able_labels
    ]
    if lacking:
        notes.append(f"No test predictions were saved by: {_join(lacking)}.")
    seen = {*compared, *lacking}
    alone = [group.label for group in groups if group.label not in seen]
    if alone and len(groups) > 1:
        notes.append(f"Compared with no other recipe yet: {_join(alone)}.")
    return notes


def _join(names: Sequence[str]) -> str:
    more = len(names) - MOST_LISTED
    if more > 0:
        names = [*names[:MOST_LISTED], f"{more} more"]
    return "; ".join(names)


def _build_cell(verdict: Verdict, score: Score, is_turned: bool) -> dict[str, str]:
    """Return a verdict as seen by the first group or (turned) by the second."""
    if verdict.difference is None:
        return {"result": "unknown", "interval": "", "sentence": verdict.sentence}
    scale, _ = score.format_unit()
    low, high = find_ends(verdict, score, scale)
    if is_turned:
        low, high = -high, -low
    result = "unclear"
    if verdict.corrected <= 1 - LEVEL:
        result = "better" if low > 0 else "worse"
    return {
        "result": result,
        "interval": format_ends(low, high),
        "sentence": verdict.sentence,
    }
