"""Train what the memory horizon lacks, lag by lag."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from shared.horizon.plan import TASKS, Chain, Trial
from shared.runs import Run
from shared.seeds import Worker
from shared.trials import Ledger, train_trials


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
        failed += train_trials(missing, ledger.results_dir, jobs)
        ledger.read()
        runs = {trial: ledger.find(trial) for trial in trials}
        solved = {t.chain for t, run in runs.items() if run and is_solved(t.chain, run)}
        chains = [chain for chain in chains if chain in solved]
    return failed
