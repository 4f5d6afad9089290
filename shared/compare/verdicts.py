"""Verdicts: which of two groups of runs is better, by how much, and how surely.

`shared.core.statistics` computes the intervals. This module turns them into sentences.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from shared.compare.differences import find_differences
from shared.compare.saved_tests import Outcome, SavedTest, SavedTests
from shared.core.statistics import (
    LEVEL,
    Difference,
    correct_holm,
    count_more_seeds,
    find_least_effect,
)
from shared.runs.groups import Group, list_baselines
from shared.tasks.score import SHARE, Score

MOST_GROUPS = 6  # up to here every pair is compared: 15 pairs
ENOUGH_SEEDS = 3  # fewer hardly show how much seeds vary


@dataclass(frozen=True)
class Verdict:
    """One comparison and its outcome.

    Attributes:
        data: Name of the data set.
        first: Label of a group.
        second: Label of the other group, or the name of a baseline.
        is_baseline: Whether `second` is a baseline.
        sentence: The outcome in words.
        difference: First minus second, in the metric; None without an outcome.
        examples: How many test examples of a seed were compared.
        level: Level of the interval, corrected for the number of comparisons.
        corrected: p value after Holm's correction.
        differs: What else differs between the two, in sentences.
    """

    data: str
    first: str
    second: str
    is_baseline: bool
    sentence: str
    difference: Difference | None = None
    examples: int = 0
    level: float = LEVEL
    corrected: float = 1.0
    differs: tuple[str, ...] = ()


def compare_groups(
    groups: Sequence[Group], every_baseline: bool = False
) -> list[Verdict]:
    """Compare all groups on one data set with each other and with simple models.

    Up to `MOST_GROUPS` groups, every pair is compared. With more groups, each one is
    compared with the one that is best on validation. Holm's correction counts all
    pairs, and separately all baselines.

    Args:
        groups: All on one data set.
        every_baseline: Compare each with all its simple models, not only the best.
    """
    return compare_pairs(list_pairs(groups), groups, every_baseline)


def compare_pairs(
    pairs: Sequence[tuple[Group, Group]],
    groups: Sequence[Group],
    every_baseline: bool = False,
) -> list[Verdict]:
    """Compare some pairs of groups on one data set, and each group with simple models.

    Args:
        pairs: The pairs. Holm's correction counts all of them.
        groups: Groups to compare with baselines; all groups of the pairs among them.
        every_baseline: Compare each group with all its baselines, not only with the
            one that is best on validation.
    """
    saved = SavedTests()
    tests = {group.label: saved.read(group) for group in groups}
    between = [_check_pair(first, second, tests, saved) for first, second in pairs]
    baselines = [
        _check_baseline(group, name, tests[group.label], saved)
        for group in groups
        for name in _rank_baselines(group, tests[group.label])[
            : None if every_baseline else 1
        ]
    ]
    score = groups[0].runs[0].score
    means = [t.facts.mean for found in tests.values() for t in found.values()]
    effect = choose_effect(score, means)
    concluded = [
        verdict
        for verdicts in (between, baselines)
        for verdict in _conclude(verdicts, score, effect, saved)
    ]
    saved.close()
    return concluded


def list_pairs(groups: Sequence[Group]) -> list[tuple[Group, Group]]:
    """Return which groups are compared with each other."""
    if len(groups) <= MOST_GROUPS:
        return list(itertools.combinations(groups, 2))
    best = find_best(groups)
    return [(best, group) for group in groups if group is not best]


def find_best(groups: Sequence[Group]) -> Group:
    """Return the group with the best mean on validation; one must have a score."""
    score = groups[0].runs[0].score

    def rate(group: Group) -> float:
        rows = [run.summary["best"] or {} for run in group.runs]
        found = [row.get(f"val_{score.metric}") for row in rows]
        values = [value for value in found if value is not None]
        return score.sign * statistics.fmean(values) if values else -math.inf

    return max(groups, key=rate)


def _check_pair(
    first: Group, second: Group, tests: Mapping[str, dict], saved: SavedTests
) -> Verdict:
    """Return the difference between two groups, without a sentence."""
    differs = tuple(find_differences(first, second).describe())
    verdict = Verdict(first.data, first.label, second.label, False, "", differs=differs)
    for group in (first, second):
        if not tests[group.label]:
            note = f"No verdict: {group.label} saved no usable test predictions."
            return replace(verdict, sentence=note)
    found = saved.compare(tests[first.label], tests[second.label])
    return _add_outcome(verdict, found)


def _check_baseline(
    group: Group, name: str, tests: dict[int, SavedTest], saved: SavedTests
) -> Verdict:
    """Return the difference between a group and a baseline, without a sentence."""
    verdict = Verdict(group.data, group.label, name, True, "")
    return _add_outcome(verdict, saved.compare(tests, tests, baseline=name))


def _add_outcome(verdict: Verdict, found: Outcome) -> Verdict:
    if found.difference is None:
        return replace(verdict, sentence=f"No verdict: {found.error}.")
    return replace(verdict, difference=found.difference, examples=found.examples)


def _rank_baselines(group: Group, tests: dict[int, SavedTest]) -> list[str]:
    """Return the baselines with predictions in every run, best on validation first."""
    score = group.runs[0].score
    rated = {
        baseline["name"]: score.sign * baseline["validation"][score.metric]
        for baseline in list_baselines([group])
        if not baseline["is_best_achievable"]
        and score.metric in baseline["validation"]
        and tests
        and all(baseline["name"] in test.facts.baselines for test in tests.values())
    }
    return sorted(rated, key=rated.get, reverse=True)


def _conclude(
    verdicts: Sequence[Verdict], score: Score, effect: float, saved: SavedTests
) -> list[Verdict]:
    """Correct for the number of comparisons, and add the sentences."""
    known = [verdict for verdict in verdicts if verdict.difference is not None]

    def build() -> list[tuple[float, float, str]]:
        corrected, levels = correct_holm([verdict.difference.p for verdict in known])
        return [
            (p, level, _describe(replace(verdict, corrected=p, level=level), *basis))
            for verdict, p, level in zip(known, corrected, levels, strict=True)
        ]

    basis = score, effect, len(known)
    bare = [[v.first, v.second, v.is_baseline, v.difference, v.examples] for v in known]
    facts = saved.remember([bare, score, effect], list[tuple[float, float, str]], build)
    concluded = {
        id(verdict): replace(verdict, corrected=p, level=level, sentence=sentence)
        for verdict, (p, level, sentence) in zip(known, facts, strict=True)
    }
    return [concluded.get(id(verdict), verdict) for verdict in verdicts]


def _describe(verdict: Verdict, score: Score, effect: float, count: int) -> str:
    """Return the sentence of a verdict that has a difference."""
    found = verdict.difference
    scale, unit = score.format_unit()
    ends = find_ends(verdict, score, scale)
    basis = format_basis(verdict, count)
    if verdict.corrected > 1 - LEVEL:
        if found.standard_error == 0:
            text = "no difference: both score every test example alike."
        else:
            text = f"no difference shown ({format_ends(*ends)}{unit}, {basis}); "
            text += _format_need(found, effect, scale, unit, verdict.level)
        return f"{verdict.first} and {verdict.second}: {text}"
    better, worse = verdict.first, verdict.second
    if ends[0] < 0:
        better, worse = worse, better
        ends = sorted(-end for end in ends)
    return f"{better} is {format_ends(*ends)}{unit} better than {worse} ({basis})."


def find_ends(verdict: Verdict, score: Score, scale: float) -> tuple[float, float]:
    """Return the corrected interval, positive where the first is better.

    Args:
        verdict: A verdict with a difference.
        score: Score of the task.
        scale: Factor from `Score.format_unit`.
    """
    sign = scale * score.sign
    ends = sorted(sign * end for end in verdict.difference.interval(verdict.level))
    if score.is_share:  # with few seeds an interval may exceed 100 points
        ends = [min(max(end, -scale), scale) for end in ends]
    return ends[0], ends[1]


def choose_effect(score: Score, means: Sequence[float]) -> float:
    """Return a difference in the metric that is worth seeing, as a round number.

    Args:
        score: Score of the task.
        means: Mean scores of the runs.
    """
    wanted = score.find_worth(min(map(abs, means), default=1.0)) or SHARE
    if score.is_share:
        return wanted
    power = 10.0 ** math.floor(math.log10(wanted))
    return power * max(step for step in (1, 2, 5) if step * power <= wanted)


def format_basis(verdict: Verdict, count: int) -> str:
    """Return the basis of an interval: `95 %, 5 seeds`."""
    found, basis = verdict.difference, f"{100 * LEVEL:.0f} %"
    if count > 1:
        basis += f" after Holm's correction for {count} "
        basis += "baselines" if verdict.is_baseline else "pairs"
    one, other = found.seeds
    if found.design == "paired":
        return f"{basis}, {one} seeds"
    if found.design == "unpaired":
        return f"{basis}, {one} and {other} seeds, not paired"
    basis += ", one seed" if one == other == 1 else f", {one} and {other} seeds"
    holds = "this trained network, not for the recipe"
    if not verdict.is_baseline:
        holds = "these trained networks, not for the recipes"
    return f"{basis}: holds for {holds}"


def format_ends(low: float, high: float) -> str:
    """Return an interval with as many digits as its width needs: `0.4 to 1.6`."""
    width = high - low
    digits = max(0, -math.floor(math.log10(width / 10))) if width > 0 else 2
    while (
        digits < 6 and low * high > 0 and 0 in (round(low, digits), round(high, digits))
    ):
        digits += 1  # an interval without zero must not show a zero
    if digits > 5:
        return f"{low:.2g} to {high:.2g}"
    return " to ".join(f"{round(end, digits) + 0.0:.{digits}f}" for end in (low, high))


def _format_need(
    found: Difference, effect: float, scale: float, unit: str, level: float
) -> str:
    """Return how many more seeds would settle an effect worth seeing."""
    wanted = f"{scale * effect:.2g}{unit}"
    if found.design == "networks" or min(found.seeds) < ENOUGH_SEEDS:
        return "take three seeds or more."
    more = count_more_seeds(found, effect, level)
    if more is None:
        least = find_least_effect(found, level)
        if least < effect:
            return f"more than a thousand seeds would be needed to settle {wanted}."
        return (
            f"the test set is the limit: no number of seeds would settle {wanted}, "
            f"at best {scale * least:.2g}{unit}."
        )
    if more == 0:
        return f"a difference of {wanted} would probably have been seen."
    seeds = "seed" if more == 1 else "seeds"
    return f"about {more} more {seeds} would settle {wanted}."
