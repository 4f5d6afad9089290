"""Cost and score: how much time, weights and memory a score needed."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from shared.runs.groups import Group

if TYPE_CHECKING:
    from shared.runs.reader import Run

COSTS = {
    "seconds": "seconds of training",
    "parameters": "weights",
    "peak_memory_mb": "peak memory (MB)",
}
"""Key of the summary -> its name on an axis. Less is better."""
HARDWARE = ("machine", "cpu", "cores", "gpus")


def score_run(run: Run) -> float | None:
    """Return the test score at the best epoch; None if it was not tested."""
    test = run.summary["test"] or {}
    return test.get("best", {}).get(f"test_{run.score.metric}")


def find_score(group: Group) -> float | None:
    """Return the mean test score at the best epoch; None if no run was tested."""
    return _mean(group, score_run)


def find_cost(group: Group, cost: str) -> float | None:
    """Return the mean of one of `COSTS`; None if no run recorded it."""
    return _mean(group, lambda run: run.summary.get(cost))


def find_front(groups: Sequence[Group], cost: str) -> list[Group]:
    """Return the efficient groups: no other scores better without costing more.

    Seconds are compared on one machine only: the one that most groups ran on.

    Args:
        groups: All on one data set.
        cost: One of `COSTS`.

    Returns:
        In order of cost. Groups with the same score and cost are all in it.
    """
    higher = groups[0].runs[0].score.higher_is_better
    known = [
        (find_cost(group, cost), find_score(group) * (1 if higher else -1), group)
        for group in list_comparable(groups, cost)
    ]
    places = {(paid, score) for paid, score, _ in known}
    beaten = {
        (paid, score)
        for paid, score in places
        if any(
            other_paid <= paid
            and other >= score
            and (other_paid, other) != (paid, score)
            for other_paid, other in places
        )
    }
    front = [
        (paid, group) for paid, score, group in known if (paid, score) not in beaten
    ]
    return [group for _, group in sorted(front, key=lambda pair: pair[0])]


def list_comparable(groups: Sequence[Group], cost: str) -> list[Group]:
    """Return the groups with a score and this cost; for seconds, of one machine."""
    known = [
        group
        for group in groups
        if find_score(group) is not None and find_cost(group, cost) is not None
    ]
    if cost != "seconds" or not known:
        return known
    machines = [find_machines(group) for group in known]
    alone = [next(iter(found)) for found in machines if len(found) == 1]
    if not alone:
        return []
    usual = Counter(alone).most_common(1)[0][0]
    return [g for g, found in zip(known, machines, strict=True) if found == {usual}]


def find_machines(group: Group) -> set[str]:
    """Return a description of each machine that the runs of a group ran on."""
    return {
        ", ".join(str(run.config["device"].get(name)) for name in HARDWARE)
        for run in group.runs
    }


def format_fronts(groups: Sequence[Group]) -> list[str]:
    """Return a sentence per cost: which groups are on its efficient front."""
    sentences = []
    for cost, name in COSTS.items():
        labels = [group.label for group in find_front(groups, cost)]
        if labels:
            sentences.append(
                f"Efficient front, test score for {name}: {'; '.join(labels)}."
            )
    return sentences


def _mean(group: Group, read: Callable[[Run], float | None]) -> float | None:
    known = [value for run in group.runs if (value := read(run)) is not None]
    return statistics.fmean(known) if known else None
