"""Many trainings: each in its own process, several at a time."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from shared.core.environment import count_cores
from shared.core.signals import WORKER

EPOCH = re.compile(r"epoch (\d+) of (\d+), (.*)")
SAVED = "Saved in "


@dataclass
class Worker:
    """The training of one seed.

    Attributes:
        seed: Seed of the training.
        command: Command line, without `--threads`.
        process: None before the start.
        status: Exit status; None before the end.
        folder: Run folder; None before the process has printed it.
        tail: The last lines that the process printed.
    """

    seed: int
    command: list[str]
    process: subprocess.Popen | None = None
    status: int | None = None
    folder: Path | None = None
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=20))


def train_seeds(
    recipe: Path,
    flags: Sequence[str],
    seeds: Sequence[int],
    num_workers: int,
    threads: int | None,
) -> list[Worker]:
    """Train a recipe once per seed, several at a time, with one progress display.

    Args:
        recipe: File of the recipe.
        flags: As typed, without the flags for seeds, workers and threads.
        seeds: At least one.
        num_workers: How many train at a time.
        threads: Cores for each training; None divides the cores equally. The last
            trainings then share the cores that would be idle.

    Returns:
        One worker per seed, all ended. After Ctrl-C or a kill, the workers that ran
        have closed their folders, and the others have not started.
    """
    train = [sys.executable, str(recipe), *flags]
    workers = [Worker(seed, [*train, "--seed", str(seed)]) for seed in seeds]
    with _show_progress(workers) as report:
        run_workers(workers, num_workers, threads, report)
    return workers


def run_workers(
    workers: Sequence[Worker],
    num_workers: int,
    threads: int | None,
    report: Callable[[Worker, str], None],
) -> None:
    """Run trainings to their end, several at a time. Ctrl-C stops them all.

    Args:
        workers: At least one, none of them started.
        num_workers: How many train at a time.
        threads: As for `train_seeds`.
        report: Called with a worker and each line that it prints, and with an empty
            line when the worker has ended.
    """
    stopped = threading.Event()
    environment = {"PYTHONUNBUFFERED": "1", "COLUMNS": "200", WORKER: "1"}
    if num_workers > 1:  # otherwise the first takes all memory of a GPU
        environment["TF_FORCE_GPU_ALLOW_GROWTH"] = "true"
    started = itertools.count()
    rest = len(workers) % num_workers  # size of an incomplete last round

    def train(worker: Worker) -> None:
        if stopped.is_set():
            return
        last_round = next(started) >= len(workers) - rest
        share = threads or choose_threads(rest if last_round else num_workers)
        worker.process = subprocess.Popen(
            [*worker.command, "--threads", str(share)],
            stdin=subprocess.PIPE,  # it ends with this process: see end_with_parent
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | environment,
            start_new_session=True,  # this process passes Ctrl-C on, once
        )
        if stopped.is_set():  # Ctrl-C came while it started
            worker.process.send_signal(signal.SIGTERM)
        for line in worker.process.stdout:
            worker.tail.append(line.rstrip())
            if SAVED in line:
                worker.folder = Path(line.partition(SAVED)[2].strip())
            report(worker, line)
        worker.status = worker.process.wait()
        worker.process.stdin.close()
        report(worker, "")

    with ThreadPoolExecutor(num_workers) as pool:
        trainings = [pool.submit(train, worker) for worker in workers]
        try:
            for training in trainings:
                training.result()
        except BaseException:
            stopped.set()
            for worker in workers:
                if worker.process is not None and worker.status is None:
                    with contextlib.suppress(ProcessLookupError):
                        worker.process.send_signal(signal.SIGTERM)
            raise


def choose_threads(num_workers: int) -> int:
    """Return the cores for each of `num_workers` trainings at a time: equal shares."""
    return max(1, count_cores() // num_workers)


@contextlib.contextmanager
def _show_progress(
    workers: Sequence[Worker],
) -> Iterator[Callable[[Worker, str], None]]:
    """Show one progress bar per seed on a terminal, one line per epoch in a file."""
    if not sys.stdout.isatty():
        yield _print_epoch
        return
    columns = (TextColumn("seed {task.fields[seed]}"), BarColumn(),
               MofNCompleteColumn(), TextColumn("{task.description}"))  # fmt: skip
    with Progress(*columns, console=Console(highlight=False)) as progress:
        tasks = {
            worker.seed: progress.add_task("waits", total=None, seed=worker.seed)
            for worker in workers
        }

        def report(worker: Worker, line: str) -> None:
            task = tasks[worker.seed]
            if match := EPOCH.search(line):
                progress.update(
                    task, completed=int(match[1]), total=int(match[2]),
                    description=match[3],
                )  # fmt: skip
            elif worker.status:
                progress.update(task, description=f"stopped with {worker.status}")
            elif worker.process is not None and not progress.tasks[task].completed:
                progress.update(task, description="starts")

        yield report


def _print_epoch(worker: Worker, line: str) -> None:
    if EPOCH.search(line):
        print(f"seed {worker.seed}: {line.strip()}", flush=True)
    elif worker.status:
        print(f"seed {worker.seed}: stopped with status {worker.status}", flush=True)
