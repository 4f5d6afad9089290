"""From `git clone` to the first curves: the seconds of each step, and the silences.

    python benchmarks/first_contact.py
    python benchmarks/first_contact.py --second --terminal

The tree of the last commit is cloned into a temporary folder. There `make` sets up and
trains `imdb-gru`, with fresh caches of the suite, of Keras and of Matplotlib, and
without data. pip keeps its cache and may use the network. The run that follows may not,
so it trains on the generated reviews. A step begins with the line that announces it.
"wall" is the time until the next step, "CPU" the processor time of all processes in it
(Linux only): on a busy machine it says more. A line wider than 80 columns is listed.

Needs nothing but Python, git and make, so any Python runs it.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import pty
import re
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
WIDTH = 80  # columns of a terminal
SILENT = 10  # seconds
SAMPLED = 0.2  # seconds between two looks at the processor time
NO_DATA = "http://127.0.0.1:9"  # nothing answers there
STEPS = (
    ("virtual environment", r"Setting up "),
    ("find and download packages", r"  finding and downloading "),
    ("install packages", r"  installing "),
    ("start Python and TensorFlow", r"Starting TensorFlow"),
    ("compile the loop", r"Compiling the loop|The compiled loop"),
    ("read data", r"Downloading http|No IMDB reviews found"),
    ("baseline", r"Fitting the linear baseline"),
    ("train", r"Kernels \("),
    ("results and pictures", r"Scoring the test set|Drawing the curves|imdb-gru on"),
)
"""Step -> how the first line begins that belongs to it."""


@dataclass
class Line:
    """What the command printed.

    Attributes:
        second: Since the start.
        cpu: Seconds of all its processes until then.
        text: Without its end. A moving line is one for each of its states.
    """

    second: float
    cpu: float
    text: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--args", default="", help="flags of the recipe")
    parser.add_argument(
        "--second", action="store_true", help="then clone again, with filled caches"
    )
    parser.add_argument(
        "--terminal", action="store_true", help="show the run on a terminal, no pipe"
    )
    parser.add_argument("--show", action="store_true", help="print the whole output")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="first-contact-") as scratch:
        for name in ["first clone", "second clone"][: 1 + options.second]:
            _measure(name, Path(scratch), options)


def _measure(name: str, scratch: Path, options: argparse.Namespace) -> None:
    """Clone, run and print the table of one contact."""
    tree = scratch / name.partition(" ")[0]
    environment = {
        key: value
        for key, value in os.environ.items()
        if key not in ("RNN_RECIPES_DATA", "PYTHONDONTWRITEBYTECODE", "MAKEFLAGS")
    } | {
        "RNN_RECIPES_CACHE": str(scratch / "cache"),
        "KERAS_HOME": str(scratch / "keras"),
        "MPLCONFIGDIR": str(scratch / "matplotlib"),
        "COLUMNS": str(WIDTH),
    }
    script = (
        f"git clone -q --no-local {PROJECT} {tree} && cd {tree} && make setup && "
        f"https_proxy={NO_DATA} make imdb-gru ARGS='{options.args}'"
    )
    lines, total, status = run(["sh", "-c", script], environment, options.terminal)
    kind = "terminal" if options.terminal else "pipe"
    print(f"\n{name}, output to a {kind}: status {status}, {total.second:.0f} s wall, "
          f"{total.cpu:.0f} s CPU")  # fmt: skip
    print(f"{'step':<30}{'wall, s':>9}{'CPU, s':>9}{'longest silence, s':>20}")
    for step, wall, cpu, silence in table(lines, total):
        print(f"{step:<30}{wall:>9.1f}{cpu:>9.1f}{silence:>20.1f}")
    silences = list_silences([Line(0.0, 0.0, "(start)"), *lines, total])
    print(f"longest silence: {max(silences)[0]:.1f} s")
    for seconds, text in silences:
        if seconds > SILENT:
            print(f"  {seconds:.1f} s after {text!r}")
    for line in lines:
        if len(line.text) > WIDTH:
            print(f"  {len(line.text)} columns: {line.text!r}")
    if options.show:
        for line in lines:
            print(f"{line.second:7.1f} {line.cpu:7.1f} | {line.text}")
    sys.stdout.flush()


def run(
    command: list[str], environment: dict[str, str], terminal: bool
) -> tuple[list[Line], Line, int]:
    """Run a command, and note when it printed which line.

    Returns:
        The lines, the end as a line, and the exit status.
    """
    if terminal:
        ours, theirs = pty.openpty()
    else:
        ours, theirs = os.pipe()
    began = time.perf_counter()
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=theirs,
        stderr=theirs, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    meter = Meter(process.pid)
    lines: list[Line] = []
    rest = b""
    with contextlib.suppress(OSError):  # a terminal whose other end is closed
        while piece := os.read(ours, 65536):
            now = time.perf_counter() - began
            *whole, rest = re.split(rb"[\r\n]+", rest + piece)
            for text in [*whole, rest]:
                shown = re.sub(rb"\x1b\[[0-9;]*[A-Za-z]", b"", text).decode()
                if shown.strip() and not (text is rest and lines and
                                          lines[-1].text == shown):  # fmt: skip
                    lines.append(Line(now, meter.read(), shown))
    os.close(ours)
    status = process.wait()
    total = Line(time.perf_counter() - began, meter.close(), "")
    return _drop_pieces(lines), total, status


def _drop_pieces(lines: list[Line]) -> list[Line]:
    """Drop a line that the next one shows whole."""
    return [
        line
        for line, after in zip(lines, [*lines[1:], None], strict=True)
        if after is None or not after.text.startswith(line.text)
    ]


def table(lines: list[Line], total: Line) -> list[tuple[str, float, float, float]]:
    """Return step, wall seconds, CPU seconds and longest silence of each step."""
    marks = [("git clone", Line(0.0, 0.0, ""))]
    left = list(STEPS)
    for line in lines:
        for place, (step, pattern) in enumerate(left):
            if re.match(pattern, line.text):
                marks.append((step, line))
                left = left[place + 1 :]
                break
    rows = []
    ends = [mark for _, mark in marks[1:]] + [total]
    for (step, start), end in zip(marks, ends, strict=True):
        inside = [line for line in lines if start.second < line.second < end.second]
        silence, _ = max(list_silences([start, *inside, end]))
        rows.append((step, end.second - start.second, end.cpu - start.cpu, silence))
    return rows


def list_silences(lines: list[Line]) -> list[tuple[float, str]]:
    """Return the seconds after each line until the next one, and its text."""
    return [
        (after.second - before.second, before.text)
        for before, after in itertools.pairwise(lines)
    ]


class Meter:
    """The processor time of a process and of all its descendants, so far."""

    def __init__(self, root: int) -> None:
        """Start to look."""
        self.root, self.seconds = root, 0.0
        self.before = sum(os.times()[2:4])  # of children that have ended already
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()

    def read(self) -> float:
        """Return the seconds at the latest look."""
        return self.seconds

    def close(self) -> float:
        """Return the seconds after the process has ended and was waited for."""
        self.ended.set()
        self.thread.join()
        return sum(os.times()[2:4]) - self.before

    def _watch(self) -> None:
        while not self.ended.wait(SAMPLED):
            # A process that ends counts for its parent only once that waits for it.
            self.seconds = max(self.seconds, self._look())

    def _look(self) -> float:
        tick = os.sysconf("SC_CLK_TCK")
        parents, seconds = {}, {}
        for path in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError, IndexError, ValueError):
                values = path.read_text().rpartition(")")[2].split()
                number = int(path.parent.name)
                parents[number] = int(values[1])
                seconds[number] = sum(map(int, values[11:15])) / tick
        inside, total = {self.root}, seconds.get(self.root, 0.0)
        while found := {n for n, p in parents.items() if p in inside} - inside:
            inside |= found
            total += sum(seconds[number] for number in found)
        return total


if __name__ == "__main__":
    main()
