"""Saved runs, read from their folders (`shared.run_folder` says what those hold)."""

from __future__ import annotations

import csv
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from shared.environment import PROJECT

RUNS = PROJECT / "results" / "runs"
LOCK = ".lock"  # held by the process that trains
KERNELS = "kernels.json"
PREDICTIONS = "predictions.npz"
MODEL_FACTS = "rnn-recipes.json"  # inside best.keras: what the model was trained on


@dataclass(frozen=True)
class Run:
    """A run as read from its folder.

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
        """Name of the data set; different names are never mixed."""
        return self.summary["data"]

    @property
    def data_hash(self) -> str:
        """SHA-256 of the data file; empty for generated data."""
        return self.config.get("data_facts", {}).get("sha256", "")

    @property
    def seed(self) -> int:
        """Seed of the run."""
        return self.summary["seed"]


def read_run(path: Path) -> Run:
    """Read a run folder.

    Raises:
        ValueError: If it is no run folder, or one that was damaged later.
    """
    try:
        config = _read_json(path / "config.json")
        summary = _read_json(path / "summary.json")
        state = summary["state"]
        if state == "unfinished":
            state = "running" if _is_locked(path / LOCK) else "interrupted"
        if state == "interrupted":  # unless it ended between the last two looks
            summary = _read_json(path / "summary.json")
            state = state if summary["state"] == "unfinished" else summary["state"]
        history = _read_history(path / "history.csv")
        if state != summary["state"]:  # it could not say itself what it holds
            epochs = len(history.get("epoch", []))
            summary["epochs"] = epochs
            summary["holds"] = spell_content(epochs, read_model_epoch(path))
        if not {"recipe", "data", "seed", "settings"} <= config.keys() | summary.keys():
            raise ValueError("it lacks recipe, data or settings")
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


def read_predictions(path: Path) -> dict[str, np.ndarray] | None:
    """Return what `predictions.npz` of a run folder holds; None if there is none.

    Returns:
        `targets`, `predictions`, for a series `times`, and the test predictions of
        the bars by name with `bar ` in front; the first axis counts test examples.
        `dependence`, a number, says how many neighbours may depend on each other.
    """
    try:
        with np.load(path / PREDICTIONS, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except (OSError, ValueError, zipfile.BadZipFile):
        return None
    for k, name in enumerate(arrays.pop("bars").tolist()):
        arrays[f"bar {name}"] = arrays.pop(f"bar_{k}")
    return arrays


def read_kernels(path: Path) -> dict[str, Any]:
    """Return what `kernels.json` of a run folder holds; empty if there is none."""
    try:
        return _read_json(path / KERNELS)
    except (OSError, ValueError):
        return {}


def spell_kernels(path: Path) -> str:
    """Say what a run's recurrent layers ran on; empty where that is not known."""
    ran = read_kernels(path).get("ran") or []
    told = []
    for layer in ran:
        words = layer["path"] + (" under XLA" if layer["xla"] else "")
        if layer["implementation"] is not None:
            words += f", implementation {layer['implementation']}"
        told.append(words)
    return "; ".join(dict.fromkeys(told))


def spell_content(epochs: int, model_epoch: int | None) -> str:
    """Say what a run folder holds: `epochs 1 to 3, the model of epoch 2`."""
    holds = f"epochs 1 to {epochs}" if epochs else "no epoch"
    return (
        holds if model_epoch is None else f"{holds}, the model of epoch {model_epoch}"
    )


def find_runs(root: Path = RUNS, recipe: str | None = None) -> list[Run]:
    """Return every readable run below a root, oldest first.

    Args:
        root: Folder of all runs.
        recipe: Only this one; None means all.
    """
    pattern = f"{recipe or '*'}/*/summary.json"
    runs = []
    for summary in sorted(root.glob(pattern)):
        if summary.parent.name.startswith("."):
            continue  # just being opened
        try:
            runs.append(read_run(summary.parent))
        except ValueError:
            continue  # a folder being made or taken away just now
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
    """Return whether a live process holds the lock; never makes the file."""
    if not path.is_file():
        return False
    try:
        with FileLock(path, timeout=0):
            return False
    except Timeout:
        return True
    except OSError:
        return False
