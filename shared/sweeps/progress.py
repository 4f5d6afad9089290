"""One display for all that trains at a time: bars on a terminal, lines in a file."""

from __future__ import annotations

import contextlib
import re
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from shared.core.text import format_duration
from shared.sweeps.halving import EPOCH

if TYPE_CHECKING:
    from shared.sweeps.workers import Worker

TIME_LEFT = re.compile(r", [^,]* left$")
MOST_EPOCH_LINES = 20
"""Most trainings whose every epoch is printed into a file."""


@contextlib.contextmanager
def show_progress(
    count: int | None, every_epoch: bool = False
) -> Iterator[Callable[[Worker, str], None]]:
    """Show how far a sweep is.

    A terminal has one bar for the sweep and one for each training that runs now. A file
    gets a line for each training that ended.

    Args:
        count: Number of trainings; None if it is not known.
        every_epoch: Print each epoch into a file too, and not only the end.

    Yields:
        A function that takes a worker and each line that it prints, and an empty line
        when the worker has ended.
    """
    if sys.stdout.isatty():
        display: _Bars | _Lines = _Bars(count)
    else:
        display = _Lines(every_epoch and (count or 0) <= MOST_EPOCH_LINES)
    with display:
        yield display.report


def describe_end(worker: Worker, last: str) -> str:
    """Return how a training ended, in one line without its label."""
    if worker.status:
        tail = worker.tail[-1] if worker.tail else "it printed nothing"
        return f"stopped with status {worker.status}: {tail}"
    # It does not take the time that it still had.
    return f"pruned, {TIME_LEFT.sub('', last)}" if worker.pruned else last


class _Lines:
    """Lines for a file."""

    def __init__(self, every_epoch: bool) -> None:
        self.every_epoch = every_epoch
        self.last: dict[int, str] = {}

    def __enter__(self) -> _Lines:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def report(self, worker: Worker, line: str) -> None:
        if match := EPOCH.search(line):
            self.last[id(worker)] = f"epoch {match[1]} of {match[2]}, {match[3]}"
            if self.every_epoch:
                print(f"{worker.label}: {line.strip()}", flush=True)
        elif worker.status is not None:
            last = self.last.pop(id(worker), "no epoch")
            if worker.status or not self.every_epoch:
                start = "" if self.every_epoch else "  "
                print(
                    f"{start}{worker.label}: {describe_end(worker, last)}", flush=True
                )


class _Bars:
    """Bars for a terminal."""

    def __init__(self, count: int | None) -> None:
        columns = (TextColumn("{task.fields[label]}"), BarColumn(),
                   MofNCompleteColumn(), TextColumn("{task.description}"))  # fmt: skip
        self.progress = Progress(*columns, console=Console(highlight=False))
        self.count = count
        self.ended = self.failed = 0
        self.started = time.perf_counter()
        self.tasks: dict[int, int] = {}
        self.last: dict[int, str] = {}
        self.whole = self.progress.add_task("", total=count, label="all trainings")

    def __enter__(self) -> _Bars:
        self.progress.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self.progress.__exit__(*error)

    def report(self, worker: Worker, line: str) -> None:
        progress = self.progress
        if id(worker) not in self.tasks:
            self.tasks[id(worker)] = progress.add_task(
                "starts", total=None, label=worker.label
            )
        task = self.tasks[id(worker)]
        if match := EPOCH.search(line):
            self.last[id(worker)] = f"epoch {match[1]} of {match[2]}, {match[3]}"
            done, total = int(match[1]), int(match[2])
            progress.update(task, completed=done, total=total, description=match[3])
        elif worker.status is not None:
            last = self.last.pop(id(worker), "no epoch")
            progress.print(f"{worker.label}: {describe_end(worker, last)}")
            progress.remove_task(self.tasks.pop(id(worker)))
            self.ended += 1
            self.failed += bool(worker.status)
            progress.update(self.whole, completed=self.ended, description=self._rest())

    def _rest(self) -> str:
        """Return how many failed, and the time left."""
        parts = [f"{self.failed} failed"] if self.failed else []
        if self.count and self.ended < self.count:
            each = (time.perf_counter() - self.started) / self.ended
            left = format_duration(each * (self.count - self.ended))
            parts.append(f"about {left} left")
        return ", ".join(parts)
