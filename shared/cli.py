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

from shared.backend import import_keras, limit_threads, read_threads
from shared.errors import UserError
from shared.flags import (
    Output,
    drop_flags,
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
        output.check()
        if output.seeds is not None and drop_flags(flags, ["--seed"]) != flags:
            raise UserError("--seed with --seeds: leave one of the two away.")
        if threads := output.threads or read_threads():
            limit_threads(threads)
        config = settle(asked)
        if output.kernels:
            from shared.kernels.report import show_kernels

            show_kernels(asked)
            return
        changed = list_changes(asked, config_type())
        if output.seeds is not None:
            if output.jobs > 1 and changed.get("kernel") == "auto":
                raise UserError(
                    f"--kernel auto with --jobs {output.jobs}: trainings side by side "
                    "would disturb the measurement; name the kernel, or leave --jobs "
                    "away."
                )
            _run_seeds(path, flags, output)
            return
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
        with kill_as_interrupt():
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


def _run_seeds(path: Path, flags: Sequence[str], output: Output) -> None:
    """Train once per seed and tell what they reached together."""
    from shared.compare import show_groups
    from shared.groups import choose_runs, group_runs
    from shared.runs import RUNS
    from shared.seeds import parse_seeds, train_seeds

    seeds = parse_seeds(output.seeds)
    rest = drop_flags(flags, ["--seeds", "--jobs", "--threads"])
    threads = output.threads or read_threads()
    try:
        with kill_as_interrupt():
            workers = train_seeds(path, rest, seeds, output.jobs, threads)
    except KeyboardInterrupt:
        print("Interrupted; every run that had begun is in its own folder.")
        sys.exit(INTERRUPTED)
    failed = [worker for worker in workers if worker.status]
    for worker in failed:
        last = worker.tail[-1] if worker.tail else "(it wrote nothing)"
        print(
            f"seed {worker.seed} stopped with status {worker.status}: {last}",
            file=sys.stderr,
        )
    folders = [str(w.folder) for w in workers if not w.status and w.folder]
    if folders:
        runs, _ = choose_runs(folders, output.results_dir or RUNS)
        show_groups(group_runs(runs))
    if failed:
        sys.exit(2 if all(worker.status == 2 for worker in failed) else 1)


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
def kill_as_interrupt() -> Iterator[None]:
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
