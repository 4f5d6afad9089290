"""From the command line to a run: flags, checks, errors, and how a run ends."""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import io
import os
import re
import shlex
import signal
import sys
import typing
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import tyro

from shared.backend import import_keras
from shared.errors import UserError

Config = TypeVar("Config")
INTERRUPTED = 130  # exit status of a program stopped by Ctrl-C


@dataclasses.dataclass(frozen=True)
class Output:
    """Where the run goes."""

    results_dir: Path | None = None
    """Folder of all runs; None is results/runs of the project."""


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
    with one_line_errors():
        asked, output = _parse_recipe(config_type, flags, path.name, description)
        config = settle(asked)
        changed = _list_changes(asked, config_type())
        _run_to_the_end(recipe, config, run, changed, command, output)


def parse(
    config_type: type[Config], flags: Sequence[str], prog: str, description: str
) -> Config:
    """Build a dataclass from flags.

    Raises:
        UserError: On a flag that does not exist or a value it does not take.
        SystemExit: After `--help`, with status 0.
    """
    errors = io.StringIO()
    try:
        with contextlib.redirect_stderr(errors):
            return tyro.cli(
                config_type,
                args=list(flags),
                prog=prog,
                description=description,
                config=(tyro.conf.OmitArgPrefixes,),
            )
    except SystemExit as exit_:
        if not exit_.code:
            raise
        raise UserError(f"{_condense(errors.getvalue())} See {prog} --help.") from None


def settle(config: Config) -> Config:
    """Check every part of a config, and settle what its parts decide together.

    Prints a sentence for every value that had to be changed.

    Raises:
        UserError: On a value or combination that cannot be.
    """
    parts = {
        field.name: getattr(config, field.name)
        for field in dataclasses.fields(config)
        if dataclasses.is_dataclass(getattr(config, field.name))
    }
    if hasattr(config, "check"):
        config.check()
    for part in parts.values():
        if hasattr(part, "check"):
            part.check()
    sides = [part.mask_side for part in parts.values() if hasattr(part, "mask_side")]
    mask_side = sides[0] if sides else None
    changes = {}
    for name, part in parts.items():
        if hasattr(part, "resolve"):
            changes[name], notes = part.resolve(mask_side)
            for note in notes:
                print(note)
    return dataclasses.replace(config, **changes)


def list_settings(config: Any) -> dict[str, Any]:
    """Return every flag of a config by name, flat and ready for JSON."""
    settings: dict[str, Any] = {}
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            settings |= list_settings(value)
        else:
            settings[field.name] = str(value) if isinstance(value, Path) else value
    return settings


def _parse_recipe(
    config_type: type[Config], flags: Sequence[str], prog: str, description: str
) -> tuple[Config, Output]:
    """Parse the flags of a recipe and those that every recipe has."""
    types = typing.get_type_hints(config_type)
    names = [field.name for field in dataclasses.fields(config_type)]
    default = config_type()
    options = dataclasses.make_dataclass(
        "Options",
        [(name, types[name], getattr(default, name)) for name in names]
        + [("output", Output, Output())],
        frozen=True,
    )
    parsed = parse(options, flags, prog, description)
    return config_type(**{name: getattr(parsed, name) for name in names}), parsed.output


def _list_changes(config: Any, default: Any) -> dict[str, Any]:
    """Return the flags that differ from the recipe's defaults."""
    usual = list_settings(default)
    return {
        name: value
        for name, value in list_settings(config).items()
        if value != usual[name]
    }


def _run_to_the_end(
    recipe: str,
    config: Any,
    run: Callable[[Any, Any], None],
    changed: dict[str, Any],
    command: str,
    output: Output,
) -> None:
    from shared.runs import RUNS, RunFolder

    root = output.results_dir or RUNS
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
    """Draw the curves of a run and tell what it reached."""
    from shared.plots import draw_curves
    from shared.runs import find_runs, read_run
    from shared.tables import show_run

    if folder.path is None:
        print("\nInterrupted before training; nothing was written.")
        return
    run = read_run(folder.path)
    if run.history:
        folder.write_figure(draw_curves(run))
    show_run(run, find_runs(folder.root, folder.recipe))


@contextlib.contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn a `UserError` or a full disk into one line and status 2."""
    try:
        yield
    except UserError as error:
        _fail(str(error))
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except PermissionError as error:
        _fail(f"{error.filename}: no permission; name another place (--results-dir).")
    except OSError as error:
        if error.errno != 28:  # ENOSPC
            raise
        _fail(
            f"{error.filename or 'The disk'}: no space left; make room and run again."
        )


def _fail(message: str) -> None:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(2)


@contextlib.contextmanager
def _kill_as_interrupt() -> Iterator[None]:
    """Let SIGTERM and a closed terminal end a run as Ctrl-C does."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {name: signal.getsignal(getattr(signal, name)) for name in names}
    for name in names:
        signal.signal(getattr(signal, name), interrupt)
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)


def _condense(box: str) -> str:
    """Return the sentences of a framed error message as one line."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", box)
    lines = [line.strip("│| ") for line in plain.splitlines()[1:]]  # 0: the title
    text = " ".join(line for line in lines if re.search(r"\w", line))
    text = re.split(r"For full helptext|Argument helptext:", text)[0]
    text, _, hint = text.partition("Perhaps you meant:")
    if flags := list(dict.fromkeys(re.findall(r"--[a-z][a-z-]*", hint))):
        text += f" Perhaps you meant {' or '.join(flags)}."
    return re.sub(r"\s+", " ", text).strip()
