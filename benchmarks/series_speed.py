"""Processor seconds of an epoch: `series-gru` and the recurrent peers, in turn.

    peers/bin/python benchmarks/series.py --quick --scratch FOLDER   # writes the series
    python benchmarks/series_speed.py --peers peers/bin/python --files FOLDER

All read the same training windows with one layer of 64 units, on one thread, each in a
process of its own. Each is trained for few epochs and for more, without stopping early.
The difference in processor seconds, divided by the difference in epochs, is the cost of
an epoch, with its validation. Imports, compiling and forecasting are not in it: the
column `start_seconds` has them. Memory is the largest of the longer runs.

skforecast and Darts update after 32 windows, NeuralForecast after 128 (its default).
`series-gru` is measured with both, and with its own default, 64.

Writes results/benchmarks/series_speed.csv: medians over the repeats.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from series_peers.data import TASKS, Task
from series_peers.measure import run_peer
from series_recipes import train

from shared.core.environment import PROJECT
from shared.core.files import to_csv, write_text

TARGET = PROJECT / "results" / "benchmarks" / "series_speed.csv"
PEERS = {
    "skforecast GRU": 32,
    "Darts GRU": 32,
    "Darts GRU, reversible": 32,
    "NeuralForecast GRU": 128,
}
"""Recurrent peers, and windows of an update."""
BATCHES = (32, 64, 128)
UNSTOPPED = 1000  # epochs without a better validation loss


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--files", type=Path, required=True)
    parser.add_argument("--peers", type=Path, required=True, help="their Python")
    names = [task.name for task in TASKS]
    parser.add_argument("--tasks", nargs="+", choices=names, default=["etth2-24"])
    parser.add_argument("--epochs", nargs=2, type=int, default=[1, 5])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--output", type=Path, default=TARGET)
    options = parser.parse_args()
    few, more = options.epochs
    rows = []
    for task in (task for task in TASKS if task.name in options.tasks):
        file = options.files / f"{task.series}.csv"
        seconds: dict[tuple, list[dict[int, float]]] = defaultdict(list)
        memory: dict[tuple, float] = defaultdict(float)
        for repeat in range(options.repeats):
            for case in [
                *(("series-gru", batch) for batch in BATCHES),
                *PEERS.items(),
            ]:
                found = {}
                for epochs in (few, more):
                    used, peak = measure(case, task, file, epochs, options.peers)
                    found[epochs] = used
                    memory[case] = max(memory[case], peak)
                seconds[case].append(found)
                cost = (found[more] - found[few]) / (more - few)
                print(repeat, task.name, *case, f"{cost:.3g} s", flush=True)
        rows += [
            summarize(case, task, found, memory[case], options.epochs)
            for case, found in seconds.items()
        ]
        write_text(options.output, to_csv(rows))
    print(f"Saved {options.output}")


def measure(
    case: tuple[str, int], task: Task, file: Path, epochs: int, peers: Path
) -> tuple[float, float]:
    """Return processor seconds and peak memory, MB, of a training."""
    name, batch = case
    with tempfile.TemporaryDirectory() as scratch:
        if name == "series-gru":
            flags = ["--epochs", str(epochs), "--patience", str(UNSTOPPED)]
            flags += ["--batch-size", str(batch)]
            used = train(task, name, file, Path(scratch), flags)
            return used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / 1e6
        budget = {"epochs": epochs, "updates": 0, "patience": UNSTOPPED}
        row = run_peer(
            task, file, name, 0, Path(scratch) / "kept.npz", budget, str(peers)
        )
    return row["processor_seconds"], row["peak_mb"]


def summarize(
    case: tuple[str, int],
    task: Task,
    found: list[dict[int, float]],
    memory: float,
    epochs: list[int],
) -> dict[str, Any]:
    """Return a row of the table: medians over the repeats."""
    few, more = epochs
    costs = [(used[more] - used[few]) / (more - few) for used in found]
    starts = [used[few] - few * cost for used, cost in zip(found, costs, strict=True)]
    return {
        "series": task.series,
        "horizon": task.horizon,
        "forecast": case[0],
        "batch": case[1],
        "epoch_seconds": round(statistics.median(costs), 3),
        "start_seconds": round(statistics.median(starts), 2),
        "peak_mb": round(memory),
        "repeats": len(found),
    }


if __name__ == "__main__":
    main()
