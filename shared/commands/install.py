"""Install packages with pip, and say all the time how far it is.

    python -m shared.commands.install --venv .venv
    .venv/bin/python -m shared.commands.install -r requirements.txt

Needs nothing but Python. What pip prints is shown only if it fails. pip does
not compile all modules to bytecode, which would take it half as long again: Python
compiles those that a run needs at their first import, and keeps the result.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterable

from shared.core.waiting import QUIET, say_while

PIP = ("-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off")
SIZE = re.compile(r"\(([\d.]+) (kB|MB|GB)\)")
MEGABYTES = {"kB": 1e-3, "MB": 1.0, "GB": 1e3}


class Progress:
    """What pip has done so far."""

    def __init__(self) -> None:
        """Start the clock."""
        self.began = time.monotonic()
        self.packages, self.megabytes, self.is_installing = 0, 0.0, False
        self.moved_on = threading.Event()  # to the next step

    def read(self, line: str) -> None:
        """Take a line that pip printed."""
        line = line.strip()
        if line.startswith("Collecting "):
            self.packages += 1
            if self.packages == 1:
                self.moved_on.set()
        elif line.startswith(("Downloading ", "Using cached ")):
            if (size := SIZE.search(line)) and ".metadata" not in line:
                self.megabytes += float(size[1]) * MEGABYTES[size[2]]
        elif line.startswith("Installing collected packages: "):
            self.packages = line.count(",") + 1
            self.is_installing = True
            self.moved_on.set()

    def describe(self) -> str:
        """Return the state in words."""
        seconds = time.monotonic() - self.began
        what = "installing" if self.is_installing else "finding and downloading"
        size = f", {self.megabytes:,.0f} MB" if self.megabytes >= 1 else ""
        number = f" {self.packages}" if self.packages else ""
        return f"{what}{number} packages{size}, {seconds:.0f} s"


def main(arguments: Iterable[str] | None = None) -> None:
    """Install, and exit with the status of pip; or make a virtual environment."""
    flags = sys.argv[1:] if arguments is None else list(arguments)
    if flags[0] == "--venv":
        with say_while("  making the virtual environment"):
            made = subprocess.run([sys.executable, "-m", "venv", flags[1]])
        sys.exit(made.returncode)
    progress, said, ended = Progress(), [], threading.Event()
    shown = threading.Thread(target=_show, args=(progress, ended), daemon=True)
    # Python keeps no bytecode where this variable is set. Then pip must make it.
    lazily = [] if os.environ.get("PYTHONDONTWRITEBYTECODE") else ["--no-compile"]
    with subprocess.Popen(
        [sys.executable, "-u", *PIP, *lazily, *flags],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
    ) as pip:  # fmt: skip
        shown.start()
        for line in pip.stdout:
            said.append(line)
            progress.read(line)
    ended.set()
    progress.moved_on.set()
    shown.join()
    if pip.returncode:
        sys.stderr.writelines(said)
        sys.exit(pip.returncode)
    if progress.packages:
        print(f"  {progress.describe()}: done")


def _show(progress: Progress, ended: threading.Event) -> None:
    """Show the state: on a terminal each second on one line, else now and then."""
    is_terminal = sys.stdout.isatty()
    while True:
        if progress.moved_on.wait(1 if is_terminal else QUIET):
            progress.moved_on.clear()
        if ended.is_set():
            break
        line = f"  {progress.describe()}"
        print(f"\r\x1b[2K{line}" if is_terminal else line, end="" if is_terminal else
              "\n", flush=True)  # fmt: skip
    if is_terminal:
        print("\r\x1b[2K", end="", flush=True)


if __name__ == "__main__":
    main()
