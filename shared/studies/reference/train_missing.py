"""Train the runs that the reference lacks."""

from __future__ import annotations

from collections.abc import Sequence

from shared.studies.reference.experiments import (
    FEWEST_SEEDS,
    SLOW,
    Experiment,
    ReferenceTrial,
    has_slow_epochs,
)
from shared.sweeps import trials as sweep
from shared.sweeps.trials import TrialIndex
from shared.sweeps.workers import Worker


def train_missing(
    experiments: Sequence[Experiment],
    seeds: Sequence[int],
    weather: str,
    index: TrialIndex,
    num_workers: int,
) -> list[Worker]:
    """Train every experiment with every seed, one core each, unless it has a run.

    The first three seeds of all experiments come first. Experiments that take over a
    minute per epoch get no more seeds.

    Returns:
        The workers that failed.
    """
    failed: list[Worker] = []
    first, rest = seeds[:FEWEST_SEEDS], seeds[FEWEST_SEEDS:]
    for part in filter(None, (first, rest)):
        if part is rest:
            slow = [e for e in experiments if _is_slow(e, first, weather, index)]
            for experiment in slow:
                print(f"{experiment.label}: over {SLOW} s per epoch, no more seeds.")
            experiments = [e for e in experiments if e not in slow]
        trials = [ReferenceTrial(e, s, weather) for e in experiments for s in part]
        start = f"Seeds {' '.join(map(str, part))}: "
        failed += sweep.train_missing(trials, index, num_workers, 1, start)
    return failed


def _is_slow(
    experiment: Experiment, seeds: Sequence[int], weather: str, index: TrialIndex
) -> bool:
    runs = [index.find(ReferenceTrial(experiment, s, weather)) for s in seeds]
    return has_slow_epochs([run for run in runs if run])
