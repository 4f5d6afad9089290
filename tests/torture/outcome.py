"""What one attempt may end in, and the checks that all kinds share."""

from __future__ import annotations

import contextlib
import io
import os
import traceback
from collections.abc import Callable, Iterator, Sequence

from shared.core.errors import UserError

REFUSED = "refused"
SHOWN = "shown"
LONGEST = 1200  # characters of a message: the longest that a program prints, and more


def check(condition: object, problem: str) -> None:
    """Fail an attempt. Unlike `assert`, it also works under `python -O`."""
    if not condition:
        raise AssertionError(problem)


def check_line(message: str) -> str:
    """Check a message for the user, and return the outcome "refused"."""
    check(message.strip(), "no message")
    check(len(message.strip().splitlines()) == 1, f"not one line: {message!r}")
    check(message.strip().isprintable(), f"control characters: {message!r}")
    check(len(message) < LONGEST, f"{len(message)} characters: {message[:200]!r}")
    return REFUSED


def refuse_or(read: Callable[[], object]) -> str:
    """Call a reader that checks its own result.

    Returns:
        "refused" after a `UserError` of one line, else "shown".
    """
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            read()
        except UserError as error:
            return check_line(str(error))
    return SHOWN


def run_here(
    main: Callable[[Sequence[str]], object], flags: Sequence[str]
) -> tuple[int, str, str]:
    """Run a program in this process; return its status, stdout and stderr."""
    output, errors = io.StringIO(), io.StringIO()
    status = 0
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
        try:
            main(flags)
        except SystemExit as stopped:
            status = stopped.code or 0
    return status, output.getvalue(), errors.getvalue()


@contextlib.contextmanager
def own_environment() -> Iterator[None]:
    """Restore the variables that an attempt changes."""
    before = dict(os.environ)
    os.environ["COLUMNS"] = "100"
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def describe_failure(error: BaseException) -> str:
    """Return the error and the place where it was raised, on one line."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    text = f"{type(error).__name__}: {error}".replace("\n", " | ")
    return f"{text[:600]} ({last.filename.rpartition('/')[2]}:{last.lineno})"
