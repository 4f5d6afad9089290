"""Scores of every test example, read from run folders and aligned."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce

import numpy as np

from shared.runs.groups import Group
from shared.runs.reader import Run, read_predictions


@dataclass(frozen=True)
class ExampleScores:
    """The test of one run, example by example.

    Attributes:
        targets: The true values.
        scores: Scores of the network, (num_examples,).
        baseline_scores: Name of a baseline -> its scores.
        times: When the targets were measured; None without times.
        series: Name of the series of each example; None with one series.
        dependence: How many neighbouring examples may depend on each other.
        drawn_per_seed: Whether every seed has other test examples.
    """

    targets: np.ndarray
    scores: np.ndarray
    baseline_scores: dict[str, np.ndarray]
    times: np.ndarray | None
    series: np.ndarray | None
    dependence: int
    drawn_per_seed: bool


def read_tests(group: Group) -> dict[int, ExampleScores]:
    """Return seed -> test of every run of a group that saved its predictions."""
    tests = {run.seed: read_test(run) for run in group.runs}
    return {seed: test for seed, test in tests.items() if test is not None}


def read_test(run: Run) -> ExampleScores | None:
    """Return the test of a run; None without usable predictions or without a score."""
    stored = read_predictions(run)
    return None if stored is None else _score(run, stored)


def align_tests(
    one: dict[int, ExampleScores], other: dict[int, ExampleScores]
) -> tuple[dict[int, np.ndarray], dict[int, np.ndarray], bool]:
    """Return the scores of two groups on the same test examples.

    Returns:
        Seed -> scores of each, and whether all seeds have the same examples.

    Raises:
        ValueError: If they have no test example in common.
    """
    tests = [*one.values(), *other.values()]
    if all(test.times is not None for test in tests):
        rows = _find_common(tests)
        targets = [test.targets[row] for test, row in zip(tests, rows, strict=True)]
        if not len(rows[0]) or any(not np.allclose(targets[0], t) for t in targets):
            raise ValueError("the two were not tested on the same period of time")
        cut = [
            replace(test, scores=test.scores[row])
            for test, row in zip(tests, rows, strict=True)
        ]
        one = dict(zip(one, cut[: len(one)], strict=True))
        other = dict(zip(other, cut[len(one) :], strict=True))
        same = True
    else:
        same = not any(test.drawn_per_seed for test in tests) and all(
            np.array_equal(tests[0].targets, test.targets) for test in tests
        )
    paired = all(
        same or np.array_equal(one[seed].targets, other[seed].targets)
        for seed in one.keys() & other.keys()
    )
    second = {
        # Seeds with other examples have only their number in common.
        seed if paired else -1 - seed: test.scores
        for seed, test in other.items()
    }
    return {seed: test.scores for seed, test in one.items()}, second, same


def _find_common(tests: list[ExampleScores]) -> list[np.ndarray]:
    """Return the rows of the examples that all tests have, in one order."""
    if all(test.series is None for test in tests):
        times = reduce(np.intersect1d, [test.times for test in tests])
        return [np.searchsorted(test.times, times) for test in tests]
    import pandas as pd  # takes half a second, and few comparisons need it

    keys = [
        pd.MultiIndex.from_arrays([t.series, t.times])
        if t.series is not None
        else pd.MultiIndex.from_arrays([np.full(len(t.times), ""), t.times])
        for t in tests
    ]
    # The order of the first test: neighbours depend on each other there.
    common = keys[0][np.logical_and.reduce([keys[0].isin(other) for other in keys])]
    return [key.get_indexer(common) for key in keys]


def _score(run: Run, stored: dict[str, np.ndarray]) -> ExampleScores | None:
    """Score every test example; None if the score has no number for each of them."""
    task, metric, targets = run.task, run.score.metric, stored["targets"]
    if metric not in task.measures:
        return None
    scores = task.measure(metric, targets, stored["predictions"])
    if not np.isfinite(scores).all():
        return None
    return ExampleScores(
        targets=targets,
        scores=scores,
        baseline_scores={
            name.removeprefix("baseline "): task.measure(metric, targets, values)
            for name, values in stored.items()
            if name.startswith("baseline ")
        },
        times=stored.get("times"),
        series=stored.get("series"),
        dependence=int(stored["dependence"]),
        drawn_per_seed=run.config["data_facts"]["test_depends_on_seed"],
    )
