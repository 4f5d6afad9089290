"""Many trainings: each in its own process, several at a time."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

from shared.core.environment import count_cores
from shared.core.signals import ASKS, GO, PRUNE, WORKER
from shared.sweeps.halving import ASKED, Halving

SAVED = "Saved in "


@dataclass(eq=False)
class Worker:
    """One training in a process of its own.

    Attributes:
        seed: Seed of the training.
        command: Command line, without `--threads`.
        label: Name of the training in one line.
        recipe: Name of the recipe, with dashes; empty if nobody asks.
        extra: Flags of the command that do not belong to the trial.
        process: None before the start.
        status: Exit status; None before the end.
        folder: Run folder; None before the process has printed it.
        tail: The last lines that the process printed.
        pruned: Whether the training was stopped, because others are better.
        seconds: Time from start to end.
    """

    seed: int
    command: list[str]
    label: str = ""
    recipe: str = ""
    extra: list[str] = field(default_factory=list)
    process: subprocess.Popen | None = None
    status: int | None = None
    folder: Path | None = None
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=20))
    pruned: bool = False
    seconds: float = 0.0


def run_workers(
    workers: Iterable[Worker],
    num_workers: int,
    threads: int | None,
    report: Callable[[Worker, str], None],
    pruner: Halving | None = None,
) -> None:
    """Run trainings to their end, several at a time. Ctrl-C stops them all.

    Args:
        workers: None of them started. An iterator is asked for the next one when a
            place is free.
        num_workers: How many train at a time.
        threads: Cores for each training; None divides the cores equally. Of a
            sequence, the last trainings then share the cores that would be idle.
        report: Called with a worker and each line that it prints, and with an empty
            line when the worker has ended. No two calls overlap.
        pruner: Decides after each epoch which trainings stop; None: none.
    """
    stopped = threading.Event()
    asking, reporting = threading.Lock(), threading.Lock()
    environment = {"PYTHONUNBUFFERED": "1", "COLUMNS": "200", WORKER: "1"}
    if pruner is not None:
        environment[ASKS] = "1"
    if num_workers > 1:  # otherwise the first takes all memory of a GPU
        environment["TF_FORCE_GPU_ALLOW_GROWTH"] = "true"
    started = itertools.count()
    count = len(workers) if isinstance(workers, Sequence) else None
    rest = count % num_workers if count else 0  # size of an incomplete last round
    running: list[Worker] = []
    queue = iter(workers)

    def train_next() -> bool:
        with asking:
            worker = None if stopped.is_set() else next(queue, None)
        if worker is None:
            return False
        running.append(worker)
        last_round = count is not None and next(started) >= count - rest
        share = threads or choose_threads(rest if last_round else num_workers)
        began = time.perf_counter()
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
            if pruner is not None and ASKED.search(line):
                with reporting:
                    worker.pruned = pruner.is_pruned(worker.label, line)
                send_answer(worker.process, worker.pruned)
                continue
            worker.tail.append(line.rstrip())
            if SAVED in line:
                worker.folder = Path(line.partition(SAVED)[2].strip())
            with reporting:
                report(worker, line)
        status = worker.process.wait()
        worker.seconds = time.perf_counter() - began
        with contextlib.suppress(OSError):
            worker.process.stdin.close()
        with reporting:
            worker.status = status
            report(worker, "")
        running.remove(worker)
        return True

    def train_all() -> None:
        while train_next():
            pass

    with ThreadPoolExecutor(num_workers) as pool:
        trainings = [pool.submit(train_all) for _ in range(num_workers)]
        try:
            for training in as_completed(trainings):
                training.result()
        except BaseException:
            stopped.set()
            for worker in list(running):
                if worker.process is not None and worker.status is None:
                    with contextlib.suppress(ProcessLookupError):
                        worker.process.send_signal(signal.SIGTERM)
            raise


def send_answer(process: subprocess.Popen, is_pruned: bool) -> None:
    """Tell a training that asks after an epoch whether to go on."""
    with contextlib.suppress(OSError):  # it has ended
        process.stdin.write(f"{PRUNE if is_pruned else GO}\n")
        process.stdin.flush()


def choose_threads(num_workers: int) -> int:
    """Return the cores for each of `num_workers` trainings at a time: equal shares."""
    return max(1, count_cores() // num_workers)
