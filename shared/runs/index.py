"""What was read from run folders before, so that only changed folders are read again.

The index lies in the cache folder, one file per folder of runs. An entry counts only
while the files of its run have the inode, the size and the times of change that they
had before they were read. So an entry is never stale, and nobody has to renew it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec

from shared.core.store import Store, identify_code, make_key
from shared.runs.content import Content, read_content, read_stamp

SETTLED = 3_000_000_000
"""Nanoseconds. Some file systems count time in steps of two seconds. A file that
changed within its last step could change again and keep its times."""
ROOMS = ("core", "tasks", "runs")
"""The code that decides what is read from a run folder."""


class _Entry(msgspec.Struct, array_like=True):
    stamp: str
    content: Content


class RunIndex:
    """The run folders of one recipe, read or remembered."""

    def __init__(self, parent: Path) -> None:
        """Open the index of a folder.

        Args:
            parent: Folder of all runs of a recipe.
        """
        name = make_key(os.fsencode(os.path.realpath(parent)).hex())[:32]
        self._store = Store(f"runs-{name}", identify_code(*ROOMS))

    def read(self, folder: Path) -> tuple[Content, str]:
        """Return the content of a run folder and the stamp of its files.

        The stamp is empty if the content may change and keep it.

        Raises:
            DamagedError: If it cannot be read, with the reason.
        """
        entry = self._store.get(folder.name, _Entry)
        if entry is not None and not has_changed(folder, entry.stamp):
            return entry.content, entry.stamp
        content, stamp = read_anew(folder)
        if stamp:
            self._store.put(folder.name, _Entry(stamp, content))
        return content, stamp

    def close(self, folders: Iterable[Path]) -> None:
        """Write the index if something has changed.

        Args:
            folders: All run folders that are left.
        """
        self._store.keep_only(folder.name for folder in folders)
        self._store.save()


def read_anew(folder: Path) -> tuple[Content, str]:
    """Return the content of a run folder and the stamp of its files, without an index.

    Raises:
        DamagedError: If it cannot be read, with the reason.
    """
    now = time.time_ns()
    stamp, newest = read_stamp(folder)
    content = read_content(folder)
    return content, stamp if is_settled(newest, now) else ""


def is_settled(newest: int, now: int) -> bool:
    """Return whether a file that changes after `now` must get another time of change.

    Args:
        newest: When it changed last, in nanoseconds since 1970.
        now: A time before its stamp was read.
    """
    return newest < now - SETTLED


def has_changed(folder: Path, stamp: str) -> bool:
    """Return whether a run folder may have changed since it had a stamp."""
    return not stamp or read_stamp(folder)[0] != stamp
