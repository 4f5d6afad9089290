"""Train what the reference lacks."""

from __future__ import annotations

from collections.abc import Sequence

from shared.reference.plan import FEWEST_SEEDS, SLOW, Experiment, ReferenceTrial
from shared.seeds import Worker
from shared.trials import Ledger, train_trials


def train_missing(
    experiments: Sequence[Experiment],
    seeds: Sequence[int],
    weather: str,
    ledger: Ledger,
    jobs: int,
) -> list[Worker]:
    """Train every experiment with every seed, one core each, where no run is there.

    The first three seeds of all come first. Their runs tell which experiments take
    over a minute per epoch: those get no more seeds.

    Returns:
        The workers that failed.
    """
    failed: list[Worker] = []
    first, rest = seeds[:FEWEST_SEEDS], seeds[FEWEST_SEEDS:]
    for part in filter(None, (first, rest)):
        if part is rest:
            slow = [e for e in experiments if _is_slow(e, first, weather, ledger)]
            for experiment in slow:
                print(f"{experiment.label}: over {SLOW} s per epoch, no more seeds.")
            experiments = [e for e in experiments if e not in slow]
        trials = [ReferenceTrial(e, s, weather) for e in experiments for s in part]
        missing = [trial for trial in trials if ledger.find(trial) is None]
        print(
            f"Seeds {' '.join(map(str, part))}: {len(trials)} trainings, "
            f"{len(trials) - len(missing)} of them there already.",
            flush=True,
        )
        failed += train_trials(missing, ledger.results_dir, jobs, threads=1)
        ledger.read()
    return failed


def _is_slow(
    experiment: Experiment, seeds: Sequence[int], weather: str, ledger: Ledger
) -> bool:
    runs = [ledger.find(ReferenceTrial(experiment, s, weather)) for s in seeds]
    return any(run and run.summary["seconds_per_epoch"] > SLOW for run in runs)
