"""Rows of a comparison for CSV files: groups, runs, epochs and verdicts."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from shared.compare.verdicts import Verdict
from shared.core.statistics import LEVEL
from shared.runs.cost import COSTS, find_cost, find_front
from shared.runs.epoch_seconds import measure_seconds
from shared.runs.groups import Group, list_baselines


def list_groups(groups: Sequence[Group]) -> Iterable[dict[str, Any]]:
    """Yield a row per group and, below the groups of a data set, its baselines."""
    for data in dict.fromkeys(group.data for group in groups):
        same_data = [group for group in groups if group.data == data]
        fronts = {cost: find_front(same_data, cost) for cost in COSTS}
        rows = [
            summarise(group)
            | {"efficient": " ".join(c for c in COSTS if group in fronts[c])}
            for group in same_data
        ]
        yield from rows
        metric = rows[0]["metric"]
        for baseline in list_baselines(same_data):
            row = dict.fromkeys(rows[0], None) | {"run": baseline["name"], "data": data}
            row |= {
                "metric": metric,
                "best_val_mean": baseline["validation"].get(metric),
            }
            yield row | {"test_best_mean": baseline["test"].get(metric)}


def summarise(group: Group) -> dict[str, Any]:
    """Return one row of the table: means, standard deviations and cost."""
    metric = group.runs[0].score.metric
    summaries = [run.summary for run in group.runs]
    values = {
        "best_val": [s["best"] and s["best"].get(f"val_{metric}") for s in summaries],
        "last_val": [s["last"] and s["last"].get(f"val_{metric}") for s in summaries],
        "test_best": [
            s["test"] and s["test"]["best"].get(f"test_{metric}") for s in summaries
        ],
        "test_last": [
            s["test"] and s["test"]["last"].get(f"test_{metric}") for s in summaries
        ],
        "best_epoch": [s["best"] and s["best"]["epoch"] for s in summaries],
    }
    row: dict[str, Any] = {
        "run": group.label,
        "data": group.data,
        "metric": metric,
        "runs": len(summaries),
        "seeds": " ".join(str(run.seed) for run in group.runs),
    }
    for name, column in values.items():
        known = [value for value in column if value is not None]
        row[f"{name}_mean"] = _round(statistics.fmean(known)) if known else None
        row[f"{name}_sd"] = _round(_deviate(*known)) if len(known) > 1 else None
    row["parameters"] = summaries[0]["parameters"]
    seconds = statistics.median(map(measure_seconds, group.runs))
    row["seconds_per_epoch"] = round(seconds, 3)
    for cost in ("seconds", "peak_memory_mb"):
        mean = find_cost(group, cost)
        row[f"{cost}_mean"] = None if mean is None else _round(mean)
    return row


def list_runs(groups: Sequence[Group]) -> Iterable[dict[str, Any]]:
    """Yield a row per run: scores, distance from the best achievable, baselines."""
    runs = [(group, run) for group in groups for run in group.runs]
    names = dict.fromkeys(
        b["name"] for _, run in runs for b in run.summary["baselines"]
    )
    for group, run in runs:
        summary, metric = run.summary, run.score.metric
        best, last, test = (summary[key] or {} for key in ("best", "last", "test"))
        check = summary["leak_check"] or {}
        baselines = {
            baseline["name"]: baseline["test"].get(metric)
            for baseline in summary["baselines"]
        }
        yield {
            "run": group.label,
            "data": run.data,
            "metric": metric,
            "seed": run.seed,
            "best_epoch": best.get("epoch"),
            "best_val": best.get(f"val_{metric}"),
            "last_val": last.get(f"val_{metric}"),
            "test_best": test.get("best", {}).get(f"test_{metric}"),
            "test_last": test.get("last", {}).get(f"test_{metric}"),
            "best_achievable": check.get("best_achievable"),
            "above_best_achievable": check.get("difference"),
            "standard_error": check.get("standard_error"),
            "leak": check.get("leak"),
            "parameters": summary["parameters"],
            "seconds": summary["seconds"],
            "peak_memory_mb": summary["peak_memory_mb"],
        } | {f"test of {name}": baselines.get(name) for name in names}


def list_epochs(groups: Sequence[Group]) -> Iterable[dict[str, Any]]:
    """Yield a row per epoch of every run, with all columns of its history."""
    names = dict.fromkeys(
        name for group in groups for run in group.runs for name in run.history
    )
    for group in groups:
        for run in group.runs:
            for k in range(len(run.history["epoch"])):
                row = {"run": group.label, "data": run.data, "seed": run.seed}
                row |= {n: run.history[n][k] if n in run.history else "" for n in names}
                row["epoch"] = int(row["epoch"])
                yield row


def list_verdicts(verdicts: Sequence[Verdict]) -> Iterable[dict[str, Any]]:
    """Yield a row per verdict for a CSV file."""
    for verdict in verdicts:
        found = verdict.difference
        row: dict[str, Any] = {
            "data": verdict.data,
            "first": verdict.first,
            "second": verdict.second,
            "second_is_baseline": verdict.is_baseline,
        }
        columns = ("design", "seeds", "examples", "difference", "low", "high",
                   "level", "p", "corrected_p", "corrected_low", "corrected_high",
                   "corrected_level")  # fmt: skip
        row |= dict.fromkeys(columns)
        if found is not None:
            low, high = found.interval()
            corrected_low, corrected_high = found.interval(verdict.level)
            row |= {
                "design": found.design,
                "seeds": " ".join(map(str, found.seeds)),
                "examples": verdict.examples,
                "difference": found.value,
                "low": low,
                "high": high,
                "level": LEVEL,
                "p": found.p,
                "corrected_p": verdict.corrected,
                "corrected_low": corrected_low,
                "corrected_high": corrected_high,
                "corrected_level": verdict.level,
            }
        row = {k: _round(v) if isinstance(v, float) else v for k, v in row.items()}
        yield row | {"sentence": verdict.sentence, "differs": " ".join(verdict.differs)}


@lru_cache(maxsize=10_000)
def _deviate(*values: float) -> float:
    """Return the standard deviation. The same groups are summarised several times."""
    return statistics.stdev(values)


def _round(value: float) -> float:
    """Keep six digits."""
    return float(f"{value:.6g}")
