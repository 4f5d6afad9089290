"""Try hundreds of bad inputs and kills on the suite, and count what happened.

    make torture
    python -m tests.torture --kinds tables flags --count 50
    python -m tests.torture --kinds tables --count 1 --seed 123

Every input follows from its seed. The seeds of the failures are printed, so that each
can be repeated. The exit status is 1 if anything failed. A kill counts as refused if it
left no folder, and as shown if it left one that can be read.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import faulthandler
import importlib
import io
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tests.torture.outcome import (
    REFUSED,
    SHOWN,
    describe_failure,
    own_environment,
)

COUNTS = {"folders": 200, "binaries": 300, "tables": 300, "flags": 200, "kills": 100}
TITLES = {
    "folders": "damaged run folders", "binaries": "binary files", "tables": "tables",
    "flags": "command lines", "kills": "kills",
}  # fmt: skip
LIMIT = 60  # seconds that one attempt in this process may take
AT_A_TIME = 2  # kills; each has a process of its own


class HangError(BaseException):
    """An attempt takes too long. No `except Exception` can catch it."""


def main() -> None:
    """Read the flags, try all inputs, and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.torture",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--kinds", nargs="+", choices=COUNTS, default=list(COUNTS))
    parser.add_argument("--count", type=int, help="inputs of each kind")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first input")
    options = parser.parse_args()
    faulthandler.enable()  # a fault in native code ends this process
    warnings.simplefilter("ignore")  # Keras', on damaged models
    counts, failures = {}, {}
    for kind in options.kinds:
        seeds = range(options.seed, options.seed + (options.count or COUNTS[kind]))
        began = time.monotonic()
        counts[kind], failures[kind] = try_all(kind, seeds)
        print(f"{kind}: {time.monotonic() - began:.0f} s", flush=True)
    show(counts, failures)
    sys.exit(1 if any(failures.values()) else 0)


def try_all(kind: str, seeds: range) -> tuple[Counter, dict[int, str]]:
    """Return how often each outcome came, and the problem of each seed that failed."""
    outcomes: Counter = Counter()
    failures: dict[int, str] = {}
    if kind == "kills":
        with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool:
            results = pool.map(lambda seed: try_one(kind, seed), seeds)
            found = list(zip(seeds, results, strict=True))
    else:
        found = []
        for seed in seeds:
            with limit_time(LIMIT):
                found.append((seed, try_one(kind, seed)))
    for seed, (outcome, problem) in found:
        outcomes[outcome] += 1
        if problem:
            failures[seed] = problem
    return outcomes, failures


def try_one(kind: str, seed: int) -> tuple[str, str]:
    """Return the outcome of one input, and its problem if it failed."""
    attempt = importlib.import_module(f"tests.torture.{kind}").attempt
    said = io.StringIO()
    with tempfile.TemporaryDirectory(prefix="torture-") as place:
        try:
            if kind == "kills":  # in threads, which share stdout and the variables
                outcome = attempt(Random(seed), Path(place))
            else:
                with own_environment(), contextlib.redirect_stdout(said):
                    outcome = attempt(Random(seed), Path(place))
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # whatever it is, it is a failure of this input
            problem = f"{said.getvalue().strip()[:300]}: {describe_failure(error)}"
            print(f"{kind} {seed} failed: {problem}", flush=True)
            return "failed", problem
    return outcome, ""


@contextlib.contextmanager
def limit_time(seconds: float) -> Iterator[None]:
    """Raise `HangError` in what takes longer."""

    def stop(*_: object) -> None:
        raise HangError(f"no end after {seconds} s")

    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def show(counts: dict[str, Counter], failures: dict[str, dict[int, str]]) -> None:
    """Print the failures, then a line for each kind."""
    console = Console(width=100)
    for kind, problems in failures.items():
        if problems:
            seeds = " ".join(map(str, problems))
            console.print(Text(f"{kind}: seeds that failed: {seeds}"))
    table = Table("kind")
    for name in ("tried", "refused in one line", "repaired or shown", "failed"):
        table.add_column(name, justify="right")
    for kind, found in counts.items():
        numbers = found.total(), found[REFUSED], found[SHOWN], len(failures[kind])
        table.add_row(TITLES[kind], *map(str, numbers))
    console.print(table)


if __name__ == "__main__":
    main()
