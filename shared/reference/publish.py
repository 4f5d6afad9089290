"""From run folders to what is committed: no model, no prediction, no data, no path.

`results/reference/<recipe>/[<flags>-]seed<k>/` holds `config.json`, `summary.json`,
`history.csv` and `kernels.json` of a run, and reads like a run folder. What needs the
answers to every test example, the verdicts, is computed here and kept as numbers.
"""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from shared.files import to_csv, write_text, write_whole
from shared.flags import drop_flags
from shared.groups import Group
from shared.reference.claim_list import list_claims
from shared.reference.claims import list_questions
from shared.reference.plan import Experiment, ReferenceTrial
from shared.reference.record import (
    VERDICTS,
    Reference,
    label_groups,
    read_reference,
)
from shared.rows import list_verdicts
from shared.runs import KERNELS, Run
from shared.trials import Ledger
from shared.verdicts import judge

PLACES = ("--results-dir", "--data-dir")


def publish(
    experiments: Sequence[Experiment],
    seeds: Sequence[int],
    weather: str,
    ledger: Ledger,
    folder: Path,
) -> Reference:
    """Write what runs say of some experiments, and leave the others as they are.

    Runs that are published already are replaced by at least as many only.

    Args:
        experiments: Which of them to look for.
        seeds: Of each.
        weather: Name of the weather file they were trained on.
        ledger: Where the runs are.
        folder: `results/reference`.

    Returns:
        What stands in the folder afterwards.
    """
    before = read_reference(folder)
    fresh: list[Run] = []
    for experiment in experiments:
        trials = [ReferenceTrial(experiment, seed, weather) for seed in seeds]
        runs = [run for trial in trials if (run := ledger.find(trial)) is not None]
        old = before.count(experiment.label)
        if not runs:
            continue
        if len(runs) < old:
            print(
                f"{experiment.label}: {len(runs)} runs here, {old} published already; "
                "these stay."
            )
            continue
        slim = [hide_places(run, experiment, ledger.runs, weather) for run in runs]
        _replace_runs(slim, experiment, folder)
        fresh += slim
    reference = read_reference(folder)
    if fresh:
        renewed = label_groups(fresh)
        _write_verdicts(before, renewed, folder)
        reference = read_reference(folder)
        _draw(reference, renewed)
    return reference


def hide_places(
    run: Run, experiment: Experiment, others: Iterable[Run], weather: str
) -> Run:
    """Return a run whose config names no place of this machine.

    It gains `published`: the name of the run folder, and how many others trained at
    the same time, on average.
    """
    config = {key: _strip_paths(value) for key, value in run.config.items()}
    settings = config["settings"]
    if "data_dir" in settings:
        settings["data_dir"] = None
    config["changed"] = dict(experiment.changes) | experiment.list_data(weather)
    words = drop_flags(shlex.split(run.config["command"]), PLACES)
    config["command"] = shlex.join(words)
    config["published"] = {"run": run.path.name, "beside": count_beside(run, others)}
    return replace(run, config=config)


def count_beside(run: Run, others: Iterable[Run]) -> float:
    """Return how many other runs trained while a run did, on average."""
    start, end = _read_span(run)
    seconds = 0.0
    for other in others:
        if other.path != run.path and other.summary["seconds"]:
            begun, ended = _read_span(other)
            seconds += max(0.0, (min(end, ended) - max(start, begun)).total_seconds())
    return round(seconds / max(1.0, (end - start).total_seconds()), 1)


def _read_span(run: Run) -> tuple[datetime, datetime]:
    """Return when a run was opened, from its folder's name, and when it ended."""
    start = datetime.strptime(run.path.name[:20], "%Y-%m-%dT%H-%M-%SZ")
    start = start.replace(tzinfo=UTC)
    return start, start + timedelta(seconds=run.summary["seconds"] or 0.0)


def _strip_paths(value: Any) -> Any:
    """Return a value with only the last part of each absolute path in it."""
    if isinstance(value, dict):
        return {key: _strip_paths(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_strip_paths(item) for item in value]
    if isinstance(value, str) and Path(value).is_absolute():
        return Path(value).name
    return value


def name_folder(experiment: Experiment, seed: int) -> str:
    """Return the name of a published run's folder."""
    return "-".join([*filter(None, [experiment.slug]), f"seed{seed}"])


def _replace_runs(runs: Sequence[Run], experiment: Experiment, folder: Path) -> None:
    parent = folder / experiment.recipe
    for summary in parent.glob("*/summary.json"):
        seed = json.loads(summary.read_text(encoding="utf-8"))["seed"]
        if summary.parent.name == name_folder(experiment, seed):
            shutil.rmtree(summary.parent)
    for run in runs:
        path = parent / name_folder(experiment, run.seed)
        text = json.dumps(run.config, indent=1) + "\n"
        write_text(path / "config.json", text)
        for name in ("history.csv", KERNELS, "summary.json"):
            if (run.path / name).is_file():
                write_text(path / name, (run.path / name).read_text(encoding="utf-8"))


def _write_verdicts(before: Reference, fresh: dict[str, Group], folder: Path) -> None:
    """Write what the fresh groups say, and keep what was said of others alone."""
    old = before.verdicts.items()
    rows = [row for pair, row in old if not fresh.keys() & set(pair)]
    questions = list_questions(list_claims())
    for data in dict.fromkeys(group.data for group in fresh.values()):
        members = {k: group for k, group in fresh.items() if group.data == data}
        pairs = [
            (members[one], members[other])
            for one, other in questions
            if {one, other} <= members.keys()
        ]
        rows += list_verdicts(judge(pairs, list(members.values())))
    if rows:
        rows.sort(key=lambda row: (row["data"], row["first"], row["second"]))
        write_text(folder / VERDICTS, to_csv(rows))


def _draw(reference: Reference, fresh: dict[str, Group]) -> None:
    """Draw the curves of every fresh recipe, and those of every claim."""
    from shared.plots import draw_comparison

    for recipe in dict.fromkeys(group.runs[0].recipe for group in fresh.values()):
        groups = [g for g in reference.groups.values() if g.runs[0].recipe == recipe]
        path = reference.folder / recipe / "curves.png"
        write_whole(path, draw_comparison(groups).savefig)
    for claim in list_claims():
        groups = [g for name in claim.drawn if (g := reference.groups.get(name))]
        if groups and fresh.keys() & set(claim.drawn):
            path = reference.folder / claim.picture
            write_whole(path, draw_comparison(groups).savefig)
