"""List saved runs, filter them, and remove them after a yes.

    make runs
    make runs RUNS=imdb-gru ARGS="--state finished --where units=64"
    python -m shared.runs.manage imdb-gru --older-than 30 --remove

Takes recipe names, run folders, or nothing (all runs). Only --remove changes anything.
It shows the runs first and then asks. A run that is still training stays, and so does
all that is behind a symbolic link. --remove also deletes what killed runs have left.
"""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import tyro
from rich import box
from rich.table import Table
from rich.text import Text

from shared.core.errors import UserError, format_value
from shared.core.flags import one_line_errors, parse
from shared.core.roles import SHOWN_ELSEWHERE
from shared.core.signals import INTERRUPTED
from shared.runs.groups import find_named
from shared.runs.long_table import print_table
from shared.runs.reader import (
    RUNS,
    Found,
    Run,
    describe_problems,
    is_run_folder,
    read_run,
    scan_runs,
)
from shared.runs.removal import is_linked, remove_runs
from shared.runs.terminal import format_score, make_console


@dataclass(frozen=True)
class Options:
    """Which runs to list, and whether to remove them."""

    runs: tyro.conf.Positional[tuple[str, ...]] = ()
    """Recipe names or run folders; none means every run."""
    results_dir: Path = RUNS
    """Folder of all runs."""
    state: Literal["finished", "interrupted", "failed", "running"] | None = None
    """Only runs in this state."""
    data: str | None = None
    """Only runs on this data set, e.g. imdb-sample."""
    older_than: float | None = None
    """Only runs that began more than this many days ago."""
    where: tuple[str, ...] = ()
    """Only runs with these settings, e.g. units=64 seed=0."""
    remove: bool = False
    """Remove them, after a yes."""
    yes: bool = False
    """Remove without a question, for scripts."""

    def validate(self) -> None:
        """Check the flags.

        Raises:
            UserError: With the flag, the accepted values and an example.
        """
        if self.yes and not self.remove:
            raise UserError(
                "--yes works only with --remove. Add --remove or omit --yes."
            )
        if self.older_than is not None and not 0 <= self.older_than < 100_000:
            raise UserError(
                f"--older-than {self.older_than}: takes days from 0 up, e.g. 30."
            )
        for text in self.where:
            if "=" not in text:
                raise UserError(
                    f"--where {text}: takes settings as name=value, e.g. units=64."
                )


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the flags, list, and remove on request. Status 2 after a bad input."""
    flags = sys.argv[1:] if arguments is None else list(arguments)
    with one_line_errors("--results-dir"):
        options = parse(Options, flags, "python -m shared.runs.manage", __doc__)
        options.validate()
        found = pick_runs(options)
        runs = found.runs
        if runs:
            show_runs(runs)
        else:
            print(f"No such run in {options.results_dir}.")
        for line in [*found.describe(), *describe_problems(runs)]:
            print(line)
        if not runs or not options.remove:
            return
        free = [run for run in runs if run.state != "running"]
        if len(free) < len(runs):
            print(f"Not removed: {count_runs(len(runs) - len(free))} still training.")
        try:
            # Linked runs only have to be named, so they need no question.
            real = [run for run in free if not is_linked(run.path)]
            if real and not (options.yes or confirm(real)):
                free = []
            removed, kept = remove_runs(free)
            for line in kept:
                print(line)
            print(f"Removed {count_runs(removed)}." if removed else "Nothing removed.")
        except KeyboardInterrupt:
            print("\nStopped. Every run that make runs still lists is complete.")
            sys.exit(INTERRUPTED)


def pick_runs(options: Options) -> Found:
    """Return the runs that pass all filters, by recipe and data, oldest first.

    Folders that cannot be read pass no filter, so they are always among the result.

    Raises:
        UserError: If a name matches no run, or if no run has a setting of `--where`.
    """
    found: dict[Path, Run] = {}
    unreadable: dict[Path, str] = {}
    for name in options.runs or [None]:
        scanned = _find(name, options.results_dir)
        found |= {run.place: run for run in scanned.runs}
        unreadable |= scanned.unreadable
    runs = list(found.values())
    wanted = dict(text.split("=", 1) for text in options.where)
    for name in wanted:
        if runs and not any(_key(name) in run.config["settings"] for run in runs):
            known = sorted({k for run in runs for k in run.config["settings"]})
            raise UserError(
                f"--where {name}=...: none of these runs has this setting. They have "
                f"{', '.join(known)}."
            )
    before = None
    if options.older_than is not None:
        before = datetime.now(UTC) - timedelta(days=options.older_than)
    picked = [
        run
        for run in runs
        if options.state in (None, run.state)
        and options.data in (None, run.data)
        and (before is None or read_start(run) < before)
        and all(_has(run, name, value) for name, value in wanted.items())
    ]
    picked.sort(key=lambda run: (run.recipe, run.data, run.path.name))
    return Found(picked, unreadable)


def read_start(run: Run) -> datetime:
    """Return when a run began, from the folder name or else from the config file."""
    try:
        began = datetime.strptime(run.path.name[:20], "%Y-%m-%dT%H-%M-%SZ")
    except ValueError:
        return datetime.fromtimestamp((run.path / "config.json").stat().st_mtime, UTC)
    return began.replace(tzinfo=UTC)


def measure_size(path: Path | str) -> int:
    """Return the size of all files of a folder in bytes."""
    size = 0
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    size += measure_size(entry.path)
                elif entry.is_file():
                    size += entry.stat(follow_symlinks=False).st_size
    except OSError:  # removed meanwhile, or it cannot be seen
        pass
    return size


def show_runs(runs: Sequence[Run]) -> None:
    """Print a line per run, by recipe and data, and their total size."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("begun, seed", no_wrap=True)
    table.add_column("state", no_wrap=True)
    for name in ("best val", "test", "MB"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("flags", overflow="fold")
    sizes = {run.path: measure_size(run.path) for run in runs}
    for (recipe, data), alike in itertools.groupby(
        runs, lambda run: (run.recipe, f"{run.data}: {run.score.title}")
    ):
        table.add_section()
        table.add_row(Text(recipe, style="bold"), *[""] * 4, Text(data))
        for run in alike:
            metric = run.score.metric
            best, test = run.summary["best"] or {}, run.summary["test"] or {}
            table.add_row(
                Text(run.path.name),
                run.state,
                format_score(best.get(f"val_{metric}")),
                format_score(test.get("best", {}).get(f"test_{metric}")),
                f"{sizes[run.path] / 1e6:.1f}",
                Text(_format_flags(run)),
            )
    print_table(make_console(), table)
    print(f"{count_runs(len(runs))}, {sum(sizes.values()) / 1e6:,.1f} MB")


def confirm(runs: Sequence[Run]) -> bool:
    """Ask on the terminal whether to remove these runs; only y and yes confirm.

    Raises:
        UserError: If there is no terminal.
    """
    if not sys.stdin.isatty():
        raise UserError(
            f"--remove: {count_runs(len(runs))} would be removed, but there is no "
            "terminal for the question. Add --yes."
        )
    try:
        answer = input(f"Remove {count_runs(len(runs))} for good? [y/N] ")
    except EOFError:
        return False
    return answer.strip().lower() in ("y", "yes")


def count_runs(count: int) -> str:
    """Return `1 run` or `3 runs`."""
    return f"{count} run" if count == 1 else f"{count} runs"


def _find(name: str | None, root: Path) -> Found:
    if name is None:
        return scan_runs(root)
    if is_run_folder(Path(name)):
        return Found([read_run(Path(name))], {})
    return find_named(name, root)


def _key(name: str) -> str:
    return name.strip().lstrip("-").replace("-", "_")


def _has(run: Run, name: str, wanted: str) -> bool:
    """Return whether a setting has this value; 0.20 equals 0.2, `none` equals None."""
    settings = run.config["settings"]
    if _key(name) not in settings:
        return False
    value: Any = settings[_key(name)]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            return float(wanted) == value
        except ValueError:
            return False
    return str(value).lower() == wanted.strip().lower()


def _format_flags(run: Run) -> str:
    changed = run.config.get("changed", {})
    return " ".join(
        format_value(name, value)
        for name, value in changed.items()
        if name not in run.list_names(*SHOWN_ELSEWHERE)
    )


if __name__ == "__main__":
    main()
