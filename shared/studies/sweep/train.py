"""Train what a sweep lacks, on this machine or on a cluster."""

from __future__ import annotations

import math
import os
import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from shared.core.errors import UserError
from shared.runs.reader import Run, read_run
from shared.studies.sweep.folder import SweepFolder
from shared.studies.sweep.plan import Plan
from shared.studies.sweep.samplers import Sampler
from shared.sweeps.halving import Halving
from shared.sweeps.progress import show_progress
from shared.sweeps.ray_cluster import RayOptions
from shared.sweeps.ray_pool import run_on_ray
from shared.sweeps.slurm_pool import SlurmOptions, run_on_slurm
from shared.sweeps.trial import Trial
from shared.sweeps.trials import TrialIndex
from shared.sweeps.workers import Worker, run_workers

MOST_FAILED = 3
"""A recipe whose first trials all fail, so many of them, is given up."""
STATE_PAUSE = 2.0  # seconds between two writes of state.json


@dataclass
class Trainer:
    """Trains trials, and knows when to stop.

    Attributes:
        plan: The sweep.
        folder: Its folder.
        index: The existing runs.
        num_workers: How many train at a time on this machine.
        threads: Cores for each of them; None: an equal share.
        cluster: How to use a cluster; None: train on this machine.
        deadline: Time of `time.monotonic` at which no training starts; None: none.
        pruner: Decides which trials of a search stop early; None: none.
        reserved: Trainings that must still fit in before the deadline, for the
            confirmation.
        failures: Label of a trial -> how it failed.
        seconds: Times of the trainings that finished.
        statuses: Exit statuses of those that failed.
    """

    plan: Plan
    folder: SweepFolder
    index: TrialIndex
    num_workers: int
    threads: int | None = None
    cluster: RayOptions | SlurmOptions | None = None
    deadline: float | None = None
    pruner: Halving | None = None
    reserved: int = 0
    failures: dict[str, str] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    is_out_of_time: bool = False
    _outcomes: Counter = field(default_factory=Counter)
    _given_up: set[str] = field(default_factory=set)
    _running: dict[str, str] = field(default_factory=dict)
    _asked: dict[int, Trial] = field(default_factory=dict)
    _sampler: Sampler | None = None
    _twins: dict[str, list[Trial]] = field(default_factory=dict)
    _told: dict[str, tuple[float | None, bool]] = field(default_factory=dict)
    _telling: threading.Lock = field(default_factory=threading.Lock)
    _written: float = 0.0

    def train(self, trials: Iterable[Trial], count: int | None) -> None:
        """Train trials that have no run, each to its end.

        Args:
            trials: Asked for one after the other.
            count: How many there are; None if it is not known.
        """
        queue = ((self._make_worker(trial), trial) for trial in trials)
        self._run(queue, count, None)

    def train_missing(self, trials: list[Trial], what: str = "trials") -> None:
        """Train those of some trials that have no run."""
        missing = [trial for trial in trials if self.index.find(trial) is None]
        elsewhere = [t for t in missing if self.index.find_in_state(t, "running")]
        missing = [trial for trial in missing if trial not in elsewhere]
        done = len(trials) - len(missing) - len(elsewhere)
        print(f"{len(trials)} {what}, {done} of them already trained.", flush=True)
        if elsewhere:
            print(f"{len(elsewhere)} are being trained by another command: left to it.")
        if missing:
            self.train(missing, len(missing))
        self.index.read()

    def search(self, sampler: Sampler, num_trials: int) -> None:
        """Train what a sampler asks for, and tell it how each trial ended."""
        self._sampler = sampler
        self._run(self._ask(sampler), num_trials, self.pruner)
        self.index.read()

    def _ask(self, sampler: Sampler) -> Iterator[tuple[Worker, Trial]]:
        known = 0
        while (trial := sampler.ask()) is not None:
            if self._is_twin(trial):
                continue
            run = find_searched(self.index, trial)
            if run is not None:
                known += 1
                self._replay(trial, run)
                self._tell(trial, *measure(run))
                continue
            worker = self._make_worker(trial)
            self._asked[id(worker)] = trial
            yield worker, trial
        if known:
            print(f"{known} trials of the search were already trained.", flush=True)

    def _replay(self, trial: Trial, run: Run) -> None:
        """Let the pruner know a run that exists already."""
        column = run.history.get(f"val_{run.score.metric}", [])
        for epoch, value in enumerate(column, 1) if self.pruner else ():
            planned = run.settings.get("epochs", len(column))
            self.pruner.add(trial.label, epoch, -run.score.sign * value, planned)

    def _make_worker(self, trial: Trial) -> Worker:
        command = trial.command(self.index.results_dir)
        extra = [] if trial.is_tested else ["--no-score-test"]
        return Worker(trial.seed, [*command, *extra], trial.label, trial.recipe, extra)

    def _run(
        self,
        queue: Iterator[tuple[Worker, Trial]],
        count: int | None,
        pruner: Halving | None,
    ) -> None:
        queue = self._limit(queue)
        with show_progress(count) as show:

            def report(worker: Worker, line: str) -> None:
                show(worker, line)
                self._record(worker, line)

            if isinstance(self.cluster, RayOptions):
                run_on_ray(
                    queue, self.cluster, self.index.results_dir, report, pruner,
                    self.plan.files,
                )  # fmt: skip
            elif isinstance(self.cluster, SlurmOptions):
                run_on_slurm(
                    queue, self.cluster, self.index.results_dir, report, self.plan.files
                )
            else:
                here = (worker for worker, _ in queue)
                run_workers(here, self.num_workers, self.threads, report, pruner)
        self._write_state(force=True)

    def _limit(
        self, queue: Iterator[tuple[Worker, Trial]]
    ) -> Iterator[tuple[Worker, Trial]]:
        """End the queue when the time is over, and leave out hopeless recipes."""
        for worker, trial in queue:
            if trial.recipe in self._given_up:
                continue
            if self.deadline is not None:
                typical = statistics.median(self.seconds) if self.seconds else 0.0
                rounds = 1 + math.ceil(self.reserved / self.num_workers)
                if time.monotonic() + rounds * typical > self.deadline:
                    self.is_out_of_time = True
                    return
            yield worker, trial

    def _record(self, worker: Worker, line: str) -> None:
        if worker.status is None:
            self._running[worker.label] = line.strip()
            self._write_state()
            return
        self._running.pop(worker.label, None)
        self._outcomes[worker.recipe, bool(worker.status)] += 1
        if worker.status:
            self.statuses.append(worker.status)
            last = worker.tail[-1] if worker.tail else "it printed nothing"
            self.failures[worker.label] = last
            self._give_up(worker.recipe, last)
        else:
            self.seconds.append(worker.seconds)
            self.failures.pop(worker.label, None)
        trial = self._asked.pop(id(worker), None)
        if trial is not None:
            self._tell(trial, *read_outcome(worker))
        self._write_state()

    def _is_twin(self, trial: Trial) -> bool:
        """Return whether an equal trial was asked for before; then do not train it."""
        with self._telling:
            if trial.label in self._told:
                self._sampler.tell(trial, *self._told[trial.label])
                return True
            twins = self._twins.setdefault(trial.label, [])
            twins.append(trial)
            return len(twins) > 1

    def _tell(self, trial: Trial, error: float | None, was_pruned: bool) -> None:
        """Tell the sampler how a trial ended, and all that are equal to it."""
        with self._telling:
            self._told[trial.label] = error, was_pruned
            for twin in self._twins.pop(trial.label, [trial]):
                self._sampler.tell(twin, error, was_pruned)

    def _give_up(self, recipe: str, last: str) -> None:
        failed = self._outcomes[recipe, True]
        if recipe in self._given_up or self._outcomes[recipe, False]:
            return
        if failed >= MOST_FAILED:
            self._given_up.add(recipe)
            print(
                f"{recipe}: its first {failed} trials all failed, so no more of them "
                f"start. The last said: {last}",
                flush=True,
            )

    def _write_state(self, force: bool = False) -> None:
        now = time.monotonic()
        if not force and now - self._written < STATE_PAUSE:
            return
        self._written = now
        self.folder.write_state(
            process=os.getpid(),
            running={} if force else dict(list(self._running.items())[:100]),
            failures=dict(list(self.failures.items())[-1000:]),
            workers=self.num_workers,
        )


def find_searched(index: TrialIndex, trial: Trial) -> Run | None:
    """Return the finished run of a trial of a search, or one that was pruned."""
    run = index.find(trial)
    if run is None:
        run = index.find_in_state(trial, "interrupted")
        if run is not None and not run.summary.get("pruned"):
            return None
    return run


def read_outcome(worker: Worker) -> tuple[float | None, bool]:
    """Return what `measure` does for a training that ended; None after a failure."""
    if worker.status or worker.folder is None:
        return None, False
    try:
        return measure(read_run(worker.folder))
    except UserError:
        return None, False


def measure(run: Run) -> tuple[float | None, bool]:
    """Return the best validation score, so that lower is better, and if it was pruned.

    The score is None if no epoch was valid.
    """
    best = run.summary["best"]
    value = best and best[f"val_{run.score.metric}"]
    error = None if value is None else -run.score.sign * value
    return error, bool(run.summary.get("pruned"))
