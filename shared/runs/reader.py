"""Saved runs, read from their folders (`shared.runs.writer` lists the files)."""

from __future__ import annotations

import csv
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from shared.core.environment import PROJECT
from shared.core.roles import Role
from shared.runs import legacy
from shared.tasks.score import Score
from shared.tasks.task import Task, read_task

RUNS = PROJECT / "results" / "runs"
LOCK = ".lock"  # held by the process that trains
KERNELS = "kernels.json"
PREDICTIONS = "predictions.npz"
MODEL_FACTS = "rnn-recipes.json"  # inside best.keras: what the model was trained on


@dataclass(frozen=True)
class Run:
    """A run that was read from its folder.

    Attributes:
        path: The folder.
        config: Content of `config.json`.
        summary: Content of `summary.json`.
        history: Column name -> one float per epoch; empty before the first.
        state: `finished`, `running`, `interrupted` or `failed`.
    """

    path: Path
    config: dict[str, Any]
    summary: dict[str, Any]
    history: dict[str, list[float]]
    state: str

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


def read_run(path: Path) -> Run:
    """Read a run folder.

    Raises:
        ValueError: If it is not a run folder, or a damaged one.
    """
    try:
        config = _read_json(path / "config.json")
        summary = _read_json(path / "summary.json")
        state = summary["state"]
        if state == "unfinished":
            state = "running" if _is_locked(path / LOCK) else "interrupted"
        if state == "interrupted":  # it may have ended since the first read
            summary = _read_json(path / "summary.json")
            state = state if summary["state"] == "unfinished" else summary["state"]
        history = _read_history(path / "history.csv")
        if state != summary["state"]:  # the process died before it wrote this
            epochs = len(history.get("epoch", []))
            summary["epochs"] = epochs
            summary["holds"] = format_content(epochs, read_model_epoch(path))
        if not {"recipe", "data", "seed", "settings"} <= config.keys() | summary.keys():
            raise ValueError("recipe, data, seed or settings are missing")
        config = legacy.upgrade_config(config)
        summary = legacy.upgrade_summary(summary, config)
        read_task(summary["task"])
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise ValueError(f"{path}: not a run folder ({error})") from None
    return Run(path, config, summary, history, state)


def read_model_epoch(path: Path) -> int | None:
    """Return the epoch of the model in a run folder; None if there is no model."""
    try:
        with zipfile.ZipFile(path / "best.keras") as archive:
            return json.loads(archive.read(MODEL_FACTS)).get("epoch")
    except (OSError, KeyError, ValueError, zipfile.BadZipFile):
        return None


def read_predictions(run: Run) -> dict[str, np.ndarray] | None:
    """Return the content of `predictions.npz`; None without a readable file.

    Returns:
        `targets`, `predictions`, for a series `times`, and `baseline <name>`: the test
        predictions of each baseline. The first axis counts test examples. The number
        `dependence` says how many neighbouring examples may depend on each other.
    """
    try:
        with np.load(run.path / PREDICTIONS, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except (OSError, ValueError, zipfile.BadZipFile):
        return None
    arrays = legacy.upgrade_predictions(arrays, run.config)
    for k, name in enumerate(arrays.pop("baselines").tolist()):
        arrays[f"baseline {name}"] = arrays.pop(f"baseline_{k}")
    return arrays


def read_kernels(path: Path) -> dict[str, Any]:
    """Return the content of `kernels.json`; empty without a readable file."""
    try:
        return legacy.upgrade_kernels(_read_json(path / KERNELS))
    except (OSError, ValueError):
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
    pattern = f"{recipe or '*'}/*/summary.json"
    runs = []
    for summary in sorted(root.glob(pattern)):
        if summary.parent.name.startswith("."):
            continue  # just being made or removed
        try:
            runs.append(read_run(summary.parent))
        except ValueError:
            continue  # no run folder, or one that just changes
    return runs


def _read_json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def _read_history(path: Path) -> dict[str, list[float]]:
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    names = [name for name in (rows[0] if rows else {}) if name != "data"]
    return {name: [float(row[name]) for row in rows] for name in names}


def _is_locked(path: Path) -> bool:
    """Return whether a live process holds the lock; never creates the file."""
    if not path.is_file():
        return False
    try:
        with FileLock(path, timeout=0):
            return False
    except Timeout:
        return True
    except OSError:
        return False
