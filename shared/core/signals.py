"""How programs end: by Ctrl-C, by a kill, or with the process that started them."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any

INTERRUPTED = 130
"""Exit status of a program that Ctrl-C or a kill stopped."""
WORKER = "RNN_RECIPES_WORKER"
"""Environment variable of a worker. Its standard input ends when its parent does."""

ASKS = "RNN_RECIPES_ASKS"
"""Environment variable of a worker that asks after each epoch whether to go on."""
GO, PRUNE = "go", "prune"
"""What the parent answers, a line each. Others are better: prune."""
PATIENCE = 60.0
"""Seconds to wait for an answer. Without one, a training goes on."""

_asked = threading.Event()  # whether Ctrl-C or a kill has come
_answers: queue.SimpleQueue[str] = queue.SimpleQueue()  # lines of the parent


class PrunedError(Exception):
    """The parent of this worker has stopped the training, because others are better."""


def end_at_ctrl_c() -> None:
    """Let Ctrl-C end the process at once with one line, until `kill_as_interrupt`.

    While modules are imported, a `KeyboardInterrupt` can get lost or turn into another
    error. Nothing needs a clean-up then.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end_now)


def repeat_lost_interrupts() -> None:
    """Repeat a Ctrl-C that came where Python must drop exceptions, as in `__del__`."""
    sys.unraisablehook = _repeat_interrupt


@contextlib.contextmanager
def kill_as_interrupt() -> Iterator[None]:
    """Make Ctrl-C, SIGTERM and a closed terminal raise `KeyboardInterrupt`.

    After one of them, a program of the suite ends and ignores another Ctrl-C.

    Raises:
        KeyboardInterrupt: Also where native code has turned it into another error.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # Python handles signals in the main thread only
        return
    usual = (signal.SIG_DFL, signal.default_int_handler, _end_now)
    names = ("SIGINT", "SIGTERM", "SIGHUP")
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    for number, handler in before.items():
        # A shell ignores SIGINT in the background, and `nohup` ignores SIGHUP.
        if handler in usual:
            signal.signal(number, _interrupt)
    if before[signal.SIGTERM] in usual:
        _asked.clear()
    try:
        yield
    except Exception as error:
        if _asked.is_set():
            raise KeyboardInterrupt from error
        raise
    finally:
        for number, handler in before.items():
            ends = handler is _end_now and _asked.is_set()
            signal.signal(number, signal.SIG_IGN if ends else handler)


def raise_if_asked() -> None:
    """Raise a Ctrl-C again that a library has caught.

    Raises:
        KeyboardInterrupt: If Ctrl-C or a kill has come.
    """
    if _asked.is_set():
        raise KeyboardInterrupt


def ask_parent(epoch: int, epochs: int, error: float) -> None:
    """Ask the parent of this worker whether to go on, if it wants to be asked.

    Args:
        epoch: The epoch that has ended.
        epochs: Planned epochs.
        error: Validation score, turned so that lower is better.

    Raises:
        PrunedError: If others are better.
    """
    if os.environ.get(ASKS) is None:
        return
    print(f"asks after {epoch} of {epochs}, error {error!r}", flush=True)
    with contextlib.suppress(queue.Empty):
        if _answers.get(timeout=PATIENCE) == PRUNE:
            raise PrunedError


def end_with_parent() -> None:
    """Let this process end once its parent has died, if it is a worker.

    A parent that SIGKILL ends cannot stop its workers. But the system then closes its
    end of their standard input.
    """
    if os.environ.pop(WORKER, None) is None:
        return

    def wait() -> None:
        with contextlib.suppress(OSError):
            while text := os.read(0, 1024):
                for line in text.decode().split():
                    _answers.put(line)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()


def _interrupt(*_: object) -> None:
    _asked.set()
    raise KeyboardInterrupt


def _end_now(*_: object) -> None:
    with contextlib.suppress(Exception):
        sys.stdout.flush()
    with contextlib.suppress(OSError):
        os.write(2, b"Interrupted.\n")
    os._exit(INTERRUPTED)


def _repeat_interrupt(unraisable: Any) -> None:
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
        # At once, it would come in this function, where it would get lost again.
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
    else:
        sys.__unraisablehook__(unraisable)
