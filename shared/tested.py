"""The tests of runs, example by example, read from their folders and lined up."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import numpy as np

from shared.groups import Group
from shared.metrics import measure
from shared.runs import Run, read_predictions

WEEK = np.timedelta64(7, "D")  # six days that weather is alike, and the day ahead


@dataclass(frozen=True)
class Tested:
    """The test of one run, example by example.

    Attributes:
        targets: What was right.
        scores: Of the network, (num_examples,).
        bar_scores: Name of a bar -> its scores.
        times: When the targets were measured; None where they have no time.
        dependence: How many neighbours may depend on each other.
        drawn_per_seed: Whether another seed is known to have other examples.
    """

    targets: np.ndarray
    scores: np.ndarray
    bar_scores: dict[str, np.ndarray]
    times: np.ndarray | None
    dependence: int
    drawn_per_seed: bool


def read_tests(group: Group) -> dict[int, Tested]:
    """Return seed -> test of every run of a group that kept its predictions."""
    tests = {}
    for run in group.runs:
        stored = read_predictions(run.path)
        if stored is not None and (test := _score(run, stored)) is not None:
            tests[run.seed] = test
    return tests


def align_tests(
    one: dict[int, Tested], other: dict[int, Tested]
) -> tuple[dict[int, np.ndarray], dict[int, np.ndarray], bool]:
    """Return the scores of two groups on the same test examples.

    Returns:
        Seed -> scores of each, and whether all seeds have the same examples.

    Raises:
        ValueError: If they have none in common.
    """
    tests = [*one.values(), *other.values()]
    if all(test.times is not None for test in tests):
        times = reduce(np.intersect1d, [test.times for test in tests])
        rows = [np.searchsorted(test.times, times) for test in tests]
        targets = [test.targets[row] for test, row in zip(tests, rows, strict=True)]
        if not len(times) or any(not np.allclose(targets[0], t) for t in targets):
            raise ValueError("the two were not tested on the same stretch of time")
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
        # Seeds with other examples have nothing in common but their number.
        seed if paired else -1 - seed: test.scores
        for seed, test in other.items()
    }
    return {seed: test.scores for seed, test in one.items()}, second, same


def _score(run: Run, stored: dict[str, np.ndarray]) -> Tested | None:
    """Score every test example; None if a prediction is no number."""
    metric, targets = run.summary["score"]["metric"], stored["targets"]
    scores = measure(metric, targets, stored["predictions"])
    if not np.isfinite(scores).all():
        return None
    settings = run.config["settings"]
    return Tested(
        targets=targets,
        scores=scores,
        bar_scores={
            name.removeprefix("bar "): measure(metric, targets, values)
            for name, values in stored.items()
            if name.startswith("bar ")
        },
        times=stored.get("times"),
        dependence=_read_dependence(stored, settings),
        # The labels of such reviews are alike for every seed, the reviews are not.
        drawn_per_seed="times" not in stored and settings.get("limit") is not None,
    )


def _read_dependence(stored: dict[str, np.ndarray], settings: dict[str, Any]) -> int:
    """Return what the run stored, or for runs before it was stored a longest guess."""
    if "dependence" in stored:
        return int(stored["dependence"])
    if "times" in stored:
        return math.ceil(WEEK / np.median(np.diff(stored["times"])))
    return settings.get("lookback", 0) + settings.get("delay", 1)
