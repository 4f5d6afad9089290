"""Removal of run folders, and of what killed processes have left.

Nothing that a live process uses is touched: its lock says so. Nothing behind a symbolic
link is touched either.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from shared.core.text import shorten
from shared.runs.reader import LOCK, Run, is_locked

OPENING = ".opening-"  # hides a folder until it is complete
REMOVING = ".removing-"  # hides a folder from all readers during its removal
PART = ".part-"  # hides a file until it is complete
OLD = 3600.0  # seconds after which a hidden file cannot belong to a write of today


def remove_runs(runs: Iterable[Run]) -> tuple[int, list[str]]:
    """Remove run folders. Each one is hidden in one step before its files are removed.

    So a stop leaves complete runs and at most one hidden folder. The next removal
    deletes that folder too. The lock of each run is held meanwhile.

    Returns:
        How many were removed, and a line for each that stays.
    """
    removed, kept = 0, []
    for run in runs:
        if is_linked(run.path):
            kept.append(
                f"Not removed: {shorten(str(run.path))} is reached through a symbolic "
                "link. Name the folder behind it, or remove the link yourself."
            )
            continue
        remove_leftovers(run.path.parent)
        with hold_lock(run.path) as free:
            if not free:
                kept.append(f"Not removed: {shorten(str(run.path))} is still in use.")
                continue
            hidden = run.path.with_name(f"{REMOVING}{run.path.name}")
            run.path.rename(hidden)
            _remove_folder(hidden)
        removed += 1
    return removed, kept


def remove_leftovers(parent: Path) -> None:
    """Remove the hidden folders and files that killed processes have left.

    A folder that was being opened, or a half file, must be an hour old and its lock
    free. A folder that was being removed only needs a free lock.

    Args:
        parent: Folder of all runs of a recipe.
    """
    if parent.is_symlink():
        return
    for prefix, age in ((OPENING, OLD), (REMOVING, 0.0)):
        for folder in parent.glob(f"{prefix}*"):
            if folder.is_dir() and not folder.is_symlink() and _is_older(folder, age):
                with hold_lock(folder) as free:
                    if free:
                        _remove_folder(folder)
    for part in parent.glob(f"*/{PART}*"):
        folder = part.parent
        if not folder.is_symlink() and _is_older(part, OLD) and not is_locked(folder):
            with contextlib.suppress(OSError):
                part.unlink()


def is_linked(path: Path) -> bool:
    """Return whether a run folder or its recipe folder is a symbolic link."""
    path = path.absolute()
    real = path.parent.parent.resolve() / path.parent.name / path.name
    return path.resolve() != real


@contextlib.contextmanager
def hold_lock(folder: Path) -> Iterator[bool]:
    """Hold the lock of a folder. Yields False if a live process holds it."""
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        yield False
        return
    except OSError:
        pass  # without locks here, nobody else holds one either
    try:
        yield True
    finally:
        lock.release()


def _remove_folder(folder: Path) -> None:
    with contextlib.suppress(FileNotFoundError):  # another removal was faster
        shutil.rmtree(folder)


def _is_older(path: Path, seconds: float) -> bool:
    try:
        return time.time() - path.lstat().st_mtime >= seconds
    except OSError:
        return False
