"""Whether one seed gives the same numbers again, and what that costs.

    make bench-determinism
    python benchmarks/determinism.py --repeats 5 --recipes imdb-gru weather-gru

Each recipe trains on generated data in processes of its own: three times on one core,
twice on two, once on four, and as one of two workers with a core each. Histories, test
scores and weights should be the same, bit for bit. Then it trains with and without the
sum that keeps sparse updates in order, in turn. The seconds of the last epoch are
compared. Writes results/benchmarks/determinism.csv.
"""

from __future__ import annotations

import argparse
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
from shared.core.environment import PROJECT
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
WITHOUT = (
    "import runpy, sys; from shared.training import config; "
    "config._sum_first = lambda assign: assign; "
    "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--recipes", nargs="*", default=list(FAMILIES))
    parser.add_argument("--repeats", type=int, default=3, help="of each timing")
    parser.add_argument("--epochs", type=int, default=3)
    options = parser.parse_args()
    rows = []
    for recipe in options.recipes:
        flags = [*FAMILIES[recipe], "--epochs", str(options.epochs)]
        rows.append({"recipe": recipe} | check(recipe, flags))
        rows[-1] |= measure(recipe, flags, options.repeats)
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
    """Time the last epoch with and without the sum of sparse updates, in turn."""
    seconds: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(repeats):
        for in_order in seconds:
            (run,) = train(recipe, flags, [], in_order)
            seconds[in_order].append(run.history["seconds"][-1])
    in_order, plain = (statistics.median(values) for values in seconds.values())
    return {
        "seconds_in_order": round(in_order, 3),
        "seconds_plain": round(plain, 3),
        "ratio": round(in_order / plain, 3),
    }


def train(
    recipe: str, flags: list[str], how: list[str], in_order: bool = True
) -> list[Run]:
    """Train in a new process, and return the runs with their weights."""
    path = PROJECT / "recipes" / f"{recipe.replace('-', '_')}.py"
    with tempfile.TemporaryDirectory() as scratch:
        program = [str(path), *flags, *how, "--results-dir", scratch]
        start = [] if in_order else ["-c", WITHOUT]
        subprocess.run(
            [sys.executable, *start, *program], check=True, stdout=subprocess.DEVNULL
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
