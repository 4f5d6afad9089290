"""Verdicts: which of two groups of runs is better, by how much, and how sure that is.

`shared.statistics` says how; here the outcome is put into a sentence.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from shared.differences import find_differences
from shared.groups import Group, list_bars
from shared.statistics import (
    LEVEL,
    Difference,
    compare_scores,
    correct_holm,
    count_more_seeds,
    find_least_effect,
)
from shared.tested import Tested, align_tests, read_tests

MOST_GROUPS = 6  # of which all pairs are asked; 15 of them
ENOUGH_SEEDS = 3  # below it their spread is hardly known
POINTS = 0.005  # of accuracy: what a verdict of "no difference" is held against
SHARE = 0.02  # of a mean error: the same


@dataclass(frozen=True)
class Verdict:
    """One question and its answer.

    Attributes:
        data: Name of the data set.
        first: Label of a group.
        second: Label of the other, or the name of a bar.
        is_bar: Whether `second` is a bar.
        sentence: The answer.
        difference: First less second, in the metric; None where there is no answer.
        examples: How many test examples it rests on (of a seed).
        level: Of the interval, corrected for the number of questions.
        corrected: p value after Holm's correction.
        differs: What else differs between the two, in sentences.
    """

    data: str
    first: str
    second: str
    is_bar: bool
    sentence: str
    difference: Difference | None = None
    examples: int = 0
    level: float = LEVEL
    corrected: float = 1.0
    differs: tuple[str, ...] = ()


def judge_groups(groups: Sequence[Group], every_bar: bool = False) -> list[Verdict]:
    """Compare all groups on one data set with each other and with simple models.

    Of up to `MOST_GROUPS` groups every pair is asked, of more each against the one that
    is best on validation. Pairs are corrected for each other, and so are bars.

    Args:
        groups: All on one data set.
        every_bar: Hold each against all its simple models, not only the best.
    """
    return judge(list_pairs(groups), groups, every_bar)


def judge(
    asked: Sequence[tuple[Group, Group]],
    groups: Sequence[Group],
    every_bar: bool = False,
) -> list[Verdict]:
    """Compare some pairs of groups on one data set, and each group with simple models.

    Args:
        asked: The pairs, which are corrected for each other.
        groups: Those of the pairs, and others whose bars are asked for.
        every_bar: Hold each group against all its bars, not only against the one that
            is best on validation.
    """
    tests = {group.label: read_tests(group) for group in groups}
    pairs = [
        _ask_pair(first, second, tests[first.label], tests[second.label])
        for first, second in asked
    ]
    bars = [
        _ask_bar(group, name, tests[group.label])
        for group in groups
        for name in _rank_bars(group, tests[group.label])[: None if every_bar else 1]
    ]
    score = groups[0].runs[0].summary["score"]
    means = [t.scores.mean() for found in tests.values() for t in found.values()]
    return [*_answer(pairs, score, means), *_answer(bars, score, means)]


def list_pairs(groups: Sequence[Group]) -> list[tuple[Group, Group]]:
    """Return which groups are held against each other."""
    if len(groups) <= MOST_GROUPS:
        return list(itertools.combinations(groups, 2))
    best = find_best(groups)
    return [(best, group) for group in groups if group is not best]


def find_best(groups: Sequence[Group]) -> Group:
    """Return the group with the best mean on validation; it has to be known of one."""
    score = groups[0].runs[0].summary["score"]
    sign = 1 if score["higher_is_better"] else -1

    def rate(group: Group) -> float:
        best = [run.summary["best"] for run in group.runs if run.summary["best"]]
        values = [row[f"val_{score['metric']}"] for row in best]
        return sign * statistics.fmean(values) if values else -math.inf

    return max(groups, key=rate)


def _ask_pair(
    first: Group, second: Group, one: dict[int, Tested], other: dict[int, Tested]
) -> Verdict:
    """Return the difference between two groups, not yet put into words."""
    told = tuple(find_differences(first, second).spell())
    asked = Verdict(first.data, first.label, second.label, False, "", differs=told)
    for group, tests in ((first, one), (second, other)):
        if not tests:
            note = (
                f"No verdict: {group.label} kept no test predictions that are numbers."
            )
            return replace(asked, sentence=note)
    return _compare(asked, one, other)


def _ask_bar(group: Group, name: str, tests: dict[int, Tested]) -> Verdict:
    """Return the difference between a group and a bar, not yet put into words."""
    asked = Verdict(group.data, group.label, name, True, "")
    bar = {
        seed: replace(test, scores=test.bar_scores[name])
        for seed, test in tests.items()
    }
    return _compare(asked, tests, bar)


def _compare(
    asked: Verdict, one: dict[int, Tested], other: dict[int, Tested]
) -> Verdict:
    try:
        first, second, same = align_tests(one, other)
        dependence = max(t.dependence for t in [*one.values(), *other.values()])
        found = compare_scores(first, second, same, dependence)
    except ValueError as error:
        return replace(asked, sentence=f"No verdict: {error}.")
    examples = min(len(row) for row in [*first.values(), *second.values()])
    return replace(asked, difference=found, examples=examples)


def _rank_bars(group: Group, tests: dict[int, Tested]) -> list[str]:
    """Return bars of which every run kept predictions, the best on validation first."""
    score = group.runs[0].summary["score"]
    sign = 1 if score["higher_is_better"] else -1
    rated = {
        bar["name"]: sign * bar["validation"][score["metric"]]
        for bar in list_bars([group])
        if not bar["is_floor"]
        and score["metric"] in bar["validation"]
        and tests
        and all(bar["name"] in test.bar_scores for test in tests.values())
    }
    return sorted(rated, key=rated.get, reverse=True)


def _answer(
    asked: Sequence[Verdict], score: dict[str, Any], means: Sequence[float]
) -> list[Verdict]:
    """Correct for the number of questions, and put each answer into words."""
    known = [verdict for verdict in asked if verdict.difference is not None]
    corrected, levels = correct_holm([verdict.difference.p for verdict in known])
    answers = {
        id(verdict): _spell(
            replace(verdict, corrected=p, level=level), score, means, len(known)
        )
        for verdict, p, level in zip(known, corrected, levels, strict=True)
    }
    return [answers.get(id(verdict), verdict) for verdict in asked]


def _spell(
    verdict: Verdict, score: dict[str, Any], means: Sequence[float], count: int
) -> Verdict:
    """Put an answer into words."""
    found = verdict.difference
    scale, unit, effect = choose_unit(score, means)
    ends = find_ends(verdict, score, scale)
    basis = spell_basis(verdict, count)
    if verdict.corrected > 1 - LEVEL:
        if found.standard_error == 0:
            told = "no difference: both score every test example alike."
        else:
            told = f"no difference shown ({spell_ends(*ends)}{unit}, {basis}); "
            told += _spell_need(found, effect, scale, unit, verdict.level)
        return replace(
            verdict, sentence=f"{verdict.first} and {verdict.second}: {told}"
        )
    better, worse = verdict.first, verdict.second
    if ends[0] < 0:
        better, worse = worse, better
        ends = sorted(-end for end in ends)
    sentence = f"{better} is {spell_ends(*ends)}{unit} better than {worse} ({basis})."
    return replace(verdict, sentence=sentence)


def find_ends(
    verdict: Verdict, score: dict[str, Any], scale: float
) -> tuple[float, float]:
    """Return the corrected interval of an answer, positive where the first is better.

    Args:
        verdict: With a difference.
        score: Metric of the task, and which way is up.
        scale: Factor of the unit it is told in, of `choose_unit`.
    """
    sign = scale if score["higher_is_better"] else -scale
    ends = sorted(sign * end for end in verdict.difference.interval(verdict.level))
    if score["metric"] == "accuracy":  # few seeds know no bounds, but it has some
        ends = [min(max(end, -scale), scale) for end in ends]
    return ends[0], ends[1]


def choose_unit(
    score: dict[str, Any], means: Sequence[float]
) -> tuple[float, str, float]:
    """Return how a difference is told: its factor, its unit, and what is worth seeing.

    Args:
        score: Metric and unit of the task.
        means: Mean scores of the runs, of which `SHARE` is worth seeing.

    Returns:
        Factor, unit with a space in front, and an effect in the metric.
    """
    metric, unit = score["metric"], score.get("unit", "")
    if metric == "accuracy":
        return 100.0, " points", POINTS
    units = {"mae": unit, "mse": unit and f"{unit}²", "cross_entropy": "nats"}
    wanted = SHARE * min(map(abs, means), default=1.0) or SHARE
    power = 10.0 ** math.floor(math.log10(wanted))
    effect = power * max(step for step in (1, 2, 5) if step * power <= wanted)
    return 1.0, f" {units.get(metric) or metric}", effect


def spell_basis(verdict: Verdict, count: int) -> str:
    """Say what an interval rests on: `95 %, 5 seeds`."""
    found, told = verdict.difference, f"{100 * LEVEL:.0f} %"
    if count > 1:
        told += f" after Holm's correction for {count} "
        told += "bars" if verdict.is_bar else "pairs"
    one, other = found.seeds
    if found.design == "paired":
        return f"{told}, {one} seeds"
    if found.design == "unpaired":
        return f"{told}, {one} and {other} seeds, not paired"
    told += ", one seed" if one == other == 1 else f", {one} and {other} seeds"
    holds = "this trained network, not for the recipe"
    if not verdict.is_bar:
        holds = "these trained networks, not for the recipes"
    return f"{told}: holds for {holds}"


def spell_ends(low: float, high: float) -> str:
    """Write an interval with the digits that its width deserves: `0.4 to 1.6`."""
    width = high - low
    digits = max(0, -math.floor(math.log10(width / 10))) if width > 0 else 2
    while (
        digits < 6 and low * high > 0 and 0 in (round(low, digits), round(high, digits))
    ):
        digits += 1  # an interval without zero shall not show one
    if digits > 5:
        return f"{low:.2g} to {high:.2g}"
    return " to ".join(f"{round(end, digits) + 0.0:.{digits}f}" for end in (low, high))


def _spell_need(
    found: Difference, effect: float, scale: float, unit: str, level: float
) -> str:
    """Say how many more seeds would settle an effect worth seeing."""
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
