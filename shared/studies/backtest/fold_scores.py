"""Scores of a network and its baselines per fold, and what they say together."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from shared.core.statistics import LEVEL, quantile
from shared.studies.backtest.folds import NETWORK, Fold, Forecasts
from shared.tasks.conformal import measure_coverage

FEWEST_FOLDS = 3  # for an interval
METRICS = ("mae", "rmse", "mase", "pinball")
"""Errors of a fold. The last one is measured where the network predicts quantiles."""


@dataclass(frozen=True)
class FoldScores:
    """The scores of one fold.

    Attributes:
        fold: Which part of the test part.
        last: datetime64[s]: the last step of its last forecast.
        windows: Number of forecasts.
        scores: `network` or the name of a baseline -> the `METRICS` of the run.
        coverage: Level of an interval -> share of the values inside; empty if the fold
            has none.
    """

    fold: Fold
    last: np.datetime64
    windows: int
    scores: dict[str, dict[str, float]]
    coverage: dict[float, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Mean:
    """A mean over folds.

    Attributes:
        value: The mean.
        half_width: Half the width of its 95 % interval (Student's t over the folds).
            None for fewer than three folds.
    """

    value: float
    half_width: float | None


def score_fold(
    fold: Fold,
    forecasts: Forecasts,
    last: np.datetime64,
) -> FoldScores:
    """Score the forecasts of a fold.

    Args:
        fold: The fold.
        forecasts: Of this fold only, at least one.
        last: The last step of the last forecast.
    """
    measures = forecasts.task.measures
    scores = {}
    for name, predictions in forecasts.named.items():
        means = {
            metric: float(measures[metric](forecasts.targets, predictions).mean())
            for metric in ("mae", "mse", "mase", "pinball")
            if metric in measures
        }
        means["rmse"] = math.sqrt(means.pop("mse"))
        scores[name] = {metric: means[metric] for metric in METRICS if metric in means}
    coverage = {
        level: measure_coverage(forecasts.targets, lower, upper, level).covered
        for level, (lower, upper) in forecasts.intervals.items()
    }
    coverage = {k: share for k, share in coverage.items() if math.isfinite(share)}
    return FoldScores(fold, last, len(forecasts), scores, coverage)


def keep_shared(folds: Sequence[FoldScores]) -> list[FoldScores]:
    """Return the scores of those forecasts that every fold has.

    A simple model may be left out of a fold with many rows, because it takes too long.

    Args:
        folds: At least one.
    """
    shared = set.intersection(*(set(one.scores) for one in folds))
    return [
        dataclasses.replace(
            one, scores={k: v for k, v in one.scores.items() if k in shared}
        )
        for one in folds
    ]


def average(values: Sequence[float]) -> Mean:
    """Return the mean over folds with its interval.

    For example, 1, 2 and 6 have the mean 3 and the standard error 1.528. Student's t
    with two degrees of freedom gives the half width 4.303 * 1.528 = 6.572.

    Args:
        values: One per fold, at least one.
    """
    count = len(values)
    mean = float(np.mean(values))
    if count < FEWEST_FOLDS:
        return Mean(mean, None)
    error = float(np.std(values, ddof=1)) / math.sqrt(count)
    return Mean(mean, quantile(0.5 + LEVEL / 2, count - 1) * error)


def count_wins(
    folds: Sequence[FoldScores], metric: str, best_achievable: frozenset[str]
) -> dict[str, int]:
    """Return in how many folds each forecast has the smallest error.

    A fold in which several are equal counts for the first of them.

    Args:
        folds: At least one.
        metric: One of `METRICS`.
        best_achievable: Names that do not compete.
    """
    names = [name for name in folds[0].scores if name not in best_achievable]
    winners = Counter(
        min(names, key=lambda name: one.scores[name][metric]) for one in folds
    )
    return {name: winners[name] for name in names}


def compare_with_best(
    folds: Sequence[FoldScores], metric: str, best_achievable: frozenset[str]
) -> tuple[str, Mean] | None:
    """Return the baseline with the smallest mean error, and network minus baseline.

    Args:
        folds: At least one.
        metric: One of `METRICS`.
        best_achievable: Names that do not compete.

    Returns:
        Its name, and the mean difference over the folds: below 0, the network is
        better. None without a baseline.
    """
    names = [n for n in folds[0].scores if n != NETWORK and n not in best_achievable]
    if not names:
        return None
    errors = {name: [one.scores[name][metric] for one in folds] for name in names}
    best = min(names, key=lambda name: np.mean(errors[name]))
    network = [one.scores[NETWORK][metric] for one in folds]
    return best, average(np.subtract(network, errors[best]).tolist())


def list_rows(folds: Sequence[FoldScores], trained: str) -> list[dict[str, Any]]:
    """Return the rows of `backtest.csv`: one per fold and forecast.

    Args:
        folds: At least one.
        trained: `once`, `expanding` or `sliding`.
    """
    levels = sorted({level for one in folds for level in one.coverage})
    rows = []
    for one in folds:
        for name, scores in one.scores.items():
            row: dict[str, Any] = {
                "fold": one.fold.number,
                "trained": trained,
                "first_time": str(one.fold.first),
                "last_time": str(one.last),
                "windows": one.windows,
                "forecast": name,
            }
            row |= {metric: float(f"{error:.7g}") for metric, error in scores.items()}
            for level in levels:
                share = one.coverage.get(level) if name == NETWORK else None
                row[f"covered_{100 * level:g}"] = (
                    "" if share is None else float(f"{share:.6g}")
                )
            rows.append(row)
    return rows
