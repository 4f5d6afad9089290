"""Train what the memory horizon lacks, lag by lag."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from shared.environment import list_versions
from shared.horizon.plan import CELLS, TASKS, Chain, Trial
from shared.runs import Run, find_runs
from shared.seeds import EPOCH, Worker, run_workers


@dataclass
class Ledger:
    """The runs that are there, and of which trial each is.

    Attributes:
        results_dir: Folder of all runs.
        runs: Finished runs of the memory recipes, oldest first.
        versions: A run under others counts as not there.
    """

    results_dir: Path
    runs: list[Run] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=list_versions)

    def __post_init__(self) -> None:
        self.read()

    def read(self) -> None:
        """Look at the folder anew."""
        self.runs = [
            run
            for cell in CELLS
            for run in find_runs(self.results_dir, f"memory-{cell}")
        ]

    def find(self, trial: Trial) -> Run | None:
        """Return the newest run of a trial; None if there is none."""
        made = [run for run in self.runs if trial.is_made_by(run, self.versions)]
        return made[-1] if made else None


def is_solved(chain: Chain, run: Run) -> bool:
    """Return whether a run's test score, at its best epoch, solves the task."""
    score = get_test_score(chain, run)
    return score is not None and TASKS[chain.task].is_solved(score)


def get_test_score(chain: Chain, run: Run) -> float | None:
    """Return a run's test score at its best epoch; None if no epoch was valid."""
    test = run.summary["test"]
    return test and test["best"][f"test_{TASKS[chain.task].score.metric}"]


def train_missing(
    chains: Sequence[Chain],
    lags: Iterable[int],
    seeds: Sequence[int],
    epochs: int,
    ledger: Ledger,
    jobs: int,
) -> list[Worker]:
    """Train every trial that has no run yet, in order of lag.

    A chain that no seed solves at one lag is not tried at longer ones.

    Returns:
        The workers that failed.
    """
    failed: list[Worker] = []
    for lag in sorted(lags):
        trials = [Trial(chain, lag, s, epochs) for chain in chains for s in seeds]
        missing = [trial for trial in trials if ledger.find(trial) is None]
        print(
            f"Lag {lag}: {len(trials)} trainings, {len(trials) - len(missing)} of them "
            "there already.",
            flush=True,
        )
        failed += _train(missing, ledger.results_dir, jobs)
        ledger.read()
        runs = {trial: ledger.find(trial) for trial in trials}
        solved = {t.chain for t, run in runs.items() if run and is_solved(t.chain, run)}
        chains = [chain for chain in chains if chain in solved]
    return failed


def _train(trials: Sequence[Trial], results_dir: Path, jobs: int) -> list[Worker]:
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
                told = f"stopped with status {worker.status}: {worker.tail[-1:]}"
            print(f"  {labels[id(worker)]}: {told}", flush=True)

    if workers:
        run_workers(workers, jobs, None, tell)
    return [worker for worker in workers if worker.status]
