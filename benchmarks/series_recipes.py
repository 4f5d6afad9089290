"""The series recipes on the rows and windows of `benchmarks/series.py`.

    peers/bin/python benchmarks/series.py --scratch FOLDER     # writes the series there
    python benchmarks/series_recipes.py --files FOLDER --seeds 0 1 2 3 4

Each recipe trains on one thread in a process of its own, with the lookback and the
split of the other packages and its own defaults for the rest. Writes
results/benchmarks/series_recipes.csv, a row per task, recipe and seed. Rows in it are
not measured again.
"""

from __future__ import annotations

import argparse
import csv
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from series_peers.data import TASKS, Task

from shared.core.environment import PROJECT
from shared.core.files import to_csv, write_text
from shared.runs.reader import find_runs

TARGET = PROJECT / "results" / "benchmarks" / "series_recipes.csv"
RECIPES = ("series-gru", "series-lstm", "series-best")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--files", type=Path, required=True)
    names = [task.name for task in TASKS]
    parser.add_argument("--tasks", nargs="+", choices=names, default=names)
    parser.add_argument("--recipes", nargs="+", default=RECIPES)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--output", type=Path, default=TARGET)
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    if options.output.exists():
        with options.output.open(newline="") as lines:
            rows = list(csv.DictReader(lines))
    keys = ("series", "horizon", "recipe", "seed")
    done = {tuple(str(row[key]) for key in keys) for row in rows}
    for seed in options.seeds:
        for task in (task for task in TASKS if task.name in options.tasks):
            for recipe in options.recipes:
                case = (task.series, str(task.horizon), recipe, str(seed))
                if case in done:
                    continue
                rows.append(measure(task, recipe, seed, options.files))
                print(*rows[-1].values(), flush=True)
                write_text(options.output, to_csv(rows))
    print(f"Saved {options.output}")


def measure(task: Task, recipe: str, seed: int, files: Path) -> dict[str, Any]:
    """Train once, and return scores, processor seconds and peak memory."""
    with tempfile.TemporaryDirectory() as scratch:
        file = files / f"{task.series}.csv"
        used = train(task, recipe, file, Path(scratch), ["--seed", str(seed)])
        (run,) = find_runs(Path(scratch))
        scores = read_rows(run.path / "forecast_scores.csv")
        overall = [
            row
            for row in read_rows(run.path / "intervals.csv")
            if row["forecast"] == "network" and row["step"] == "all"
        ]
    row = {"series": task.series, "horizon": task.horizon, "recipe": recipe}
    row |= {"seed": seed, "epochs": run.summary["epochs"]}
    named = {row["forecast"]: row for row in scores}
    row |= {name: named["network"][name] for name in ("mae", "rmse", "mase")}
    row["ridge_mae"] = named["ridge on differences"]["mae"]
    for found in overall:
        percent = f"{100 * float(found['level']):g}"
        row[f"coverage_{percent}"] = found["covered"]
        row[f"width_{percent}"] = found["width"]
    row["processor_seconds"] = round(used.ru_utime + used.ru_stime, 2)
    row["peak_mb"] = round(used.ru_maxrss * 1024 / 1e6)
    return row


def train(
    task: Task, recipe: str, file: Path, results: Path, flags: list[str]
) -> resource.struct_rusage:
    """Train a recipe on one thread in a new process, and return what it used.

    Args:
        task: Its series, windows and parts.
        recipe: Its name.
        file: The series.
        results: Folder for the run.
        flags: More flags.
    """
    path = PROJECT / "recipes" / f"{recipe.replace('-', '_')}.py"
    command = [sys.executable, str(path), *task.flags, "--file", str(file),
               "--threads", "1", "--results-dir", str(results), *flags]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{recipe} on {task.name}: status {process.returncode}")
    return used


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a csv file."""
    with path.open(newline="") as lines:
        return list(csv.DictReader(lines))


if __name__ == "__main__":
    main()
