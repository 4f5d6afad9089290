"""The committed reference runs, read from `results/reference`."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from shared.compare.published_verdicts import read_verdicts
from shared.compare.verdicts import ENOUGH_SEEDS
from shared.core.statistics import Difference
from shared.runs.groups import Group, group_runs
from shared.runs.reader import Run, scan_runs


@dataclass(frozen=True)
class Reference:
    """Published runs and verdicts.

    Attributes:
        folder: `results/reference`.
        groups: Label -> the seeds of one experiment.
        verdicts: Labels of a pair, or a label and the name of a baseline -> row of
            `verdicts.csv`.
    """

    folder: Path
    groups: dict[str, Group]
    verdicts: dict[tuple[str, str], dict[str, str]]

    def count(self, label: str) -> int:
        """Return the number of published runs of an experiment."""
        return len(self.groups[label].runs) if label in self.groups else 0

    def find_baseline(self, label: str) -> dict[str, str] | None:
        """Return the verdict of a group against its best baseline."""
        rows = [
            row
            for (first, _), row in self.verdicts.items()
            if first == label and row["second_is_baseline"] == "True"
        ]
        return rows[0] if rows else None


def read_reference(folder: Path) -> Reference:
    """Read every published run and verdict in a folder; it may be missing.

    Prints a line for each run folder that cannot be read.
    """
    found = scan_runs(folder)
    for line in found.describe():
        print(line)
    return Reference(
        folder,
        label_groups(found.runs),
        {(row["first"], row["second"]): row for row in read_verdicts(folder)},
    )


def label_groups(runs: Iterable[Run]) -> dict[str, Group]:
    """Return label -> group. Seeds may have run on different kernels.

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


def count_to_convergence(run: Run) -> float:
    """Return the first epoch that is about as good on validation as the best.

    That is within `POINTS` of accuracy or `SHARE` of a mean error. NaN if no epoch has
    a score.
    """
    values = _list_validation(run)
    if not values:
        return math.nan
    best = run.score.pick(list(values.values()))
    worth = run.score.find_worth(best)
    return float(min(k for k, value in values.items() if abs(value - best) <= worth))


def measure_rise(run: Run) -> float:
    """Return how much worse the last epoch is than the best on validation.

    In points of accuracy, or in percent of the best mean error.
    """
    values = _list_validation(run)
    if not values:
        return math.nan
    best = run.score.pick(list(values.values()))
    worse = abs(values[max(values)] - best)
    return 100 * (worse if run.score.is_share else worse / best)


def list_values(group: Group, measure: Callable[[Run], float]) -> dict[int, float]:
    """Return seed -> figure, without NaN and infinity."""
    values = {run.seed: measure(run) for run in group.runs}
    return {seed: value for seed, value in values.items() if math.isfinite(value)}


def average(values: dict[int, float]) -> Difference | None:
    """Return the mean of a figure over seeds, as a difference from zero.

    Returns:
        None with too few seeds for a standard deviation.
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
    """Return epoch -> validation score, without NaN and infinity."""
    column = run.history.get(f"val_{run.score.metric}", [])
    epochs = map(int, run.history.get("epoch", []))
    return {k: v for k, v in zip(epochs, column, strict=True) if math.isfinite(v)}
