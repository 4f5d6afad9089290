"""Hold back what native code prints, and show it if the process does not survive."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator

HIDE, SHOW = b"\0", b"\1"
WATCHER = r"""
import sys
held = sys.stdin.buffer.read()
if not held.endswith(b"\0"):
    sys.stderr.buffer.write(held[-100_000:].rstrip(b"\1"))
    if not held.endswith(b"\1"):
        print("error: TensorFlow ended this program; its messages are above.",
              file=sys.stderr)
"""
"""Program of a small process that gets the messages. A process that a library ends with
abort() or exit() cannot show them itself."""


@contextlib.contextmanager
def hold_messages() -> Iterator[None]:
    """Show what is written to the error stream only if the block fails.

    Native code writes to the stream of the process, so a redirected `sys.stderr` would
    not catch it. Ctrl-C counts as no failure.
    """
    try:
        screen = os.dup(2)
        watcher = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", WATCHER],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            bufsize=0,
            start_new_session=True,  # so that Ctrl-C does not reach it
        )
    except OSError:  # no error stream, or no second process: hide nothing
        yield
        return
    sys.stderr.flush()
    os.dup2(watcher.stdin.fileno(), 2)
    ending = HIDE
    try:
        yield
    except Exception:
        ending = SHOW
        raise
    finally:
        os.dup2(screen, 2)
        os.close(screen)
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            watcher.stdin.write(ending)
            watcher.stdin.close()
            watcher.wait(10)
