"""The trainings of a sweep: which are there already, and training the others."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from shared.environment import PROJECT, list_versions
from shared.errors import spell_value
from shared.runs import Run, find_runs
from shared.seeds import EPOCH, Worker, run_workers


class Trial(Protocol):
    """One training that a sweep asks for."""

    @property
    def seed(self) -> int:
        """Its seed."""

    @property
    def label(self) -> str:
        """Name it in a line."""

    def command(self, results_dir: Path) -> list[str]:
        """Return the command line of the training, without `--threads`."""

    def is_made_by(self, run: Run, versions: dict[str, str]) -> bool:
        """Return whether a run is this training, finished, under these versions."""


@dataclass
class Ledger:
    """The runs that are there, and of which trial each is.

    Attributes:
        results_dir: Folder of all runs.
        runs: Of every recipe, oldest first.
        versions: A run under others counts as not there.
    """

    results_dir: Path
    runs: list[Run] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=list_versions)

    def __post_init__(self) -> None:
        self.read()

    def read(self) -> None:
        """Look at the folder anew."""
        self.runs = find_runs(self.results_dir)

    def find(self, trial: Trial) -> Run | None:
        """Return the newest run of a trial; None if there is none."""
        made = [run for run in self.runs if trial.is_made_by(run, self.versions)]
        return made[-1] if made else None


def spell_command(
    recipe: str, settings: Mapping[str, Any], results_dir: Path
) -> list[str]:
    """Return the command line that trains a recipe.

    Args:
        recipe: Its name with dashes.
        settings: Flags by field name.
        results_dir: Folder of all runs.
    """
    path = PROJECT / "recipes" / f"{recipe.replace('-', '_')}.py"
    every = dict(settings) | {"results_dir": results_dir}
    flags = [spell_value(name, value) for name, value in every.items()]
    words = [word for flag in flags for word in flag.split(" ", 1)]
    return [sys.executable, str(path), *words]


def train_trials(
    trials: Sequence[Trial], results_dir: Path, jobs: int, threads: int | None = None
) -> list[Worker]:
    """Train every trial, several at a time, and print a line for each that ended.

    Args:
        trials: Those that have no run yet.
        results_dir: Folder of all runs.
        jobs: How many train at a time.
        threads: Cores that each may use; None shares them out.

    Returns:
        The workers that failed.
    """
    workers = [Worker(trial.seed, trial.command(results_dir)) for trial in trials]
    labels = {
        id(worker): trial.label for worker, trial in zip(workers, trials, strict=True)
    }
    last: dict[int, str] = {}

    def tell(worker: Worker, line: str) -> None:
        if match := EPOCH.search(line):
            last[id(worker)] = f"epoch {match[1]} of {match[2]}, {match[3]}"
        elif worker.status is not None:
            told = last.get(id(worker), "no epoch")
            if worker.status:
                tail = worker.tail[-1] if worker.tail else "it wrote nothing"
                told = f"stopped with status {worker.status}: {tail}"
            print(f"  {labels[id(worker)]}: {told}", flush=True)

    if workers:
        run_workers(workers, jobs, threads, tell)
    return [worker for worker in workers if worker.status]
