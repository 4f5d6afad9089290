"""Saved runs, read from their folders (`shared.runs.writer` lists the files)."""

from __future__ import annotations

import contextlib
import gc
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from shared.core.environment import PROJECT
from shared.core.errors import UserError
from shared.core.roles import Role
from shared.core.text import escape_controls, shorten
from shared.runs import legacy, schema
from shared.runs.content import (
    CONFIG,
    HISTORY,
    SUMMARY,
    read_content,
    read_kernels_file,
)
from shared.runs.content import KERNELS as KERNELS  # for those who import it from here
from shared.runs.content import MODEL as MODEL
from shared.runs.content import MODEL_FACTS as MODEL_FACTS
from shared.runs.content import format_content as format_content
from shared.runs.content import read_model_epoch as read_model_epoch
from shared.runs.decode import DamagedError, name_file, read_arrays
from shared.runs.index import RunIndex, has_changed, read_anew
from shared.tasks.kinds import read_task
from shared.tasks.score import Score
from shared.tasks.task import Task

if TYPE_CHECKING:
    import numpy as np

RUNS = PROJECT / "results" / "runs"
LOCK = ".lock"  # held by the process that trains
PREDICTIONS = "predictions.npz"
MODEL_TEXTS = "texts.json"  # inside best.keras: how a text becomes its input
MOST_NAMED = 10  # damaged folders or files, before the rest is counted


@dataclass(frozen=True)
class Run:
    """A run that was read from its folder.

    Attributes:
        path: The folder.
        config: Content of `config.json`.
        summary: Content of `summary.json`.
        history: Column name -> one float per epoch; empty before the first.
        state: `finished`, `running`, `interrupted` or `failed`.
        problems: Name of an optional file -> why it cannot be used. Files that are
            read later, such as the predictions, are added then.
        kernels: Content of `kernels.json`; empty without a usable file.
        stamp: Changes whenever the files do; empty if that is not sure.
    """

    path: Path
    config: dict[str, Any]
    summary: dict[str, Any]
    history: dict[str, list[float]]
    state: str
    problems: dict[str, str] = field(default_factory=dict, compare=False)
    kernels: dict[str, Any] = field(default_factory=dict, compare=False)
    stamp: str = field(default="", compare=False)

    @property
    def recipe(self) -> str:
        """Name of the recipe, with dashes."""
        return self.summary["recipe"]

    @property
    def data(self) -> str:
        """Name of the data set; runs with different names are never compared."""
        return self.summary["data"]

    @property
    def data_hash(self) -> str:
        """SHA-256 of the data file; empty for generated data."""
        return self.config.get("data_facts", {}).get("sha256", "")

    @property
    def settings(self) -> dict[str, Any]:
        """Every flag by name."""
        return self.config["settings"]

    @cached_property
    def task(self) -> Task:
        """The task, which knows how to score, compare and show the run."""
        return read_task(self.summary["task"])

    @cached_property
    def score(self) -> Score:
        """The score that picked the epoch and ranks the run."""
        return Score.from_json(self.summary["task"]["score"])

    @cached_property
    def flags(self) -> tuple[tuple[str, str], ...]:
        """Every flag with its value as text, by name."""
        return tuple(sorted((k, str(value)) for k, value in self.settings.items()))

    def list_names(self, *roles: Role) -> set[str]:
        """Return the names of all flags with one of some roles."""
        return set().union(*(self._names.get(role, ()) for role in roles))

    @cached_property
    def _names(self) -> dict[str, list[str]]:
        """Role -> names of its flags."""
        names: dict[str, list[str]] = {}
        for name, role in self.config["roles"].items():
            names.setdefault(role, []).append(name)
        return names

    @cached_property
    def ran(self) -> str:
        """Which kernels the recurrent layers ran on; empty if not known."""
        return _format_ran(self.kernels.get("ran") or [])

    @cached_property
    def place(self) -> Path:
        """The folder itself, also if it was reached through links."""
        return self.path.resolve()

    @property
    def seed(self) -> int:
        """Seed of the run."""
        return self.summary["seed"]


@dataclass(frozen=True)
class Found:
    """What a folder of runs holds.

    Attributes:
        runs: The runs that can be read, oldest first.
        unreadable: Run folder -> why it cannot be read.
    """

    runs: list[Run]
    unreadable: dict[Path, str]

    def describe(self) -> list[str]:
        """Return a line for each folder that cannot be read, at most `MOST_NAMED`."""
        return _cut(
            [
                f"Cannot be read: {shorten(str(path))} ({reason}). Repair or delete it."
                for path, reason in self.unreadable.items()
            ]
        )


def read_run(path: Path) -> Run:
    """Read a run folder.

    Raises:
        UserError: If it is not a run folder, or a damaged one.
    """
    try:
        return _read_folder(path)
    except DamagedError as error:
        raise UserError(
            f"{shorten(str(path))}: not a run folder that can be read ({error}). "
            "Repair or delete it, or name another folder."
        ) from None


def read_predictions(run: Run) -> dict[str, np.ndarray] | None:
    """Return the content of `predictions.npz`; None without a usable file.

    The reason why a file is not usable is then in `run.problems`.

    Returns:
        `targets`, `predictions`, for a series `times`, and `baseline <name>`: the test
        predictions of each baseline. The first axis counts test examples. The number
        `dependence` says how many neighbouring examples may depend on each other.
    """
    path = run.path / PREDICTIONS
    if not os.path.lexists(path):
        return None
    try:
        arrays = read_arrays(path)
        with name_file(PREDICTIONS):
            arrays = legacy.upgrade_predictions(arrays, run.config)
            examples = run.config["data_facts"].get("examples", {})
            schema.check_predictions(arrays, run.task, examples)
    except DamagedError as error:
        run.problems[PREDICTIONS] = str(error)
        return None
    for k, name in enumerate(arrays.pop("baselines").tolist()):
        arrays[f"baseline {escape_controls(name)}"] = arrays.pop(f"baseline_{k}")
    return arrays


def describe_problems(runs: Iterable[Run]) -> list[str]:
    """Return a line for each optional file that could not be used so far."""
    return _cut(
        [
            f"Not used: {shorten(str(run.path))}, {reason}."
            for run in runs
            for reason in run.problems.values()
        ]
    )


def read_kernels(path: Path) -> dict[str, Any]:
    """Return the content of `kernels.json`; empty without a usable file."""
    try:
        return read_kernels_file(path)
    except DamagedError:
        return {}


def format_kernels(path: Path) -> str:
    """Return which kernels a run's recurrent layers ran on; empty if not known."""
    return _format_ran(read_kernels(path).get("ran") or [])


def _format_ran(layers: list[dict[str, Any]]) -> str:
    texts = []
    for layer in layers:
        text = layer["path"] + (" under XLA" if layer["xla"] else "")
        if layer["implementation"] is not None:
            text += f", implementation {layer['implementation']}"
        texts.append(text)
    return "; ".join(dict.fromkeys(texts))


def find_runs(root: Path = RUNS, recipe: str | None = None) -> list[Run]:
    """Return every readable run in a folder, oldest first.

    Args:
        root: Folder of all runs.
        recipe: Only this one; None means all.
    """
    return scan_runs(root, recipe).runs


def scan_runs(root: Path = RUNS, recipe: str | None = None) -> Found:
    """Read every run folder. One that cannot be read does not keep others from it.

    Args:
        root: Folder of all runs.
        recipe: Only this one; None means all.

    Returns:
        The runs, oldest first, and the folders that cannot be read.
    """
    found = Found([], {})
    for parent in [root / recipe] if recipe else _list_folders(root):
        with _without_collection():
            _scan_folder(parent, found)
    return found


def _scan_folder(parent: Path, found: Found) -> None:
    """Add the runs of a recipe to what was found."""
    index = RunIndex(parent)
    folders = _list_folders(parent)
    for folder in folders:
        if not is_run_folder(folder):
            continue
        try:
            found.runs.append(_read_folder(folder, index))
        except DamagedError as error:
            if is_run_folder(folder):  # else it was removed meanwhile
                found.unreadable[folder] = str(error)
    index.close(folders)


@contextlib.contextmanager
def _without_collection() -> Iterator[None]:
    """Search for no garbage meanwhile: thousands of runs that stay hold none."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def is_run_folder(path: Path) -> bool:
    """Return whether a folder holds a file of a run, be it damaged."""
    return any(os.path.lexists(f"{path}/{k}") for k in (CONFIG, SUMMARY, HISTORY))


def is_locked(path: Path) -> bool:
    """Return whether a live process holds a folder's lock; never makes the file."""
    lock = path / LOCK
    if lock.is_symlink() or not lock.is_file():
        return False
    try:
        with FileLock(lock, timeout=0):
            return False
    except Timeout:
        return True
    except OSError:
        return False


def _cut(lines: list[str]) -> list[str]:
    more = len(lines) - MOST_NAMED
    return lines if more <= 0 else [*lines[:MOST_NAMED], f"... and {more} more."]


def _list_folders(path: Path) -> list[Path]:
    """Return the folders in a folder by name; hidden ones are made or removed now."""
    try:
        with os.scandir(path) as entries:
            names = [e.name for e in entries if e.name[0] != "." and e.is_dir()]
    except OSError:
        return []
    return [path / name for name in sorted(names, key=os.path.normcase)]


def _read_folder(path: Path, index: RunIndex | None = None) -> Run:
    """Read and check a run folder.

    Raises:
        DamagedError: With the reason.
    """
    content, stamp = index.read(path) if index else read_anew(path)
    state = content.summary["state"]
    if state == "unfinished":
        state = "running" if is_locked(path) else "interrupted"
    if state == "interrupted" and has_changed(path, stamp):
        # It may have ended since it was read.
        content = read_content(path)
        ended = content.summary["state"]
        state = state if ended == "unfinished" else ended
    return Run(
        path,
        content.config,
        content.summary,
        content.history,
        state,
        dict(content.problems),
        content.kernels,
        stamp,
    )
