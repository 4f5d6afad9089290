"""Slim copies of run folders to commit: no model, predictions, data or paths.

`results/reference/<recipe>/[<flags>-]seed<k>/` holds `config.json`, `summary.json`,
`history.csv` and `kernels.json` of a run, and reads like a run folder. Verdicts need
the predictions for every test example, so they are computed here and saved as numbers.
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

from shared.compare.published_verdicts import VERDICTS
from shared.compare.tables import list_verdicts
from shared.compare.verdicts import compare_pairs, find_best
from shared.core.errors import format_flag
from shared.core.files import to_csv, write_text
from shared.core.flags import drop_flags
from shared.runs.groups import Group
from shared.runs.reader import KERNELS, Run
from shared.studies.reference.claim_list import list_claims
from shared.studies.reference.claims import list_pairs
from shared.studies.reference.experiments import (
    FEWEST_SEEDS,
    Experiment,
    ReferenceTrial,
    has_slow_epochs,
)
from shared.studies.reference.pictures import draw_pictures
from shared.studies.reference.published import (
    Reference,
    label_groups,
    read_reference,
)
from shared.sweeps.trial import load_flags, takes_type
from shared.sweeps.trials import TrialIndex

OUTPUT = "--results-dir"


def publish(
    experiments: Sequence[Experiment],
    seeds: Sequence[int],
    weather: str,
    index: TrialIndex,
    folder: Path,
) -> Reference:
    """Publish the runs of some experiments, and keep those of all others.

    Published runs are replaced only by at least as many new ones, or by the fewest
    seeds that slow experiments get.

    Args:
        experiments: The experiments to publish.
        seeds: The seeds of each.
        weather: Name of the weather file of the trainings.
        index: Index of the runs.
        folder: `results/reference`.

    Returns:
        The content of the folder afterwards.
    """
    before = read_reference(folder)
    fresh: list[Run] = []
    for experiment in experiments:
        trials = [ReferenceTrial(experiment, seed, weather) for seed in seeds]
        runs = [run for trial in trials if (run := index.find(trial)) is not None]
        old = before.count(experiment.label)
        if not runs:
            continue
        if len(runs) < (min(old, FEWEST_SEEDS) if has_slow_epochs(runs) else old):
            print(
                f"{experiment.label}: {len(runs)} runs here, {old} already published. "
                "The published ones stay."
            )
            continue
        slim = [remove_paths(run, experiment, index.runs, weather) for run in runs]
        _replace_runs(slim, experiment, folder)
        fresh += slim
    reference = read_reference(folder)
    if fresh:
        renewed = label_groups(fresh)
        _write_verdicts(before, renewed, folder)
        reference = read_reference(folder)
        draw_pictures(reference, renewed)
    return reference


def remove_paths(
    run: Run, experiment: Experiment, others: Iterable[Run], weather: str
) -> Run:
    """Return a run whose config contains no path of this machine.

    The new entry `published` holds the name of the run folder, and how many other runs
    trained at the same time, on average (`beside`).
    """
    config = {key: _strip_paths(value) for key, value in run.config.items()}
    flags = load_flags(experiment.recipe)
    paths = [name for name, flag in flags.items() if takes_type(flag, Path)]
    config["settings"] |= {name: None for name in paths if name in config["settings"]}
    config["changed"] = dict(experiment.changes) | experiment.list_data(weather)
    words = drop_flags(
        shlex.split(run.config["command"]), [OUTPUT, *map(format_flag, paths)]
    )
    config["command"] = shlex.join(words)
    config["published"] = {
        "run": run.path.name,
        "beside": count_concurrent_runs(run, others),
    }
    return replace(run, config=config)


def count_concurrent_runs(run: Run, others: Iterable[Run]) -> float:
    """Return how many other runs trained at the same time, on average."""
    start, end = _read_span(run)
    seconds = 0.0
    for other in others:
        if other.path != run.path and other.summary["seconds"]:
            begun, ended = _read_span(other)
            seconds += max(0.0, (min(end, ended) - max(start, begun)).total_seconds())
    return round(seconds / max(1.0, (end - start).total_seconds()), 1)


def _read_span(run: Run) -> tuple[datetime, datetime]:
    """Return when a run was opened, from its folder name, and when it ended."""
    start = datetime.strptime(run.path.name[:20], "%Y-%m-%dT%H-%M-%SZ")
    start = start.replace(tzinfo=UTC)
    return start, start + timedelta(seconds=run.summary["seconds"] or 0.0)


def _strip_paths(value: Any) -> Any:
    """Return a value with each absolute path cut to its last part."""
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
    """Write the verdicts on fresh groups, and keep those on other groups.

    The pairs are those of the claims, and every group with the one that is best on
    validation.
    """
    old = before.verdicts.items()
    rows = [row for pair, row in old if not fresh.keys() & set(pair)]
    lost = {
        label
        for pair, row in old
        if row["second_is_baseline"] == "False" and fresh.keys() & set(pair)
        for label in set(pair) - fresh.keys()
    }
    if lost:
        print(
            f"The verdicts between new runs and {', '.join(sorted(lost))} are gone: "
            "published runs keep no predictions. Train these again, and publish all."
        )
    wanted = list_pairs(list_claims())
    for data in dict.fromkeys(group.data for group in fresh.values()):
        same_data = {k: group for k, group in fresh.items() if group.data == data}
        pairs = [
            (same_data[one], same_data[other])
            for one, other in wanted
            if {one, other} <= same_data.keys()
        ]
        groups = list(same_data.values())
        rows += list_verdicts(compare_pairs(pairs, groups))
        # A family of its own, so that the claims keep their correction.
        best = find_best(groups)
        known = {frozenset((one.label, other.label)) for one, other in pairs}
        with_best = [
            (best, group)
            for group in groups
            if group is not best and frozenset((best.label, group.label)) not in known
        ]
        found = compare_pairs(with_best, groups)
        rows += list_verdicts([v for v in found if not v.is_baseline])
    if rows:
        rows.sort(key=lambda row: (row["data"], row["first"], row["second"]))
        write_text(folder / VERDICTS, to_csv(rows))
