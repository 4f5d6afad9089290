"""Whether one seed gives the same numbers again, and what that costs.

    make bench-determinism
    python benchmarks/determinism.py --repeats 5 --recipes imdb-gru weather-gru

Each recipe trains on generated data in processes of its own: three times on one core,
twice on two, once on four, and as one of two workers with a core each. Histories, test
scores and weights should be the same, bit for bit. Then it trains on all cores in two
ways, in turn: as it is, and without what keeps the numbers the same (the sum of sparse
updates, and one core per operation of TensorFlow). The seconds of an epoch are
compared. Writes results/benchmarks/determinism.csv.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from shared.core.backend import import_keras
from shared.core.environment import PROJECT, count_cores
from shared.core.files import to_csv, write_text
from shared.runs.reader import Run, find_runs

REVIEWS = ["--data", "sample", "--limit", "1000"]
WEATHER = ["--data", "sample", "--limit", "12000", "--stride", "6"]
FAMILIES = {
    "imdb-simple-rnn": REVIEWS,
    "imdb-lstm": REVIEWS,
    "imdb-gru": REVIEWS,
    "imdb-stacked-simple-rnn": REVIEWS,
    "imdb-gru-dropout": REVIEWS,
    "imdb-bidirectional-lstm": REVIEWS,
    "imdb-best": [*REVIEWS, "--length", "100"],
    "weather-dense": WEATHER,
    "weather-gru": WEATHER,
    "weather-gru-dropout": WEATHER,
    "weather-stacked-gru": WEATHER,
    "weather-conv1d-gru": WEATHER,
    "weather-bidirectional-gru": WEATHER,
    "weather-best": ["--data", "sample", "--limit", "20000", "--stride", "20"],
    "vowel-gru": [],
    "sine-gru": [],
    "sine-next-step-gru": [],
    "scratch-gru": [],
    "sum-gru": [],
    "memory-simple-rnn": [],
    "memory-lstm": [],
    "memory-gru": [],
}
TIMED = (
    "imdb-simple-rnn",
    "imdb-gru",
    "weather-dense",
    "weather-gru",
    "weather-conv1d-gru",
    "vowel-gru",
    "sine-gru",
    "sum-gru",
    "memory-lstm",
)
WITHOUT = (
    "import runpy, sys; from shared.training import config; "
    "config._sum_first = lambda assign: assign; "
    "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--recipes", nargs="*", default=list(FAMILIES))
    parser.add_argument("--timed", nargs="*", default=TIMED)
    parser.add_argument("--repeats", type=int, default=3, help="of each timing")
    parser.add_argument("--epochs", type=int, default=3, help="2 or more")
    options = parser.parse_args()
    flags = {
        recipe: [*FAMILIES[recipe], "--epochs", str(options.epochs)]
        for recipe in options.recipes
    }
    empty = {"seconds": "", "seconds_without": "", "ratio": ""}
    times = dict.fromkeys(flags, empty)
    for recipe in [name for name in options.timed if name in flags]:
        times[recipe] = measure(recipe, flags[recipe], options.repeats)
        print(recipe, times[recipe], flush=True)
    print("All times are measured. The machine may do other work now.", flush=True)
    rows = []
    for recipe in flags:
        rows.append({"recipe": recipe} | check(recipe, flags[recipe]) | times[recipe])
        print(rows[-1], flush=True)
    target = PROJECT / "results" / "benchmarks" / "determinism.csv"
    write_text(target, to_csv(rows))
    table = Table(*rows[0])
    for row in rows:
        table.add_row(*map(str, row.values()))
    Console().print(table)
    print(f"Saved {target}")


def check(recipe: str, flags: list[str]) -> dict[str, Any]:
    """Return how many runs with one seed differ from the first one."""
    first, *others = [
        (cores, read_numbers(run))
        for cores in (1, 1, 1, 2, 2, 4)
        for run in train(recipe, flags, ["--threads", str(cores)])
    ]
    sweep = ["--seeds", "0-1", "--workers", "2", "--threads", "1"]
    workers = {run.seed: read_numbers(run) for run in train(recipe, flags, sweep)}
    assert workers[1] != first[1], f"{recipe}: another seed gives the same numbers"
    repeats = [numbers for cores, numbers in others if cores == 1] + [workers[0]]
    elsewhere = [numbers for cores, numbers in others if cores != 1]
    return {
        "repeats": len(repeats),
        "repeats_that_differ": sum(numbers != first[1] for numbers in repeats),
        "on_other_cores": len(elsewhere),
        "on_other_cores_that_differ": sum(n != first[1] for n in elsewhere),
    }


def measure(recipe: str, flags: list[str], repeats: int) -> dict[str, Any]:
    """Time an epoch with and without what keeps the numbers the same, in turn."""
    seconds: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(repeats):
        for same in seconds:
            (run,) = train(recipe, flags, [], same)
            seconds[same] += run.history["seconds"][1:]  # the first one compiles
    same, plain = (statistics.median(values) for values in seconds.values())
    return {
        "seconds": round(same, 3),
        "seconds_without": round(plain, 3),
        "ratio": round(same / plain, 3),
    }


def train(
    recipe: str, flags: list[str], how: list[str], same: bool = True
) -> list[Run]:
    """Train in a new process, and return the runs with their weights."""
    path = PROJECT / "recipes" / f"{recipe.replace('-', '_')}.py"
    with tempfile.TemporaryDirectory() as scratch:
        program = [str(path), *flags, *how, "--results-dir", scratch]
        start = [] if same else ["-c", WITHOUT]
        cores = {} if same else {"TF_NUM_INTRAOP_THREADS": str(count_cores())}
        subprocess.run(
            [sys.executable, *start, *program],
            check=True,
            stdout=subprocess.DEVNULL,
            env=os.environ | cores,
        )
        runs = find_runs(Path(scratch))
        for run in runs:
            run.summary["weights"] = read_weights(run)
    return runs


def read_weights(run: Run) -> list[bytes]:
    """Return the weights of the best epoch, as bytes."""
    import_keras()
    from shared.inference.load_model import load_model

    return [np.asarray(w).tobytes() for w in load_model(run.path).get_weights()]


def read_numbers(run: Run) -> dict[str, Any]:
    """Return everything of a run that its seed decides."""
    history = {name: run.history[name] for name in run.history if name != "seconds"}
    facts = {name: run.summary[name] for name in ("best", "test", "weights")}
    facts["best"] = {k: v for k, v in facts["best"].items() if k != "seconds"}
    return history | facts


if __name__ == "__main__":
    main()
