"""The content of the report page, collected from run folders as plain values.

Groups, baselines, verdicts and rows are the same as in `make compare`. Reads files
only.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from shared.core.errors import UserError
from shared.plots.curves import list_metrics
from shared.report.classes import read_classes
from shared.report.entries import name_key
from shared.report.matrix import VerdictCache
from shared.report.published import OWN
from shared.report.sets import describe_set, sort_sets
from shared.runs.groups import (
    Group,
    explain_missing,
    group_runs,
    keep_newest,
)
from shared.runs.lineage import find_counted
from shared.runs.reader import Found, Run, scan_runs
from shared.runs.terminal import (
    describe_leak_check,
    list_better_baselines,
)

DIGITS = 5  # of a curve; no screen shows more
RUN_COLUMNS = ("seed", "best_epoch", "best_val", "last_val", "test_best", "test_last")


def scan_folders(folders: Mapping[str, Path]) -> dict[str, Found]:
    """Return what each folder of runs holds, by its source."""
    return {source: scan_runs(folder) for source, folder in folders.items()}


def find_groups(
    folders: Mapping[str, Path],
    most: int | None = None,
    scanned: Mapping[str, Found] | None = None,
) -> tuple[list[tuple[str, Group]], list[str]]:
    """Return all groups of runs with their source.

    Of each seed's repeats, the newest finished and the newest unfinished run are shown.
    Runs that are still training are always shown.

    Args:
        folders: Source (`own` or `reference`) -> folder of all its runs.
        most: Show at most this many runs, the newest; None means all.
        scanned: Source -> what its folder holds, from `scan_folders`; None reads it.

    Returns:
        Source and group, and a sentence for each kind of runs left out and for each
        folder that cannot be read.

    Raises:
        UserError: If there is no run with an epoch.
    """
    scanned = scanned or scan_folders(folders)
    found = {source: scan.runs for source, scan in scanned.items()}
    kept = {source: _keep(runs) for source, runs in found.items()}
    everything = sorted(
        (run for runs in kept.values() for run in runs),
        key=lambda run: run.path.name,
        reverse=True,
    )
    if not everything:
        raise UserError(explain_missing(None, folders[OWN], scanned[OWN]))
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
    with_epochs = [[run for run in runs if run.history] for runs in found.values()]
    carried_on = sum(len(runs) - len(find_counted(runs)) for runs in with_epochs)
    if carried_on:
        notes.append(f"Not shown: runs that a later one carries on ({carried_on}).")
    repeats = sum(map(len, found.values())) - empty - carried_on - len(everything)
    if repeats:
        notes.append(f"Not shown: older repeats of a seed ({repeats}).")
    if dropped := len(everything) - len(chosen):
        notes.append(f"Not shown, to keep the file small: the oldest runs ({dropped}).")
    notes += [line for scan in scanned.values() for line in scan.describe()]
    return _make_labels_unique(groups), notes


def collect(
    groups: Sequence[tuple[str, Group]], get_verdicts: VerdictCache | None = None
) -> dict[str, Any]:
    """Return the content of the page for these groups.

    Args:
        groups: Sources and groups from `find_groups`.
        get_verdicts: Returns verdicts on groups; None shows no verdicts.

    Returns:
        `made` (time), `sets` (a dict per data set) and `runs` (key of a run -> dict),
        ready for JSON.
    """
    together: dict[str, list[tuple[str, Group]]] = {}
    for source, group in groups:
        together.setdefault(group.data, []).append((source, group))
    sets = [
        describe_set(f"set-{k}", name, together[name], get_verdicts)
        for k, name in enumerate(sort_sets(together))
    ]
    return {
        "made": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "sets": sets,
        "runs": {
            name_key(run): _describe_run(run)
            for _, group in groups
            for run in group.runs
        },
    }


def _keep(runs: Iterable[Run]) -> list[Run]:
    with_epochs = find_counted(run for run in runs if run.history)
    finished = keep_newest(run for run in with_epochs if run.state == "finished")
    stopped = keep_newest(
        run for run in with_epochs if run.state in ("interrupted", "failed")
    )
    running = [run for run in with_epochs if run.state == "running"]
    return [*finished, *stopped, *running]


def _make_labels_unique(groups: Sequence[tuple[str, Group]]) -> list[tuple[str, Group]]:
    """Return the groups with labels that are unique within a data set."""
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


def _describe_run(run: Run) -> dict[str, Any]:
    summary, metric = run.summary, run.score.metric
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
        "sentences": [*describe_leak_check(summary), *list_better_baselines(run)],
        "baselines": summary["baselines"],
        "classes": read_classes(run),
        "metrics": list_metrics(run),
        "history": {
            name: [_shorten(value) for value in column]
            for name, column in run.history.items()
        },
    }


def _shorten(value: float) -> float | None:
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
