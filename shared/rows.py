"""Rows of a comparison: of groups, runs, epochs and verdicts, ready for CSV files."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from shared.cost import COSTS, find_cost, find_front
from shared.groups import Group, list_bars
from shared.runs import Run
from shared.statistics import LEVEL
from shared.verdicts import Verdict


def list_groups(groups: Sequence[Group]) -> Iterable[dict[str, Any]]:
    """Yield the rows of the table: every group, and below them the bars of its data."""
    for data in dict.fromkeys(group.data for group in groups):
        members = [group for group in groups if group.data == data]
        fronts = {cost: find_front(members, cost) for cost in COSTS}
        rows = [
            summarise(group)
            | {"efficient": " ".join(c for c in COSTS if group in fronts[c])}
            for group in members
        ]
        yield from rows
        metric = rows[0]["metric"]
        for bar in list_bars(members):
            row = dict.fromkeys(rows[0], None) | {"run": bar["name"], "data": data}
            row |= {"metric": metric, "best_val_mean": bar["validation"].get(metric)}
            yield row | {"test_best_mean": bar["test"].get(metric)}


def summarise(group: Group) -> dict[str, Any]:
    """Return one row of the table: means, spread (standard deviation) and cost."""
    metric = get_metric(group.runs[0])
    summaries = [run.summary for run in group.runs]
    values = {
        "best_val": [s["best"] and s["best"][f"val_{metric}"] for s in summaries],
        "last_val": [s["last"] and s["last"][f"val_{metric}"] for s in summaries],
        "test_best": [
            s["test"] and s["test"]["best"][f"test_{metric}"] for s in summaries
        ],
        "test_last": [
            s["test"] and s["test"]["last"][f"test_{metric}"] for s in summaries
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
        row[f"{name}_sd"] = _round(statistics.stdev(known)) if len(known) > 1 else None
    row["parameters"] = summaries[0]["parameters"]
    seconds = statistics.median(s["seconds_per_epoch"] for s in summaries)
    row["seconds_per_epoch"] = round(seconds, 3)
    for cost in ("seconds", "peak_memory_mb"):
        mean = find_cost(group, cost)
        row[f"{cost}_mean"] = None if mean is None else _round(mean)
    return row


def list_runs(groups: Sequence[Group]) -> Iterable[dict[str, Any]]:
    """Yield a row per run: its scores, how far it is from the floor, and its bars."""
    runs = [(group, run) for group in groups for run in group.runs]
    names = dict.fromkeys(b["name"] for _, run in runs for b in run.summary["bars"])
    for group, run in runs:
        summary, metric = run.summary, get_metric(run)
        best, last, test = (summary[key] or {} for key in ("best", "last", "test"))
        floor = summary.get("floor_check") or {}
        bars = {bar["name"]: bar["test"].get(metric) for bar in summary["bars"]}
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
            "floor": floor.get("floor"),
            "above_floor": floor.get("difference"),
            "standard_error": floor.get("standard_error"),
            "leak": floor.get("leak"),
            "parameters": summary["parameters"],
            "seconds": summary["seconds"],
            "peak_memory_mb": summary["peak_memory_mb"],
        } | {f"test of {name}": bars.get(name) for name in names}


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
            "second_is_bar": verdict.is_bar,
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


def _round(value: float) -> float:
    """Keep six digits."""
    return float(f"{value:.6g}")


def get_metric(run: Run) -> str:
    """Return what a run is judged by, as it stands in its history."""
    return run.summary["score"]["metric"]
