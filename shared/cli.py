"""From the command line to a run: flags, checks, errors, and how a run ends."""

from __future__ import annotations

import contextlib
import inspect
import shlex
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from shared.backend import import_keras
from shared.flags import (
    Output,
    list_changes,
    list_settings,
    one_line_errors,
    parse_recipe,
    settle,
)

Config = TypeVar("Config")
INTERRUPTED = 130  # exit status of a program stopped by Ctrl-C


def main(
    config_type: type[Config],
    run: Callable[[Config, Any], None],
    arguments: Sequence[str] | None = None,
) -> None:
    """Parse the flags of a recipe, run it, and leave its folder in order.

    Ends the process with status 2 after a bad input (one line on stderr), 130 after
    Ctrl-C or a kill that can be caught.

    Args:
        config_type: The recipe's frozen dataclass; nested dataclasses become groups
            of flags without a prefix.
        run: The recipe's `run(config, folder)`.
        arguments: Flags; None takes those of the process.
    """
    path = Path(inspect.getfile(run))
    recipe = path.stem.replace("_", "-")
    description = inspect.getdoc(inspect.getmodule(run)) or ""
    flags = sys.argv[1:] if arguments is None else list(arguments)
    command = shlex.join(["python", f"recipes/{path.name}", *flags])
    with one_line_errors("--results-dir"):
        asked, output = parse_recipe(config_type, flags, path.name, description)
        config = settle(asked)
        if output.kernels:
            from shared.kernels.report import show_kernels

            show_kernels(config)
            return
        changed = list_changes(asked, config_type())
        _run_to_the_end(recipe, config, run, changed, command, output)


def _run_to_the_end(
    recipe: str,
    config: Any,
    run: Callable[[Any, Any], None],
    changed: dict[str, Any],
    command: str,
    output: Output,
) -> None:
    from shared.run_folder import RunFolder
    from shared.runs import RUNS

    root = output.results_dir or RUNS
    root.mkdir(parents=True, exist_ok=True)  # tells a bad place before the work
    folder = RunFolder(recipe, list_settings(config), changed, command, root)
    try:
        with _kill_as_interrupt():
            import_keras()
            run(config, folder)
    except KeyboardInterrupt:
        folder.close("interrupted", "Stopped by Ctrl-C or a kill.")
        _show(folder)
        sys.exit(INTERRUPTED)
    except BaseException as error:
        folder.close("failed", f"{type(error).__name__}: {error}")
        raise
    _show(folder)


def _show(folder: Any) -> None:
    """Draw the pictures of a run and tell what it reached."""
    from shared.figures import draw_run
    from shared.runs import find_runs, read_run
    from shared.tables import show_run

    if folder.path is None:
        print("\nInterrupted before training; nothing was written.")
        return
    run = read_run(folder.path)
    for name, figure in draw_run(run):
        folder.write_figure(name, figure)
    show_run(run, find_runs(folder.root, folder.recipe))


@contextlib.contextmanager
def _kill_as_interrupt() -> Iterator[None]:
    """Let SIGTERM and a closed terminal end a run as Ctrl-C does."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    numbers = [getattr(signal, n) for n in ("SIGTERM", "SIGHUP") if hasattr(signal, n)]
    before = {number: signal.getsignal(number) for number in numbers}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:  # `nohup` ignores SIGHUP on purpose
            signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
