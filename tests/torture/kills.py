"""Kills at random moments: the run is readable or not there, and no process stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random

from shared.runs.checkpoint import CHECKPOINT, read_checkpoint
from shared.runs.reader import LOCK, find_runs, scan_runs
from shared.runs.removal import remove_leftovers
from tests.helpers import PROJECT, _set_signals, make_reviews, write_npz
from tests.torture.outcome import REFUSED, SHOWN, check

SIGNALS = ("SIGKILL", "SIGTERM", "SIGINT")
EARLIEST = 0.5  # seconds; Python itself handles what comes earlier
MOMENTS = {"": 12.0, "Kernels": 4.0, "epoch 1 of": 4.0, "epoch 2 of": 5.0}
"""What the training prints first, and the seconds after it in which the signal comes.
They cover the start, the writing of the folder, the epochs, and the end."""
LONGEST_START = 90  # seconds until the training prints that
LONGEST_END = 90  # seconds from the signal to the end of all processes
SIZES = {
    "sum_gru": ["--units", "3", "--train-windows", "2000", "--validation-windows", "64",
                "--test-windows", "64"],
    "imdb_gru": ["--units", "3", "--embedding-size", "5", "--length", "7",
                 "--vocabulary", "31", "--batch-size", "16"],
}  # fmt: skip


def attempt(random: Random, place: Path) -> str:
    """Start a small training, kill it at a random moment, and look at what is left.

    Returns:
        "refused" if no folder was written, else "shown".
    """
    recipe = random.choice(list(SIZES))
    name = random.choice(SIGNALS)
    mark, seconds = random.choice(list(MOMENTS.items()))
    moment = random.uniform(0 if mark else EARLIEST, seconds)
    root = place / "runs"
    flags = [*SIZES[recipe], "--results-dir", str(root), "--threads", "1"]
    flags += ["--epochs", random.choice(["2", "20", "5000"])]
    flags += ["--checkpoint-every", random.choice(["1", "3"])]
    if recipe == "imdb_gru":
        write_npz(place / "imdb.npz", make_reviews(200))
        flags += ["--data-dir", str(place)]
    if sweep := random.random() < 0.15:
        flags += ["--seeds", "0-1", "--workers", "2", "--threads", "2"]
        del flags[flags.index("--threads") : flags.index("--threads") + 2]
    what = f"{recipe} {name} {moment:.2f} s after {mark!r}, {' '.join(flags[-6:])}"
    environment = os.environ | {
        "RNN_RECIPES_CACHE": str(place / "cache"), "KERAS_HOME": str(place / "keras"),
        "PYTHONUNBUFFERED": "1",
    }  # fmt: skip
    with (
        (place / "errors").open("wb") as errors,
        (place / "output").open("wb") as output,
    ):
        process = subprocess.Popen(
            [sys.executable, f"recipes/{recipe}.py", *flags],
            cwd=PROJECT, env=environment, stdout=output, stderr=errors,
            preexec_fn=_set_signals(),
        )  # fmt: skip
        try:
            wait_for_text(process, place / "output", mark)
            wait_for_end(process, moment)
            if process.poll() is None:
                os.kill(process.pid, getattr(signal, name))
            wait_for_end(process, LONGEST_END)
            check(process.poll() is not None, f"{what}: does not end")
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    wait_for_processes(place, what)
    text = (place / "errors").read_text(errors="replace")
    check("Traceback" not in text, f"{what}: {text[-800:]}")
    expected = {0, 130, -getattr(signal, name)} | ({1} if sweep else set())
    check(
        process.returncode in expected, f"{what}: status {process.returncode}, {text}"
    )
    if not root.exists():
        return REFUSED
    return check_folders(root, name, what)


def check_folders(root: Path, name: str, what: str) -> str:
    """Check that every run is whole, and that a next run cleans what is hidden."""
    found = scan_runs(root)
    check(not found.unreadable, f"{what}: {found.describe()}")
    for run in found.runs:
        check(run.state in ("interrupted", "finished"), f"{what}: {run.state}")
        check(run.summary["epochs"] == len(run.history.get("epoch", [])), what)
        if (run.path / CHECKPOINT).exists():  # whole, else this raises
            epoch = read_checkpoint(run.path).facts.epoch
            check(epoch <= run.summary["epochs"], f"{what}: checkpoint of {epoch}")
    hidden = [path for path in root.rglob(".*") if path.name != LOCK]
    if name != "SIGKILL":
        check(not hidden, f"{what}: left {hidden}")
    for path in [*hidden, *(p for h in hidden if h.is_dir() for p in h.rglob("*"))]:
        os.utime(path, (0, 0))
    for parent in root.iterdir():
        remove_leftovers(parent)
    hidden = [path for path in root.rglob(".*") if path.name != LOCK]
    check(not hidden, f"{what}: a next run does not clean {hidden}")
    check(len(find_runs(root)) == len(found.runs), f"{what}: the cleaning lost a run")
    return SHOWN if found.runs else REFUSED


def wait_for_text(process: subprocess.Popen, path: Path, mark: str) -> None:
    end = time.monotonic() + LONGEST_START
    while mark not in path.read_text(errors="replace"):
        if process.poll() is not None or time.monotonic() > end:
            return
        time.sleep(0.05)


def wait_for_end(process: subprocess.Popen, seconds: float) -> None:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return


def wait_for_processes(place: Path, what: str) -> None:
    """Wait until no process names this place; end those that stay, and fail."""
    end = time.monotonic() + LONGEST_END
    while left := list_processes(place):
        if time.monotonic() > end:
            for pid in left:
                os.kill(pid, signal.SIGKILL)
            raise AssertionError(f"{what}: {len(left)} processes stay")
        time.sleep(0.2)


def list_processes(place: Path) -> list[int]:
    """Return the processes whose command line names a folder (Linux)."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if os.fsencode(place) in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue  # it has just ended
    return found
