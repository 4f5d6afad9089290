"""Many trainings: each in a process of its own, several side by side."""

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

from shared.environment import count_cores
from shared.errors import UserError

EPOCH = re.compile(r"epoch (\d+) of (\d+), (.*)")
SAVED = "Saved in "
INTERRUPTED = 130


@dataclass
class Worker:
    """The training of one seed.

    Attributes:
        seed: Its seed.
        command: What to run, without `--threads`.
        process: None before it has started.
        status: Exit status; None before it has ended.
        folder: Its run folder, once it has told it.
        tail: The last lines of what it wrote.
    """

    seed: int
    command: list[str]
    process: subprocess.Popen | None = None
    status: int | None = None
    folder: Path | None = None
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=20))


def parse_seeds(text: str) -> list[int]:
    """Return the seeds meant by a list of numbers and ranges.

    For example, `0-2,7` gives 0, 1, 2 and 7.

    Raises:
        UserError: If it is none, or names a seed twice.
    """
    seeds: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", part.strip())
        if match is None or (match[2] and int(match[2]) < int(match[1])):
            raise UserError(
                f"--seeds {text}: takes numbers and ranges, e.g. 0-4 or 0,3,7."
            )
        first, last = int(match[1]), int(match[2] or match[1])
        if last >= 2**32 or last - first >= 1000:
            raise UserError(
                f"--seeds {text}: takes at most 1,000 seeds, each from 0 to 2^32 - 1."
            )
        seeds += range(first, last + 1)
    if len(set(seeds)) < len(seeds):
        raise UserError(f"--seeds {text}: names a seed twice; name each once.")
    return seeds


def train_seeds(
    recipe: Path,
    flags: Sequence[str],
    seeds: Sequence[int],
    jobs: int,
    threads: int | None,
) -> list[Worker]:
    """Train a recipe once per seed, several at a time, with one progress display.

    Args:
        recipe: Its file.
        flags: As typed, without those that name seeds, jobs and threads.
        seeds: At least one.
        jobs: How many train at a time.
        threads: Cores that each may use; None shares them out, and the last ones get
            what would lie idle.

    Returns:
        One worker per seed, all ended. After Ctrl-C or a kill those that ran have
        closed their folders, and the others have not begun.
    """
    train = [sys.executable, str(recipe), *flags]
    workers = [Worker(seed, [*train, "--seed", str(seed)]) for seed in seeds]
    with _show(workers) as tell:
        run_workers(workers, jobs, threads, tell)
    return workers


def run_workers(
    workers: Sequence[Worker],
    jobs: int,
    threads: int | None,
    tell: Callable[[Worker, str], None],
) -> None:
    """Run trainings to their end, several at a time; Ctrl-C stops them all.

    Args:
        workers: At least one, none of them begun.
        jobs: How many train at a time.
        threads: As for `train_seeds`.
        tell: Called with a worker and each line it writes, and once it has ended with
            an empty line.
    """
    stopped = threading.Event()
    environment = {"PYTHONUNBUFFERED": "1", "COLUMNS": "200"}
    if jobs > 1:  # else the first takes all memory of a GPU
        environment["TF_FORCE_GPU_ALLOW_GROWTH"] = "true"
    begun = itertools.count()
    rest = len(workers) % jobs  # how many are left for the last round

    def train(worker: Worker) -> None:
        if stopped.is_set():
            return
        last_round = next(begun) >= len(workers) - rest
        share = threads or choose_threads(rest if last_round else jobs)
        worker.process = subprocess.Popen(
            [*worker.command, "--threads", str(share)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | environment,
            start_new_session=True,  # Ctrl-C reaches it through us, once
        )
        if stopped.is_set():  # asked for while it started
            worker.process.send_signal(signal.SIGTERM)
        for line in worker.process.stdout:
            worker.tail.append(line.rstrip())
            if SAVED in line:
                worker.folder = Path(line.partition(SAVED)[2].strip())
            tell(worker, line)
        worker.status = worker.process.wait()
        tell(worker, "")

    with ThreadPoolExecutor(jobs) as pool:
        waiting = [pool.submit(train, worker) for worker in workers]
        try:
            for done in waiting:
                done.result()
        except BaseException:
            stopped.set()
            for worker in workers:
                if worker.process is not None and worker.status is None:
                    with contextlib.suppress(ProcessLookupError):
                        worker.process.send_signal(signal.SIGTERM)
            raise


def choose_threads(jobs: int) -> int:
    """Return the cores of each of some jobs side by side: an even share."""
    return max(1, count_cores() // jobs)


@contextlib.contextmanager
def _show(workers: Sequence[Worker]) -> Iterator[Callable[[Worker, str], None]]:
    """Show one bar per seed on a terminal, one line per epoch in a file."""
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

        def tell(worker: Worker, line: str) -> None:
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

        yield tell


def _print_epoch(worker: Worker, line: str) -> None:
    if EPOCH.search(line):
        print(f"seed {worker.seed}: {line.strip()}", flush=True)
    elif worker.status:
        print(f"seed {worker.seed}: stopped with status {worker.status}", flush=True)
