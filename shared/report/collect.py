"""What the report page shows, collected from run folders as plain values.

Groups, bars, verdicts and rows are those of `make compare`. Reads files only.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from shared.errors import UserError, spell_flag
from shared.groups import (
    Group,
    explain_missing,
    group_runs,
    keep_newest,
    list_bars,
)
from shared.metrics import spell_title
from shared.plots import list_metrics
from shared.report.matrix import Judge, build_matrix
from shared.rows import get_metric, list_groups
from shared.runs import Run, find_runs, read_kernels, spell_kernels
from shared.tables import judge_floor, list_better_bars, spell_metric

OWN = "own"
DIGITS = 5  # of a curve; no screen shows more
RUN_COLUMNS = ("seed", "best_epoch", "best_val", "last_val", "test_best", "test_last")


def find_groups(
    folders: Mapping[str, Path], most: int | None = None
) -> tuple[list[tuple[str, Group]], list[str]]:
    """Return all groups of runs with the source they are from.

    Of one seed's repeats the newest that finished counts, and the newest that did not;
    what trains right now is always in.

    Args:
        folders: Source, `own` or `reference` -> folder of all its runs.
        most: How many runs at most, the newest; None means all.

    Returns:
        Source and group, and a sentence for what was left out.

    Raises:
        UserError: If there is no run with an epoch.
    """
    found = {source: find_runs(folder) for source, folder in folders.items()}
    kept = {source: _keep(runs) for source, runs in found.items()}
    everything = sorted(
        (run for runs in kept.values() for run in runs),
        key=lambda run: run.path.name,
        reverse=True,
    )
    if not everything:
        raise UserError(explain_missing(None, folders[OWN]))
    chosen = {run.path for run in everything[:most]}
    names = {
        run.path: group.data for group in group_runs(everything) for run in group.runs
    }
    groups = [
        (source, replace(group, data=names[group.runs[0].path]))
        for source, runs in kept.items()
        for group in group_runs(run for run in runs if run.path in chosen)
    ]
    notes = []
    if empty := sum(not run.history for runs in found.values() for run in runs):
        notes.append(f"Not shown: runs that hold no epoch yet ({empty}).")
    repeats = sum(map(len, found.values())) - empty - len(everything)
    if repeats:
        notes.append(f"Not shown: older repeats of a seed ({repeats}).")
    if dropped := len(everything) - len(chosen):
        notes.append(f"Not shown, to keep the file small: the oldest runs ({dropped}).")
    return _tell_apart(groups), notes


def collect(
    groups: Sequence[tuple[str, Group]], judge: Judge | None = None
) -> dict[str, Any]:
    """Return what the page shows of these groups.

    Args:
        groups: Sources and groups of `find_groups`.
        judge: Gives the verdicts; None leaves them out.

    Returns:
        `made` (time), `sets` (a dict per data set) and `runs` (a dict per run by its
        key), ready for JSON.
    """
    sets = []
    for name in sorted({group.data for _, group in groups}):
        members = [pair for pair in groups if pair[1].data == name]
        sets.append(_describe_set(f"set-{len(sets)}", name, members, judge))
    return {
        "made": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "sets": sets,
        "runs": {
            name_key(run): _describe_run(run)
            for _, group in groups
            for run in group.runs
        },
    }


def name_key(run: Run) -> str:
    """Return what tells a run apart from all others: its last three folders."""
    return "/".join(run.path.resolve().parts[-3:])


def _keep(runs: Iterable[Run]) -> list[Run]:
    with_epochs = [run for run in runs if run.history]
    finished = keep_newest(run for run in with_epochs if run.state == "finished")
    stopped = keep_newest(
        run for run in with_epochs if run.state in ("interrupted", "failed")
    )
    running = [run for run in with_epochs if run.state == "running"]
    return [*finished, *stopped, *running]


def _tell_apart(groups: Sequence[tuple[str, Group]]) -> list[tuple[str, Group]]:
    """Give the groups of a data set labels of their own."""
    marked = [
        (source, group)
        if source == OWN
        else (source, replace(group, label=f"{group.label} ({source})"))
        for source, group in groups
    ]
    times = Counter((group.data, group.label) for _, group in marked)
    return [
        (source, group)
        if times[group.data, group.label] == 1
        else (
            source,
            replace(group, label=f"{group.label} ({group.runs[-1].path.name})"),
        )
        for source, group in marked
    ]


def _describe_set(
    key: str, name: str, members: Sequence[tuple[str, Group]], judge: Judge | None
) -> dict[str, Any]:
    groups = [group for _, group in members]
    first = groups[0].runs[0]
    metrics = list(dict.fromkeys(m for g in groups for m in list_metrics(g.runs[0])))
    unit = first.summary["score"].get("unit", "")
    rows = list(list_groups(groups))
    finished = [group for group in groups if group.runs[0].state == "finished"]
    return {
        "key": key,
        "name": name,
        "kind": spell_kind(first),
        "score": spell_metric(first),
        "higher_is_better": first.summary["score"]["higher_is_better"],
        "metrics": [{"name": m, "title": spell_title(m, unit)} for m in metrics],
        "groups": [
            _describe_group(f"{key}-{k}", source, group) | {"row": row}
            for k, ((source, group), row) in enumerate(zip(members, rows, strict=False))
        ],
        "bars": [
            bar | {"row": row}
            for bar, row in zip(list_bars(groups), rows[len(groups) :], strict=True)
        ],
        "matrix": build_matrix(judge(finished), finished) if judge and finished else {},
    }


def spell_kind(run: Run) -> str:
    """Say whether a run's data are real, a sample in their place, or generated."""
    facts = run.config.get("data_facts", {})
    if "sample" in run.data:
        return "generated sample, not the real data"
    if facts.get("origin") == "generated":
        return "generated task"
    part = "part of the real data" if "-limit-" in run.data else "real data"
    return f"{part}, SHA-256 {run.data_hash[:8]}" if run.data_hash else part


def _describe_group(key: str, source: str, group: Group) -> dict[str, Any]:
    newest = max(group.runs, key=lambda run: run.path.name)
    config = newest.config
    planned = [layer["told"] for layer in read_kernels(newest.path).get("planned", [])]
    ran = dict.fromkeys(filter(None, (spell_kernels(run.path) for run in group.runs)))
    return {
        "key": key,
        "label": group.label,
        "source": source,
        "state": newest.state,
        "runs": [name_key(run) for run in group.runs],
        "settings": [
            {
                "flag": spell_flag(name),
                "value": str(value),
                "changed": name in config.get("changed", {}),
            }
            for name, value in config["settings"].items()
            if name != "seed"
        ],
        "facts": {
            "kernels, planned": "; ".join(planned),
            "kernels, ran": " / ".join(ran),
            "examples": _join(config.get("data_facts", {}).get("examples")),
            "device": _join(config.get("device")),
            "versions": _join(config.get("versions")),
            "commit": _spell_code(config.get("code") or {}),
            "command": config.get("command", ""),
        },
    }


def _describe_run(run: Run) -> dict[str, Any]:
    summary, metric = run.summary, get_metric(run)
    best, last, test = (summary[key] or {} for key in ("best", "last", "test"))
    values = (
        run.seed, best.get("epoch"), best.get(f"val_{metric}"),
        last.get(f"val_{metric}"), test.get("best", {}).get(f"test_{metric}"),
        test.get("last", {}).get(f"test_{metric}"),
    )  # fmt: skip
    return {
        "folder": str(run.path),
        "state": run.state,
        "note": summary.get("note", "") if run.state != "finished" else "",
        "holds": summary.get("holds", ""),
        "figures": dict(zip(RUN_COLUMNS, values, strict=True)),
        "sentences": [*judge_floor(summary), *list_better_bars(summary)],
        "bars": summary["bars"],
        "metrics": list_metrics(run),
        "history": {
            name: [_shorten(value) for value in column]
            for name, column in run.history.items()
        },
    }


def _shorten(value: float) -> float | None:
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None


def _spell_code(code: Mapping[str, Any]) -> str:
    commit = code.get("commit") or ""
    return f"{commit[:12]}, with changes" if code.get("changed") else commit[:12]


def _join(facts: Mapping[str, Any] | None) -> str:
    """Write a few facts as a line: `train 20000, test 25000`."""
    return ", ".join(
        f"{name.replace('_', ' ')} {value}"
        for name, value in (facts or {}).items()
        if value not in ("", [], None)
    )
