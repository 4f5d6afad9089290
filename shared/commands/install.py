"""Install packages with uv or pip, and say all the time how far it is.

    python -m shared.commands.install --venv .venv
    .venv/bin/python -m shared.commands.install -r requirements.txt

uv installs what it has once downloaded in seconds; pip unpacks it each time. pip does
it where there is no uv for this computer, where uv fails, and where pip has settings
that uv does not know. Needs nothing but Python. What they print is shown only if both
fail. Neither compiles all modules to bytecode, which would take pip half as long again:
Python compiles those that a run needs at their first import, and keeps the result.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from shared.commands.pip_settings import read_settings
from shared.core.waiting import QUIET, say_while

UV = "uv>=0.8,<1"
PIP = ("-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off")
ONCE = ("--retries", "0", "--timeout", "15")  # uv is optional
SIZE = re.compile(r"\(([\d.]+) ?(kB|MB|GB|KiB|MiB|GiB)\)")
MEGABYTES = {"kB": 1e-3, "MB": 1.0, "GB": 1e3, "KiB": 2**10 / 1e6, "MiB": 2**20 / 1e6,
             "GiB": 2**30 / 1e6}  # fmt: skip


class Progress:
    """What uv or pip has done so far."""

    def __init__(self) -> None:
        """Start the clock."""
        self.began = time.monotonic()
        self.packages, self.megabytes, self.is_installing = 0, 0.0, False
        self.sizes: dict[str, float] = {}  # of what uv downloads
        self.moved_on = threading.Event()  # to the next step

    def read(self, line: str) -> None:
        """Take a line that uv or pip printed."""
        line = line.strip()
        first, _, rest = line.partition(" ")
        name, size = rest.partition(" ")[0], self._find_size(line)
        # Resolved, Downloaded, Prepared and Installed are words of uv.
        if first == "Resolved" and name.isdigit():
            self.packages = int(name)
            self.moved_on.set()
        elif first == "Downloaded":
            self.megabytes += self.sizes.pop(name, 0.0)
        elif first == "Downloading" and "iB)" in line:
            self.sizes[name] = size
        elif line.startswith("Collecting "):
            self.packages += 1
            if self.packages == 1:
                self.moved_on.set()
        elif line.startswith(("Downloading ", "Using cached ")):
            if ".metadata" not in line:
                self.megabytes += size
        elif line.startswith("Installing collected packages: "):
            self.start_installing(line.count(",") + 1)
        elif first in ("Prepared", "Installed") and name.isdigit():
            self.start_installing(self.packages if first == "Prepared" else int(name))

    def start_installing(self, packages: int) -> None:
        """All packages are there."""
        self.packages, self.is_installing = packages, True
        self.moved_on.set()

    @staticmethod
    def _find_size(line: str) -> float:
        size = SIZE.search(line)
        return float(size[1]) * MEGABYTES[size[2]] if size else 0.0

    def describe(self) -> str:
        """Return the state in words."""
        seconds = time.monotonic() - self.began
        what = "installing" if self.is_installing else "finding and downloading"
        size = f", {self.megabytes:,.0f} MB" if self.megabytes >= 1 else ""
        number = f" {self.packages}" if self.packages else ""
        noun = "package" if self.packages == 1 else "packages"
        return f"{what}{number} {noun}{size}, {seconds:.0f} s"


def main(arguments: Iterable[str] | None = None) -> None:
    """Install, and exit with the status of pip; or make a virtual environment."""
    flags = sys.argv[1:] if arguments is None else list(arguments)
    if flags[0] == "--venv":
        with say_while("  making the virtual environment"):
            made = subprocess.run([sys.executable, "-m", "venv", flags[1]])
        sys.exit(made.returncode)
    progress, ended = Progress(), threading.Event()
    shown = threading.Thread(target=_show, args=(progress, ended), daemon=True)
    shown.start()
    try:
        failed = not _install_with_uv(flags, progress)
        status, said = _install_with_pip(flags, progress) if failed else (0, [])
    finally:
        ended.set()
        progress.moved_on.set()
        shown.join()
    if status:
        sys.stderr.writelines(said)
        sys.exit(status)
    if progress.is_installing:
        print(f"  {progress.describe()}: done")


def _install_with_uv(flags: Sequence[str], progress: Progress) -> bool:
    """Return whether uv installed the packages."""
    settings = read_settings()
    uv = _find_uv() if settings else None
    if not uv:
        return False
    found, variables = settings
    # As pip does: the best version of all indexes, no first index that wins.
    command = [uv, "pip", "install", "--python", sys.executable, "--no-progress",
               "--index-strategy", "unsafe-best-match", *found]  # fmt: skip
    if os.environ.get("PYTHONDONTWRITEBYTECODE"):
        command.append("--compile-bytecode")
    try:
        return _follow([*command, *flags], progress, variables)[0] == 0
    except OSError:  # a uv of another computer, or where nothing may be started
        return False


def _find_uv() -> str | None:
    """Return the path of uv: this environment's, the user's, or a new one from pip."""
    own = str(Path(sys.executable).parent)
    if found := shutil.which("uv", path=own) or shutil.which("uv"):
        return found
    command = [sys.executable, *PIP, *ONCE, "--no-compile", "--no-deps", UV]
    status = subprocess.run(command, capture_output=True).returncode
    return shutil.which("uv", path=own) if status == 0 else None


def _install_with_pip(
    flags: Sequence[str], progress: Progress
) -> tuple[int, list[str]]:
    """Return the status of pip, and what it said."""
    # Python keeps no bytecode where this variable is set. Then pip must make it.
    lazily = [] if os.environ.get("PYTHONDONTWRITEBYTECODE") else ["--no-compile"]
    progress.packages, progress.megabytes, progress.is_installing = 0, 0.0, False
    return _follow([sys.executable, "-u", *PIP, *lazily, *flags], progress, {})


def _follow(
    command: Sequence[str], progress: Progress, variables: Mapping[str, str]
) -> tuple[int, list[str]]:
    """Run a command to its end; return its status, and its lines."""
    said = []
    with subprocess.Popen(
        command, env=os.environ | variables, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, errors="replace",
    ) as process:  # fmt: skip
        for line in process.stdout:
            said.append(line)
            progress.read(line)
    return process.returncode, said


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
