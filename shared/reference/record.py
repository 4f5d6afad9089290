"""The committed reference runs, as read from `results/reference`."""

from __future__ import annotations

import csv
import math
import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from shared.groups import Group, group_runs
from shared.metrics import Score
from shared.runs import Run, find_runs
from shared.statistics import Difference
from shared.verdicts import ENOUGH_SEEDS, POINTS, SHARE

VERDICTS = "verdicts.csv"


@dataclass(frozen=True)
class Reference:
    """What is published.

    Attributes:
        folder: `results/reference`.
        groups: Label -> the seeds of one experiment.
        verdicts: Labels of a pair, or a label and the name of a bar -> row of
            `verdicts.csv`.
    """

    folder: Path
    groups: dict[str, Group]
    verdicts: dict[tuple[str, str], dict[str, str]]

    def count(self, label: str) -> int:
        """Return how many runs of an experiment there are."""
        return len(self.groups[label].runs) if label in self.groups else 0

    def find_bar(self, label: str) -> dict[str, str] | None:
        """Return the verdict of a group against its best bar."""
        rows = [
            row
            for (first, _), row in self.verdicts.items()
            if first == label and row["second_is_bar"] == "True"
        ]
        return rows[0] if rows else None


def read_reference(folder: Path) -> Reference:
    """Read every published run and verdict below a folder; it may be missing."""
    return Reference(
        folder,
        label_groups(find_runs(folder)),
        {(row["first"], row["second"]): row for row in read_verdicts(folder)},
    )


def read_verdicts(folder: Path) -> list[dict[str, str]]:
    """Return the rows of `verdicts.csv` in a folder; none if it is not there."""
    if not (folder / VERDICTS).is_file():
        return []
    with (folder / VERDICTS).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def label_groups(runs: Iterable[Run]) -> dict[str, Group]:
    """Return label -> seeds, whatever kernel each of them ran on.

    Raises:
        ValueError: If the seeds of a label are of different data sets.
    """
    found: dict[str, Group] = {}
    for group in group_runs(runs):
        other = found.get(group.label)
        if other is not None:
            if other.data != group.data:
                raise ValueError(f"{group.label}: on {other.data} and on {group.data}")
            both = sorted([*other.runs, *group.runs], key=lambda run: run.seed)
            group = replace(other, runs=both)
        found[group.label] = group
    return found


def get_score(run: Run) -> Score:
    """Return what a run is judged by."""
    return Score(**run.summary["score"])


def measure_seconds(run: Run) -> float:
    """Return the median seconds of an epoch, the first left out: it compiles."""
    seconds = run.history["seconds"]
    return statistics.median(seconds[1:] or seconds)


def count_to_convergence(run: Run) -> float:
    """Return the first epoch about as good on validation as the best one.

    That is within `POINTS` of accuracy, or `SHARE` of a mean error, of it; NaN if no
    epoch has a score.
    """
    values = _list_validation(run)
    if not values:
        return math.nan
    best = _find_best(run, values)
    worth = find_worth(best, run)
    return float(min(k for k, value in values.items() if abs(value - best) <= worth))


def measure_rise(run: Run) -> float:
    """Return how much worse the last epoch is than the best on validation.

    In points of accuracy, or in percent of the best mean error.
    """
    values = _list_validation(run)
    if not values:
        return math.nan
    best = _find_best(run, values)
    worse = abs(values[max(values)] - best)
    return 100 * (worse if get_score(run).metric == "accuracy" else worse / best)


def find_worth(value: float, run: Run) -> float:
    """Return the difference from a score that is worth seeing."""
    return POINTS if get_score(run).metric == "accuracy" else SHARE * abs(value)


def list_values(group: Group, measure: Callable[[Run], float]) -> dict[int, float]:
    """Return seed -> figure, without those that are no number."""
    values = {run.seed: measure(run) for run in group.runs}
    return {seed: value for seed, value in values.items() if math.isfinite(value)}


def average(values: dict[int, float]) -> Difference | None:
    """Return the mean of a figure over seeds, as a difference from zero.

    Returns:
        None with fewer seeds than tell a spread.
    """
    count = len(values)
    if count < ENOUGH_SEEDS:
        return None
    variance = statistics.variance(values.values())
    return Difference(
        value=statistics.fmean(values.values()),
        standard_error=math.sqrt(variance / count),
        freedom=count - 1,
        seeds=(count, count),
        design="paired",
        seed_variances=(variance,),
        example_variance=0.0,
    )


def _list_validation(run: Run) -> dict[int, float]:
    """Return epoch -> validation score, without those that are no number."""
    column = run.history.get(f"val_{get_score(run).metric}", [])
    epochs = map(int, run.history.get("epoch", []))
    return {k: v for k, v in zip(epochs, column, strict=True) if math.isfinite(v)}


def _find_best(run: Run, values: dict[int, float]) -> float:
    choose = max if get_score(run).higher_is_better else min
    return choose(values.values())
