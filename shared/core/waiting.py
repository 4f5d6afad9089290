"""Say what a program does where it would be silent for long."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

SLOW = 2.0  # seconds after which a piece of work is announced
QUIET = 9.0  # seconds between two lines: nobody waits 10 seconds without one


@contextlib.contextmanager
def say_while(what: str, after: float = SLOW) -> Iterator[None]:
    """Print what goes on if it takes long, and then how long it has taken so far.

    Args:
        what: One line. A block that ends sooner than `after` prints nothing.
        after: Seconds; 0 prints the line at once.
    """
    ended = threading.Event()
    began = time.monotonic()
    if not after:
        print(what, flush=True)

    def show() -> None:
        if after:
            if ended.wait(after):
                return
            print(what, flush=True)
        while not ended.wait(QUIET):
            print(f"  {time.monotonic() - began:.0f} s so far", flush=True)

    shown = threading.Thread(target=show, daemon=True)
    shown.start()
    try:
        yield
    finally:
        ended.set()
        shown.join()
