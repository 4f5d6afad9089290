"""Pictures of groups, drawn again only if the groups, the code or the file changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from shared.core.files import write_whole
from shared.core.store import Store, identify_code, make_key
from shared.runs.content import read_stamp
from shared.runs.groups import Group

ROOMS = ("core", "tasks", "runs", "plots")
PACKAGES = ("matplotlib", "numpy", "pillow")
MOST = 1_000  # pictures that are remembered


class SavedPictures:
    """Writes pictures of some groups; leaves those that would be the same."""

    def __init__(self, groups: Sequence[Group]) -> None:
        """Open the list of pictures.

        Args:
            groups: What the pictures show.
        """
        versions = " ".join(metadata.version(name) for name in PACKAGES)
        self._store = Store("pictures", f"{identify_code(*ROOMS)} {versions}", MOST)
        self._groups = groups
        self._content = _identify(groups)

    def write(self, path: Path, draw: Callable[[Sequence[Group]], Any]) -> None:
        """Write a picture as a PNG file, unless the file holds it already.

        Args:
            path: The file.
            draw: Returns a figure of the groups.
        """
        key = str(path.absolute()).encode(errors="backslashreplace").decode()
        if self._content:
            before = self._store.get(key, tuple[str, str])
            if before == (self._content, read_stamp(path.parent, (path.name,))[0]):
                return
        write_whole(path, draw(self._groups).savefig)
        if self._content:
            stamp = read_stamp(path.parent, (path.name,))[0]
            self._store.put(key, (self._content, stamp))
            self._store.save()


def _identify(groups: Sequence[Group]) -> str:
    """Return a text that changes with the groups; empty if that is not sure.

    Which fonts this machine has matters only for letters beyond ASCII.
    """
    runs = [run for group in groups for run in group.runs]
    texts = {text for group in groups for text in (group.label, group.data)}
    texts |= {one["name"] for run in runs for one in run.summary["baselines"]}
    texts |= {name for run in runs for name in run.history}
    texts |= {run.score.title for run in runs}
    if not all(run.stamp for run in runs) or not all(map(str.isascii, texts)):
        return ""
    return make_key(
        [
            [group.label, group.data, [[run.stamp, run.state] for run in group.runs]]
            for group in groups
        ]
    )
