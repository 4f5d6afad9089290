"""The trainings of a sweep: which runs exist already, and training the others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from shared.core.environment import list_versions
from shared.runs.reader import Found, Run, scan_runs
from shared.sweeps.progress import show_progress
from shared.sweeps.trial import TrialBase
from shared.sweeps.workers import Worker, run_workers


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

    def find(self, trial: TrialBase) -> Run | None:
        """Return the newest run of a trial; None if there is none."""
        runs = self._list_alike(trial)
        found = [run for run in runs if trial.is_made_by(run, self.versions)]
        return found[-1] if found else None

    def find_in_state(self, trial: TrialBase, *states: str) -> Run | None:
        """Return the newest run of a trial in one of some states, such as `running`."""
        found = [
            run
            for run in self._list_alike(trial)
            if run.state in states and trial.is_same(run, self.versions)
        ]
        return found[-1] if found else None

    def _list_alike(self, trial: TrialBase) -> list[Run]:
        """Return the runs of the recipe and the seed of a trial."""
        if getattr(self, "_sorted", None) != (id(self.runs), len(self.runs)):
            self._alike: dict[tuple[str, int], list[Run]] = defaultdict(list)
            for run in self.runs:
                self._alike[run.recipe, run.seed].append(run)
            self._sorted = (id(self.runs), len(self.runs))
        return self._alike.get((trial.recipe, trial.seed), [])


def train_missing(
    trials: Sequence[TrialBase],
    index: TrialIndex,
    num_workers: int,
    threads: int | None = None,
    start: str = "",
    noun: str = "trainings",
) -> list[Worker]:
    """Train every trial that has no run yet, several at a time.

    Args:
        trials: The trials that a study needs.
        index: The existing runs. It is read again at the end.
        num_workers: How many train at a time.
        threads: Cores for each training; None divides the cores equally.
        start: Start of the line that says how many are trained already.
        noun: What a trial is called in that line.

    Returns:
        The workers that failed.
    """
    missing = [trial for trial in trials if index.find(trial) is None]
    print(
        f"{start}{len(trials)} {noun}, {len(trials) - len(missing)} of them already "
        "trained.",
        flush=True,
    )
    failed = train_trials(missing, index.results_dir, num_workers, threads)
    index.read()
    return failed


def train_trials(
    trials: Sequence[TrialBase],
    results_dir: Path,
    num_workers: int,
    threads: int | None = None,
    every_epoch: bool = False,
    extra: Sequence[str] = (),
) -> list[Worker]:
    """Train every trial, several at a time, with one progress display.

    Args:
        trials: The trials without a run.
        results_dir: Folder of all runs.
        num_workers: How many train at a time.
        threads: Cores for each training; None divides the cores equally.
        every_epoch: Print each epoch into a file too, and not only the end.
        extra: Flags of every command that do not belong to the trial.

    Returns:
        The workers that failed.
    """
    workers = [
        Worker(trial.seed, [*trial.command(results_dir), *extra], label=trial.label)
        for trial in trials
    ]
    if workers:
        num_workers = min(num_workers, len(workers))
        with show_progress(len(workers), every_epoch) as report:
            run_workers(workers, num_workers, threads, report)
    return [worker for worker in workers if worker.status]
