"""Train the missing runs of the memory horizon, lag by lag."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from shared.runs.reader import Run
from shared.studies.horizon.chains import RULES, Chain, LagTrial
from shared.sweeps import trials as sweep
from shared.sweeps.trials import TrialIndex
from shared.sweeps.workers import Worker


def is_solved(chain: Chain, run: Run) -> bool:
    """Return whether a run's test score, at its best epoch, solves the task."""
    score = get_test_score(chain, run)
    return score is not None and RULES[chain.task].is_solved(score)


def get_test_score(chain: Chain, run: Run) -> float | None:
    """Return a run's test score at its best epoch; None if no epoch was valid."""
    test = run.summary["test"]
    return test and test["best"][f"test_{RULES[chain.task].score.metric}"]


def train_missing(
    chains: Sequence[Chain],
    lags: Iterable[int],
    seeds: Sequence[int],
    epochs: int,
    index: TrialIndex,
    num_workers: int,
) -> list[Worker]:
    """Train every trial that has no run yet, in order of lag.

    If no seed of a chain solves a lag, longer lags are not tried.

    Returns:
        The workers that failed.
    """
    failed: list[Worker] = []
    for lag in sorted(lags):
        trials = [LagTrial(chain, lag, s, epochs) for chain in chains for s in seeds]
        failed += sweep.train_missing(trials, index, num_workers, start=f"Lag {lag}: ")
        runs = {trial: index.find(trial) for trial in trials}
        solved = {t.chain for t, run in runs.items() if run and is_solved(t.chain, run)}
        chains = [chain for chain in chains if chain in solved]
    return failed
