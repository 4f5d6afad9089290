"""Seconds per epoch of every IMDB recipe, computed as in the tutorials.

    make bench-epochs ARGS="--data-dir FOLDER --repeats 2"

Each repeat runs every recipe once, for two epochs, in a new process. Only the second
epoch counts, because the first one also builds the graph. An epoch trains on 20,000
reviews and validates on 5,000. Writes results/benchmarks/epoch_seconds.csv.
"""

from __future__ import annotations

import argparse
import csv
import io
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from shared.core.environment import PROJECT
from shared.core.files import write_text
from shared.runs.reader import find_runs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data-dir", default=os.environ.get("RNN_RECIPES_DATA"))
    parser.add_argument("--repeats", type=int, default=2)
    options = parser.parse_args()
    recipes = sorted((PROJECT / "recipes").glob("imdb_*.py"))
    seconds: dict[str, list[float]] = {path.stem: [] for path in recipes}
    for repeat in range(options.repeats):
        for path in recipes:
            with tempfile.TemporaryDirectory() as scratch:
                flags = ["--data", "imdb", "--epochs", "2", "--results-dir", scratch]
                flags += ["--batching", "fixed", "--kernel", "keras"]
                if options.data_dir:
                    flags += ["--data-dir", options.data_dir]
                command = [sys.executable, str(path), *flags]
                subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
                (run,) = find_runs(Path(scratch))
            seconds[path.stem].append(run.history["seconds"][1])
            print(repeat + 1, path.stem, seconds[path.stem][-1], flush=True)
        target = _write_table(seconds)
    print(f"Saved {target}")


def _write_table(seconds: dict[str, list[float]]) -> Path:
    fastest = min(statistics.median(values) for values in seconds.values())
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["recipe", "repeats", "median", "min", "max", "ratio_to_fastest"])
    for name, values in seconds.items():
        median = statistics.median(values)
        row = [median, min(values), max(values), median / fastest]
        row = [round(value, 2) for value in row]
        writer.writerow([name.replace("_", "-"), len(values), *row])
    target = PROJECT / "results" / "benchmarks" / "epoch_seconds.csv"
    write_text(target, table.getvalue())
    print(table.getvalue())
    return target


if __name__ == "__main__":
    main()
