"""The first moments of a program, before its modules are imported."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from shared.core.signals import end_at_ctrl_c, repeat_lost_interrupts

PROJECT = Path(__file__).resolve().parents[2]
PLACES = ("recipes", "shared", "benchmarks")


def start_program() -> None:
    """Prepare this process, if it runs a program of the suite and no other."""
    if not is_own_program():
        return
    end_at_ctrl_c()
    repeat_lost_interrupts()
    try:
        Path.home()
    except RuntimeError:  # as in a container, for a user without an entry
        # Libraries can do without a folder in the home, but not without its name.
        os.environ["HOME"] = os.devnull
    os.environ["MPLBACKEND"] = "agg"  # Jupyter sets one that may not be installed here
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # the shell has closed it
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115
        else:
            stream.reconfigure(errors="replace")  # not every encoding has a "±"


def is_own_program() -> bool:
    """Return whether this process was started as a program of the suite."""
    # `sys.argv` has no options of Python. A notebook that runs a recipe changes it.
    place = max(1, len(sys.orig_argv) - len(sys.argv))
    if place >= len(sys.orig_argv):
        return False
    before, program = sys.orig_argv[place - 1 : place + 1]
    if before == "-m":
        return program.partition(".")[0] in PLACES
    path = Path(os.path.realpath(program))
    return any(path.is_relative_to(PROJECT / place) for place in PLACES)
