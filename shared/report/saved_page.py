"""The page of the last call, for as long as nothing that it shows has changed.

What a page shows follows from the files of the run folders, from which runs still
train, and from the code. None of it has to be read to see that it is as before.
"""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from shared.core.environment import PROJECT
from shared.core.store import Store, identify_code, make_key
from shared.report.matrix import VerdictCache
from shared.runs.index import is_settled
from shared.runs.reader import LOCK, is_locked

ROOMS = ("core", "tasks", "runs", "plots", "compare", "report")
PACKAGES = ("bokeh", "jinja2", "matplotlib", "numpy", "pandas", "pillow", "scipy")
OTHERS = (PROJECT / "recipes", PROJECT / ".git" / "objects" / "pack")
"""The recipes, and the commits that git can compare."""
MADE = re.compile(r"made \d{4}-\d\d-\d\d \d\d:\d\d UTC")


def read_page(
    folders: Mapping[str, Path], reference: Path | None, sweeps: Path | None = None
) -> str:
    """Return the page of all runs. It is built only if something has changed.

    Args:
        folders: Source (`own` or `reference`) -> folder of all its runs.
        reference: Folder of the published verdicts; None shows no verdicts.
        sweeps: Folder of all sweeps; None shows none.

    Raises:
        UserError: If there is no run with an epoch.
    """
    state = identify(folders, sweeps)
    places = [*map(str, folders.values()), str(reference), str(sweeps)]
    name = make_key([os.fsencode(place).hex() for place in places])
    versions = " ".join(metadata.version(package) for package in PACKAGES)
    store = Store(f"page-{name[:32]}", f"{identify_code(*ROOMS)} {versions}", most=1)
    page = store.get(state, str) if state else None
    if page is not None:
        now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
        return MADE.sub(f"made {now}", page, count=1)
    from shared.report.render import build_page  # imports Bokeh and matplotlib

    verdicts = VerdictCache(reference) if reference else None
    page = build_page(folders, verdicts, sweeps_folder=sweeps)
    if state:
        store.put(state, page)
        store.save()
    return page


def identify(folders: Mapping[str, Path], sweeps: Path | None = None) -> str:
    """Return a text that changes with all that a page shows; empty if that is not sure.

    Args:
        folders: As in `read_page`.
        sweeps: As in `read_page`.
    """
    now = time.time_ns()
    facts: list[str] = []
    for folder in (*folders.values(), *OTHERS, *([sweeps] if sweeps else ())):
        facts.append(os.fsencode(folder.absolute()).hex())
        for text, newest in _list_facts(str(folder), depth=2):
            if not text or not is_settled(newest, now):
                return ""
            facts.append(text)
    return make_key(facts)


def _list_facts(folder: str, depth: int) -> Iterator[tuple[str, int]]:
    """Yield a text and the time of the last change for all files of a folder.

    The text is empty if a file may change behind it.

    Args:
        folder: A folder.
        depth: How many folders below it are looked into.
    """
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        yield f"{error.errno}", 0
        return
    for entry in entries:
        name = os.fsencode(entry.name).hex()
        try:
            facts = entry.stat(follow_symlinks=False)
            is_folder = entry.is_dir()
        except OSError:  # removed meanwhile
            yield "", 0
            return
        if is_folder:
            yield name, 0
            if depth:
                yield from _list_facts(entry.path, depth - 1)
            continue
        if entry.name == LOCK:
            yield f"{name} {is_locked(Path(folder))}", 0
            continue
        if not stat.S_ISREG(facts.st_mode):
            yield "", 0
            return
        times = facts.st_mtime_ns, facts.st_ctime_ns
        yield f"{name} {entry.inode()} {facts.st_size} {times}", max(times)
