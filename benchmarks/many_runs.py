"""Seconds of the commands that read all saved runs: make compare, report and runs.

    make bench-runs
    python benchmarks/many_runs.py --counts 50 3000 --commands runs --repeats 3

Copies committed runs of results/reference to a temporary folder, under other settings,
seeds and dates. Each experiment has five seeds, and a learning rate of its own. With
--examples, each run also has test predictions, so that there are verdicts. Then each
command runs in a new process: the first call, with all files in the memory of the
system but nothing cached by the suite; repeated calls (the median is shown); and a call
after one run more.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from shared.core.environment import PROJECT
from shared.runs.reader import KERNELS, PREDICTIONS, Run, read_kernels, read_run

REFERENCE = PROJECT / "results" / "reference"
SOURCES = (
    "imdb-simple-rnn/seed0",
    "imdb-lstm/seed0",
    "imdb-gru/seed0",
    "weather-dense/seed0",
    "weather-gru/seed0",
    "sum-gru/seed0",
)
"""Committed runs that are copied, in turn."""
SEEDS = 5
OLD_ENOUGH = 4  # seconds; the suite remembers no file that has just changed
COMMANDS = {
    "compare": ["-m", "shared.compare", "--to", "{scratch}/comparisons"],
    "report": ["-m", "shared.report", "--to", "{scratch}/report.html"],
    "runs": ["-m", "shared.runs.manage"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--counts", type=int, nargs="*", default=[50, 3000])
    parser.add_argument("--commands", nargs="*", choices=COMMANDS, default=COMMANDS)
    parser.add_argument(
        "--repeats", type=int, default=3, help="of the repeated call; 1 or more"
    )
    parser.add_argument(
        "--examples", type=int, default=0, help="test predictions of each run"
    )
    options = parser.parse_args()
    table = Table("command", "runs", "call", "seconds", "CPU seconds")
    for count in options.counts:
        with tempfile.TemporaryDirectory() as scratch:
            make_runs(Path(scratch) / "runs", count, options.examples)
            time.sleep(OLD_ENOUGH)
            for command in options.commands:
                first = [time_call(command, scratch)]
                again = [time_call(command, scratch) for _ in range(options.repeats)]
                make_runs(Path(scratch) / "runs", 1, options.examples, begin=count)
                added = [time_call(command, scratch)]
                shutil.rmtree(find_newest(Path(scratch) / "runs"))
                calls = {"first": first, "repeated": again, "one run more": added}
                for name, times in calls.items():
                    middle = map(statistics.median, zip(*times, strict=True))
                    texts = [f"{seconds:.2f}" for seconds in middle]
                    table.add_row(command, f"{count:,}", name, *texts)
    Console().print(table)


def find_newest(root: Path) -> Path:
    """Return the run folder that began last."""
    return max(root.glob("*/*"), key=lambda path: path.name)


def make_runs(root: Path, count: int, examples: int = 0, begin: int = 0) -> None:
    """Write run folders that differ in recipe, learning rate and seed.

    Args:
        root: Folder of all runs.
        count: How many run folders.
        examples: Test predictions of each run; 0 writes no predictions.
        begin: Number of the first one.
    """
    sources = [read_run(REFERENCE / name) for name in SOURCES]
    random = np.random.default_rng(begin)
    midnight = datetime(2026, 1, 1, tzinfo=UTC)
    for k in range(begin, begin + count):
        experiment, seed = divmod(k, SEEDS)
        source = sources[experiment % len(sources)]
        rate = round(1e-4 * (1 + experiment // len(sources)), 6)
        config, summary = copy.deepcopy((source.config, source.summary))
        config["settings"] |= {"learning_rate": rate, "seed": seed}
        config["changed"] |= {"learning_rate": rate}
        config["seed"] = summary["seed"] = seed
        stamp = (midnight + timedelta(seconds=k)).strftime("%Y-%m-%dT%H-%M-%SZ")
        folder = root / source.recipe / f"{stamp}-seed{seed}"
        folder.mkdir(parents=True)
        if examples:
            config["data_facts"]["examples"]["test"] = examples
            _write_predictions(folder / PREDICTIONS, source, examples, random)
        contents = {"config.json": config, "summary.json": summary}
        if kernels := read_kernels(source.path):
            contents[KERNELS] = kernels
        for name, content in contents.items():
            (folder / name).write_text(json.dumps(content, indent=1) + "\n")
        shutil.copy(source.path / "history.csv", folder)


def time_call(command: str, scratch: str) -> tuple[float, float]:
    """Run a command once; return seconds and CPU seconds of its process."""
    arguments = [part.format(scratch=scratch) for part in COMMANDS[command]]
    arguments += ["--results-dir", f"{scratch}/runs"]
    environment = os.environ | {"RNN_RECIPES_CACHE": f"{scratch}/cache-{command}"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, *arguments],
        cwd=PROJECT,
        env=environment,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return seconds, used


def _write_predictions(
    path: Path, run: Run, examples: int, random: np.random.Generator
) -> None:
    """Write random test predictions in the form of the run's task."""
    baselines = [baseline["name"] for baseline in run.summary["baselines"]]
    targets = random.normal(size=examples)
    if run.task.kind == "binary_classification":
        targets = random.integers(0, 2, examples)
    values = [random.random(examples, "float32") for _ in [path, *baselines]]
    np.savez_compressed(
        path,
        targets=targets,
        predictions=values[0],
        dependence=np.array(1),
        baselines=np.array(baselines),
        **{f"baseline_{k}": value for k, value in enumerate(values[1:])},
    )


if __name__ == "__main__":
    main()
