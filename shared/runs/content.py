"""What the files of one run folder contain, read, checked and in the form of today.

The content follows from the files alone. Whether a process still trains the run is not
part of it: `shared.runs.reader` asks the lock each time.
"""

from __future__ import annotations

import math
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shared.core.text import escape_controls
from shared.runs import legacy, schema
from shared.runs.decode import (
    DamagedError,
    name_file,
    parse_json,
    read_json,
    read_member,
    read_table,
)
from shared.runs.epoch_seconds import median_seconds

CONFIG, SUMMARY, HISTORY = "config.json", "summary.json", "history.csv"
KERNELS = "kernels.json"
MODEL = "best.keras"
MODEL_FACTS = "rnn-recipes.json"  # inside best.keras: what the model was trained on
READ = (CONFIG, SUMMARY, HISTORY, KERNELS, MODEL)
"""The files that `read_content` may read."""


@dataclass(frozen=True)
class Content:
    """Content of a run folder.

    Attributes:
        config: Of `config.json`.
        summary: Of `summary.json`. If it says `unfinished`, the entries that follow
            from the history are those of the history.
        history: Column name -> one float per epoch; empty before the first.
        kernels: Of `kernels.json`; empty without a usable file.
        problems: Name of an optional file -> why it cannot be used.
    """

    config: dict[str, Any]
    summary: dict[str, Any]
    history: dict[str, list[float]]
    kernels: dict[str, Any]
    problems: dict[str, str] = field(default_factory=dict)


def read_content(path: Path) -> Content:
    """Read and check a run folder.

    Raises:
        DamagedError: With the reason.
    """
    if path.name != escape_controls(path.name):
        raise DamagedError("its name holds control characters or is not UTF-8")
    config = read_json(path / CONFIG)
    summary = read_json(path / SUMMARY)
    history = _read_history(path / HISTORY)
    if "roles" not in config and "task" not in summary:
        with name_file("config.json and summary.json"):
            config, summary = legacy.upgrade(config, summary)
    with name_file(CONFIG):
        schema.check_config(config)
    with name_file(SUMMARY):
        if summary.get("state") == "unfinished":  # the history may be ahead of it
            summary |= _summarise(history, read_model_epoch(path))
        schema.check_summary(summary)
    with name_file("config, summary and history"):
        schema.check_together(config, summary, history)
    try:
        return Content(config, summary, history, read_kernels_file(path))
    except DamagedError as error:
        return Content(config, summary, history, {}, {KERNELS: str(error)})


def read_stamp(path: Path, names: tuple[str, ...] = READ) -> tuple[str, int]:
    """Return what changes whenever some files of a folder change.

    Args:
        path: A run folder.
        names: Its files.

    Returns:
        The stamp and the time of the last change, in nanoseconds since 1970. The stamp
        is empty if a file is a link or cannot be seen: it may change behind that.
    """
    facts, newest = [], 0
    for name in names:
        try:
            found = os.lstat(f"{path}/{name}")
        except FileNotFoundError:
            facts.append("-")
            continue
        except (OSError, ValueError):
            return "", 0
        if not stat.S_ISREG(found.st_mode):
            return "", 0
        changed = found.st_ctime_ns
        facts.append(f"{found.st_ino} {found.st_size} {found.st_mtime_ns} {changed}")
        newest = max(newest, found.st_mtime_ns, changed)
    return "/".join(facts), newest


def read_model_epoch(path: Path) -> int | None:
    """Return the epoch of the model in a run folder; None if that is not known."""
    try:
        with name_file(MODEL):
            facts = parse_json(read_member(path / MODEL, MODEL_FACTS))
            schema.check_model_facts(facts)
            return facts["epoch"]
    except DamagedError:
        return None


def read_kernels_file(path: Path) -> dict[str, Any]:
    """Return the content of `kernels.json`; empty without the file.

    Raises:
        DamagedError: If the file cannot be used.
    """
    if not os.path.lexists(path / KERNELS):
        return {}
    record = read_json(path / KERNELS)
    with name_file(KERNELS):
        record = legacy.upgrade_kernels(record)
        schema.check_kernels(record)
    return record


def format_content(epochs: int, model_epoch: int | None) -> str:
    """Return what a run folder holds: `epochs 1 to 3, the model of epoch 2`."""
    holds = f"epochs 1 to {epochs}" if epochs else "no epoch"
    return (
        holds if model_epoch is None else f"{holds}, the model of epoch {model_epoch}"
    )


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
        facts["seconds_per_epoch"] = median_seconds(history["seconds"])
    return facts


def _read_history(path: Path) -> dict[str, list[float]]:
    if not os.path.lexists(path):
        return {}
    columns = read_table(path)
    with name_file(path.name):
        return schema.check_history(columns)
