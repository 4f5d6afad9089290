"""Tests of saved runs, and the differences between them, computed once.

A bootstrap takes a moment and reads the predictions of every run. Its result follows
from files that rarely change. So it is kept in the cache folder, under a key that
changes with these files and with the code.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import metadata
from typing import Any

import numpy as np

from shared.compare.example_scores import ExampleScores, align_tests, read_test
from shared.core.statistics import QUANTILES, Difference, compare_scores
from shared.core.store import Store, identify_code, make_key
from shared.runs.content import read_stamp
from shared.runs.groups import Group
from shared.runs.index import is_settled
from shared.runs.reader import PREDICTIONS, Run

ROOMS = ("core", "tasks", "runs", "compare")
MOST = 30_000  # results that are kept


@dataclass(frozen=True)
class TestFacts:
    """What a table of verdicts needs to know of each test.

    Attributes:
        mean: Mean score of the examples; None without a score for each of them.
        baselines: Names of the baselines with predictions.
    """

    mean: float | None
    baselines: list[str]


@dataclass(frozen=True)
class Outcome:
    """The difference between two tests.

    Attributes:
        difference: First minus second, in the metric; None without an outcome.
        examples: How many test examples of a seed were compared.
        error: Why there is no outcome.
    """

    difference: Difference | None
    examples: int = 0
    error: str = ""


class SavedTest:
    """The test of one run. Its predictions are read when they are needed."""

    def __init__(self, run: Run, identity: str) -> None:
        """Keep where the test lies.

        Args:
            run: The run.
            identity: Changes with the files of the run; empty if that is not sure.
        """
        self._run, self.identity = run, identity
        self.facts: TestFacts | None = None

    @cached_property
    def examples(self) -> ExampleScores | None:
        """The test, example by example; None if it cannot be used."""
        return read_test(self._run)


class SavedTests:
    """Reads tests and compares them; remembers the results."""

    def __init__(self) -> None:
        versions = f"{np.__version__} {metadata.version('scipy')}"
        self._store = Store("verdicts", f"{identify_code(*ROOMS)} {versions}", MOST)
        known = self._store.get("quantiles", list[tuple[float, float, float]])
        self._num_known = len(known or ())
        QUANTILES.update({(chance, free): value for chance, free, value in known or ()})

    def read(self, group: Group) -> dict[int, SavedTest]:
        """Return seed -> test of every run of a group that saved its predictions."""
        tests = {run.seed: self._read_facts(run) for run in group.runs}
        return {seed: test for seed, test in tests.items() if test is not None}

    def compare(
        self,
        one: Mapping[int, SavedTest],
        other: Mapping[int, SavedTest],
        baseline: str = "",
    ) -> Outcome:
        """Return the difference between two groups.

        Args:
            one: Seed -> test of the first group.
            other: Of the second group.
            baseline: Compare with this baseline of the second group instead.
        """
        parts = [[[s, t.identity] for s, t in part.items()] for part in (one, other)]
        is_known = all(identity for part in parts for _, identity in part)
        key = "pair " + make_key(*parts, baseline)
        found = self._store.get(key, Outcome) if is_known else None
        if found is None:
            found = _compare(one, other, baseline)
            if is_known:
                self._store.put(key, found)
        return found

    def remember(self, parts: list[Any], kind: Any, build: Callable[[], Any]) -> Any:
        """Return what `build` returns, or returned before for the same parts.

        Args:
            parts: All that the result depends on. An empty part of a list means that
                it may change, so nothing is remembered.
            kind: Type of the result.
            build: Computes it.
        """
        key = "all " + make_key(*parts)
        found = self._store.get(key, kind)
        if found is None:
            found = build()
            self._store.put(key, found)
        return found

    def close(self) -> None:
        """Write what is new."""
        if len(QUANTILES) > self._num_known:
            kept = list(QUANTILES.items())[-MOST:]
            self._store.put("quantiles", [[*key, value] for key, value in kept])
        self._store.save()

    def _read_facts(self, run: Run) -> SavedTest | None:
        now = time.time_ns()
        stamp, newest = read_stamp(run.path, (PREDICTIONS,))
        if stamp == "-":
            return None
        is_sure = run.stamp and stamp and is_settled(newest, now)
        identity = make_key(run.stamp, stamp) if is_sure else ""
        test = SavedTest(run, identity)
        key = f"test {identity}"
        test.facts = self._store.get(key, TestFacts) if identity else None
        if test.facts is None:
            examples = test.examples
            if PREDICTIONS in run.problems:  # so that the reason is given again
                return None
            test.facts = TestFacts(None, [])
            if examples is not None:
                names = list(examples.baseline_scores)
                test.facts = TestFacts(float(examples.scores.mean()), names)
            if identity:
                self._store.put(key, test.facts)
        return None if test.facts.mean is None else test


def _compare(
    one: Mapping[int, SavedTest], other: Mapping[int, SavedTest], baseline: str
) -> Outcome:
    first = {seed: test.examples for seed, test in one.items()}
    second = {seed: test.examples for seed, test in other.items()}
    if baseline:
        second = {
            seed: replace(test, scores=test.baseline_scores[baseline])
            for seed, test in second.items()
        }
    try:
        scores, others, same = align_tests(first, second)
        both = [*first.values(), *second.values()]
        dependence = max(test.dependence for test in both)
        found = compare_scores(scores, others, same, dependence)
    except ValueError as error:
        return Outcome(None, error=str(error))
    return Outcome(found, min(map(len, [*scores.values(), *others.values()])))
