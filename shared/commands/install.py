"""Install packages with pip, and say all the time how far it is.

    python -m shared.commands.install -r requirements.txt

Needs nothing but Python and pip. What pip prints is shown only if it fails.
"""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterable

QUIET = 10  # seconds between two lines where the output is no terminal
PIP = ("-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off")
SIZE = re.compile(r"\(([\d.]+) (kB|MB|GB)\)")
MEGABYTES = {"kB": 1e-3, "MB": 1.0, "GB": 1e3}


class Progress:
    """What pip has done so far."""

    def __init__(self) -> None:
        """Start the clock."""
        self.began = time.monotonic()
        self.packages, self.megabytes, self.is_installing = 0, 0.0, False

    def read(self, line: str) -> None:
        """Take a line that pip printed."""
        line = line.strip()
        if line.startswith("Collecting "):
            self.packages += 1
        elif line.startswith(("Downloading ", "Using cached ")):
            if (size := SIZE.search(line)) and ".metadata" not in line:
                self.megabytes += float(size[1]) * MEGABYTES[size[2]]
        elif line.startswith("Installing collected packages: "):
            self.packages = line.count(",") + 1
            self.is_installing = True

    def describe(self) -> str:
        """Return the state in words."""
        seconds = time.monotonic() - self.began
        what = "installing" if self.is_installing else "finding and downloading"
        size = f", {self.megabytes:,.0f} MB" if self.megabytes >= 1 else ""
        return f"{what} {self.packages} packages{size}, {seconds:.0f} s"


def main(arguments: Iterable[str] | None = None) -> None:
    """Install, and exit with the status of pip."""
    flags = sys.argv[1:] if arguments is None else list(arguments)
    progress, said, ended = Progress(), [], threading.Event()
    shown = threading.Thread(target=_show, args=(progress, ended), daemon=True)
    with subprocess.Popen(
        [sys.executable, "-u", *PIP, *flags],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
    ) as pip:  # fmt: skip
        shown.start()
        for line in pip.stdout:
            said.append(line)
            progress.read(line)
    ended.set()
    shown.join()
    if pip.returncode:
        sys.stderr.writelines(said)
        sys.exit(pip.returncode)
    if progress.packages:
        print(f"  {progress.describe()}: done")


def _show(progress: Progress, ended: threading.Event) -> None:
    """Show the state: on a terminal each second on one line, else now and then."""
    is_terminal = sys.stdout.isatty()
    while not ended.wait(1 if is_terminal else QUIET):
        line = f"  {progress.describe()}"
        print(f"\r\x1b[2K{line}" if is_terminal else line, end="" if is_terminal else
              "\n", flush=True)  # fmt: skip
    if is_terminal:
        print("\r\x1b[2K", end="", flush=True)


if __name__ == "__main__":
    main()
