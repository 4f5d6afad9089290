"""Saved runs, read from their folders (`shared.runs.writer` lists the files)."""

from __future__ import annotations

import math
import os
import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from shared.core.environment import PROJECT
from shared.core.errors import UserError
from shared.core.roles import Role
from shared.core.text import escape_controls, shorten
from shared.runs import legacy, schema
from shared.runs.decode import (
    DamagedError,
    name_file,
    parse_json,
    read_arrays,
    read_json,
    read_member,
    read_table,
)
from shared.tasks.kinds import read_task
from shared.tasks.score import Score
from shared.tasks.task import Task

RUNS = PROJECT / "results" / "runs"
LOCK = ".lock"  # held by the process that trains
KERNELS = "kernels.json"
PREDICTIONS = "predictions.npz"
MODEL = "best.keras"
MODEL_FACTS = "rnn-recipes.json"  # inside best.keras: what the model was trained on
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
    """

    path: Path
    config: dict[str, Any]
    summary: dict[str, Any]
    history: dict[str, list[float]]
    state: str
    problems: dict[str, str] = field(default_factory=dict, compare=False)

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

    @property
    def task(self) -> Task:
        """The task, which knows how to score, compare and show the run."""
        return read_task(self.summary["task"])

    @property
    def score(self) -> Score:
        """The score that picked the epoch and ranks the run."""
        return Score.from_json(self.summary["task"]["score"])

    def list_names(self, *roles: Role) -> set[str]:
        """Return the names of all flags with one of some roles."""
        return {k for k, role in self.config["roles"].items() if role in roles}

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


def read_model_epoch(path: Path) -> int | None:
    """Return the epoch of the model in a run folder; None if that is not known."""
    try:
        with name_file(MODEL):
            return _read_model_facts(path / MODEL)["epoch"]
    except DamagedError:
        return None


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
        return _read_kernels(path)
    except DamagedError:
        return {}


def format_kernels(path: Path) -> str:
    """Return which kernels a run's recurrent layers ran on; empty if not known."""
    ran = read_kernels(path).get("ran") or []
    texts = []
    for layer in ran:
        text = layer["path"] + (" under XLA" if layer["xla"] else "")
        if layer["implementation"] is not None:
            text += f", implementation {layer['implementation']}"
        texts.append(text)
    return "; ".join(dict.fromkeys(texts))


def format_content(epochs: int, model_epoch: int | None) -> str:
    """Return what a run folder holds: `epochs 1 to 3, the model of epoch 2`."""
    holds = f"epochs 1 to {epochs}" if epochs else "no epoch"
    return (
        holds if model_epoch is None else f"{holds}, the model of epoch {model_epoch}"
    )


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
        for folder in _list_folders(parent):
            if not is_run_folder(folder):
                continue
            try:
                found.runs.append(_read_folder(folder))
            except DamagedError as error:
                if is_run_folder(folder):  # else it was removed meanwhile
                    found.unreadable[folder] = str(error)
    return found


def is_run_folder(path: Path) -> bool:
    """Return whether a folder holds a file of a run, be it damaged."""
    names = ("config.json", "summary.json", "history.csv")
    return any(os.path.lexists(path / name) for name in names)


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
        return sorted(
            entry
            for entry in path.iterdir()
            if not entry.name.startswith(".") and entry.is_dir()
        )
    except OSError:
        return []


def _read_folder(path: Path) -> Run:
    """Read and check a run folder.

    Raises:
        DamagedError: With the reason.
    """
    if path.name != escape_controls(path.name):
        raise DamagedError("its name holds control characters or is not UTF-8")
    config = read_json(path / "config.json")
    summary = read_json(path / "summary.json")
    state = summary.get("state")
    if state == "unfinished":
        state = "running" if is_locked(path) else "interrupted"
    if state == "interrupted":  # it may have ended since the first read
        summary = read_json(path / "summary.json")
        ended = summary.get("state")
        state = state if ended == "unfinished" else ended
    history = _read_history(path / "history.csv")
    if "roles" not in config and "task" not in summary:
        with name_file("config.json and summary.json"):
            config, summary = legacy.upgrade(config, summary)
    with name_file("config.json"):
        schema.check_config(config)
    with name_file("summary.json"):
        if state != summary.get("state"):  # the process died before it wrote this
            summary |= _summarise(history, read_model_epoch(path))
        schema.check_summary(summary)
    with name_file("config, summary and history"):
        schema.check_together(config, summary, history)
    run = Run(path, config, summary, history, state)
    try:
        _read_kernels(path)
    except DamagedError as error:
        run.problems[KERNELS] = str(error)
    return run


def _summarise(
    history: dict[str, list[float]], model_epoch: int | None
) -> dict[str, Any]:
    """Return the entries of the summary that follow from the history."""
    epochs = len(history.get("epoch", []))
    facts = {"epochs": epochs, "holds": format_content(epochs, model_epoch)}
    if epochs:
        row = {name: column[-1] for name, column in history.items()}
        last = {k: v if math.isfinite(v) else None for k, v in row.items()}
        facts["last"] = last | {"epoch": epochs}
        facts["seconds_per_epoch"] = statistics.median(history["seconds"])
    return facts


def _read_history(path: Path) -> dict[str, list[float]]:
    if not os.path.lexists(path):
        return {}
    columns = read_table(path)
    with name_file(path.name):
        return schema.check_history(columns)


def _read_kernels(path: Path) -> dict[str, Any]:
    if not os.path.lexists(path / KERNELS):
        return {}
    record = read_json(path / KERNELS)
    with name_file(KERNELS):
        record = legacy.upgrade_kernels(record)
        schema.check_kernels(record)
    return record


def _read_model_facts(path: Path) -> dict[str, Any]:
    """Return the note inside `best.keras`."""
    facts = parse_json(read_member(path, MODEL_FACTS))
    schema.check_model_facts(facts)
    return facts
