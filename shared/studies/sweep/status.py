"""How far a sweep is: done, running, failed, missing, and the time left."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from shared.core.flags import parse
from shared.core.text import format_duration, shorten
from shared.studies.sweep.folder import SweepFolder
from shared.studies.sweep.plan import Plan, make_plan
from shared.studies.sweep.samplers import RandomSampler
from shared.studies.sweep.train import find_searched
from shared.sweeps.trial import Trial
from shared.sweeps.trials import TrialIndex

STATES = ("done", "running", "failed", "missing")


def read_plan(folder: SweepFolder) -> tuple[Plan, Any]:
    """Return the plan of a saved sweep, and its options."""
    from shared.studies.sweep.__main__ import PROGRAM, Options

    options = parse(Options, folder.facts["flags"], PROGRAM, "")
    plan = make_plan(
        folder.path.name, options.recipes, options.seeds, options.grid, options.range,
        options.search,
    )  # fmt: skip
    return plan, options


def show_status(path: Path, results_dir: Path) -> None:
    """Print how far the sweep in a folder is.

    Raises:
        UserError: If there is no such sweep.
    """
    folder = SweepFolder(path)
    folder.read()
    plan, options = read_plan(folder)
    index = TrialIndex(results_dir)
    saved = folder.read_state()
    is_running = folder.is_running()
    now = saved.get("running", {}) if is_running else {}
    trials = list_trials(plan, options.trials)
    if trials is None:
        _show_open_search(plan, index, options.trials, is_running)
        return
    states = [
        find_state(trial, index, now, saved.get("failures", {})) for trial in trials
    ]
    _show_table(plan, trials, states)
    counts = Counter(states)
    text = ", ".join(f"{counts[state]} {state}" for state in STATES)
    print(f"{plan.name}: {len(trials)} trials: {text}.")
    print("A command works on it now." if is_running else "No command works on it now.")
    left = counts["missing"] + counts["running"] + counts["failed"]
    seconds = [run.summary["seconds"] for run in map(index.find, trials) if run]
    if left and any(seconds):
        each = statistics.median(s for s in seconds if s)
        workers = saved.get("workers", 1)
        print(
            f"About {format_duration(each * math.ceil(left / workers))} left with "
            f"{workers} at a time (training alone)."
        )
    for label, line in now.items():
        print(f"  running: {label}: {shorten(line)}")
    for trial, state in zip(trials, states, strict=True):
        if state == "failed":
            reason = saved.get("failures", {}).get(trial.label, "its run says why")
            print(f"  failed: {trial.label}: {shorten(reason)}")


def list_trials(plan: Plan, num_trials: int) -> list[Trial] | None:
    """Return the trials of a sweep; None if a search chooses them on the way."""
    if plan.search == "grid":
        return plan.list_trials()
    if plan.search == "tpe":
        return None
    sampler = RandomSampler(plan, num_trials)
    return list(iter(sampler.ask, None))


def find_state(
    trial: Trial, index: TrialIndex, now: Mapping[str, str], failures: Mapping[str, str]
) -> str:
    """Return one of `STATES`."""
    if find_searched(index, trial) is not None:
        return "done"
    if trial.label in now or index.find_in_state(trial, "running"):
        return "running"
    if trial.label in failures or index.find_in_state(trial, "failed"):
        return "failed"
    return "missing"


def _show_table(plan: Plan, trials: Sequence[Trial], states: Sequence[str]) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("recipe")
    for state in STATES:
        table.add_column(state, justify="right")
    for recipe in plan.recipes:
        counts = Counter(
            state
            for trial, state in zip(trials, states, strict=True)
            if trial.recipe == recipe
        )
        table.add_row(recipe, *(str(counts[state]) for state in STATES))
    Console(highlight=False).print(table)


def _show_open_search(
    plan: Plan, index: TrialIndex, num_trials: int, is_running: bool
) -> None:
    from shared.studies.sweep.confirm import find_searched_runs

    runs = find_searched_runs(plan, index)
    pruned = sum(run.state != "finished" for run in runs)
    print(
        f"{plan.name}: {len(runs)} of {num_trials} trials done, {pruned} of them "
        "pruned."
    )
    print("A command works on it now." if is_running else "No command works on it now.")
