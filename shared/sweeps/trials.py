"""The trainings of a sweep: which runs exist already, and training the others."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from shared.core.environment import PROJECT, list_versions
from shared.core.errors import format_value
from shared.runs.reader import Found, Run, scan_runs
from shared.sweeps.workers import EPOCH, Worker, run_workers


class Trial(Protocol):
    """One training that a sweep needs."""

    @property
    def seed(self) -> int:
        """Seed of the training."""

    @property
    def label(self) -> str:
        """Name of the training in one line."""

    def command(self, results_dir: Path) -> list[str]:
        """Return the command line of the training, without `--threads`."""

    def is_made_by(self, run: Run, versions: dict[str, str]) -> bool:
        """Return whether a run is this training, finished, with these versions."""


@dataclass
class TrialIndex:
    """The existing runs, and the trial that each belongs to.

    Attributes:
        results_dir: Folder of all runs.
        runs: Runs of every recipe, oldest first.
        versions: Versions of the packages. A run with other versions does not count.
    """

    results_dir: Path
    runs: list[Run] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=list_versions)

    def __post_init__(self) -> None:
        for line in self.read().describe():
            print(line)

    def read(self) -> Found:
        """Read the folder again, and return what was found."""
        found = scan_runs(self.results_dir)
        self.runs = found.runs
        return found

    def find(self, trial: Trial) -> Run | None:
        """Return the newest run of a trial; None if there is none."""
        found = [run for run in self.runs if trial.is_made_by(run, self.versions)]
        return found[-1] if found else None


def format_command(
    recipe: str, settings: Mapping[str, Any], results_dir: Path
) -> list[str]:
    """Return the command line that trains a recipe.

    Args:
        recipe: Name of the recipe, with dashes.
        settings: Flags by field name.
        results_dir: Folder of all runs.
    """
    path = PROJECT / "recipes" / f"{recipe.replace('-', '_')}.py"
    every = dict(settings) | {"results_dir": results_dir}
    flags = [format_value(name, value) for name, value in every.items()]
    words = [word for flag in flags for word in flag.split(" ", 1)]
    return [sys.executable, str(path), *words]


def train_trials(
    trials: Sequence[Trial],
    results_dir: Path,
    num_workers: int,
    threads: int | None = None,
) -> list[Worker]:
    """Train every trial, several at a time, and print a line for each that ended.

    Args:
        trials: The trials without a run.
        results_dir: Folder of all runs.
        num_workers: How many train at a time.
        threads: Cores for each training; None divides the cores equally.

    Returns:
        The workers that failed.
    """
    workers = [Worker(trial.seed, trial.command(results_dir)) for trial in trials]
    labels = {
        id(worker): trial.label for worker, trial in zip(workers, trials, strict=True)
    }
    last: dict[int, str] = {}

    def report(worker: Worker, line: str) -> None:
        if match := EPOCH.search(line):
            last[id(worker)] = f"epoch {match[1]} of {match[2]}, {match[3]}"
        elif worker.status is not None:
            text = last.get(id(worker), "no epoch")
            if worker.status:
                tail = worker.tail[-1] if worker.tail else "it printed nothing"
                text = f"stopped with status {worker.status}: {tail}"
            print(f"  {labels[id(worker)]}: {text}", flush=True)

    if workers:
        run_workers(workers, num_workers, threads, report)
    return [worker for worker in workers if worker.status]
