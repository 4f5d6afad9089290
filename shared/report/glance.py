"""What a data set shows, in three sentences."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from shared.compare.verdicts import Verdict, find_best, find_ends, format_ends
from shared.core.statistics import LEVEL
from shared.report.matrix import lower_title, name_unit
from shared.runs.cost import score_run
from shared.runs.groups import Group, list_baselines
from shared.runs.terminal import format_score
from shared.tasks.score import Score

MOST_LISTED = 3  # names in a sentence; more are counted


def list_sentences(
    groups: Sequence[Group], verdicts: Sequence[Verdict] | None
) -> list[str]:
    """Return what is best here, its baseline, and what is shown and what is not.

    Args:
        groups: Finished groups on one data set, with the names of the page.
        verdicts: On these groups; None if the user wants no verdicts.
    """
    if not groups:
        return ["No run has finished here yet."]
    best = find_best(groups)
    tested = [value for run in best.runs if (value := score_run(run)) is not None]
    if not tested:
        return [f"{best.label} has no test score."]
    score = best.runs[0].score
    reached = f"test {lower_title(score.metric)} is {_format(score, tested)}"
    if len(tested) > 1:
        reached += f", on average over {len(tested)} seeds"
    others = len(groups) - 1
    lead = (
        "has the best validation score"
        if others
        else "is the only finished recipe here"
    )
    better = "higher" if score.higher_is_better else "lower"
    sentences = [f"{best.label} {lead}; its {reached} ({better} is better)."]
    simple = find_baseline(best)
    if simple is None:
        sentences.append("No simple model was trained to measure it against.")
    else:
        value = simple["test"][score.metric]
        line = (
            f'The best simple model, "{simple["name"]}", reaches {format_score(value)}'
        )
        if limit := find_limit(best):  # nobody expects an error below 0
            side = "above" if score.higher_is_better else "below"
            line += f"; no model can be expected to get {side} {format_score(limit)}"
        sentences.append(f"{line}.")
    if verdicts is None:
        sentences.append("Comparisons are switched off (--no-verdicts).")
    else:
        sentences.append(describe_verdicts(best, groups, verdicts))
    return sentences


def describe_verdicts(
    best: Group, groups: Sequence[Group], verdicts: Sequence[Verdict]
) -> str:
    """Return in one sentence what is shown about a group, and what is not."""
    score = best.runs[0].score
    found: dict[str, list[str]] = {"better": [], "worse": [], "unclear": []}
    compared = set()
    for verdict in sorted(verdicts, key=lambda one: not one.is_baseline):
        if best.label not in (verdict.first, verdict.second):
            continue
        is_turned = verdict.first != best.label
        if is_turned and verdict.is_baseline:
            continue
        other = verdict.first if is_turned else verdict.second
        if verdict.difference is None:
            continue
        if not verdict.is_baseline:
            compared.add(other)
        else:
            other = f'the simple model "{other}"'
        outcome, interval = _read_outcome(verdict, score, is_turned)
        found[outcome].append(f"{other} {interval}")
    parts = []
    if found["better"]:
        parts.append(f"it beats {_join(found['better'], 'and')}")
    if found["worse"]:
        parts.append(f"it is worse than {_join(found['worse'], 'and')}")
    text = f"Shown: {'; '.join(parts)}. " if parts else ""
    if found["unclear"]:
        text += f"Not shown: a difference from {_join(found['unclear'], 'or')}. "
    if left := len(groups) - 1 - len(compared):
        what = (
            "any other recipe"
            if not compared
            else f"{left} {'other' if left == 1 else 'others'}"
        )
        text += f"Not compared yet: with {what}. "
    if not (parts or found["unclear"]):
        return "Nothing is shown yet: it was compared with no other model."
    return f"{text}The numbers are 95 % intervals of the difference."


def find_baseline(group: Group) -> dict[str, Any] | None:
    """Return the simple model that is best on validation, with a test score."""
    score = group.runs[0].score
    known = [
        baseline
        for baseline in list_baselines([group])
        if not baseline["is_best_achievable"]
        and score.metric in baseline["validation"]
        and score.metric in baseline["test"]
    ]
    return max(
        known,
        key=lambda baseline: score.sign * baseline["validation"][score.metric],
        default=None,
    )


def find_limit(group: Group) -> float | None:
    """Return the best achievable test score; None if it is not known."""
    score = group.runs[0].score
    values = [
        baseline["test"][score.metric]
        for baseline in list_baselines([group])
        if baseline["is_best_achievable"] and score.metric in baseline["test"]
    ]
    # The worst of several is the one that can be reached.
    return min(values, key=lambda value: score.sign * value, default=None)


def _read_outcome(verdict: Verdict, score: Score, is_turned: bool) -> tuple[str, str]:
    """Return better, worse or unclear, and the interval with its unit."""
    scale, unit = score.format_unit()
    unit = "" if unit.strip() == score.metric else f" {name_unit(score)}"
    low, high = find_ends(verdict, score, scale)
    if is_turned:
        low, high = -high, -low
    if verdict.corrected > 1 - LEVEL:
        return "unclear", f"({format_ends(low, high)}{unit})"
    if low > 0:
        return "better", f"by {format_ends(low, high)}{unit}"
    return "worse", f"by {format_ends(-high, -low)}{unit}"


def _join(names: Sequence[str], word: str) -> str:
    """Return names as a list in words; many are counted."""
    if len(names) > MOST_LISTED:
        names = [*names[:MOST_LISTED], f"{len(names) - MOST_LISTED} others"]
    if len(names) == 1:
        return names[0]
    return f"{', '.join(names[:-1])} {word} {names[-1]}"


def _format(score: Score, values: Sequence[float]) -> str:
    text = format_score(statistics.fmean(values))
    return f"{text} {score.unit}".strip()
