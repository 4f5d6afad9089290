"""The folder for results that can be computed again.

Every file in it carries its format and a checksum of its content. A file that fails
one of them is computed again. A folder that cannot be used is left out.

make clean-caches        # removes what the suite wrote there
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from shared.core.files import write_text, write_whole
from shared.core.flags import one_line_errors
from shared.core.text import shorten

Result = TypeVar("Result")
CACHE_VARIABLE = "RNN_RECIPES_CACHE"
INDEX = "index"  # the folder of `shared.core.store`
CACHED = (
    "baselines", "bars", "kernels", "imdb-*-v*.npz", ".part-????????-imdb-*",
    "texts-*-v*.npz", ".part-????????-texts-*", INDEX,
)  # fmt: skip
"""What the suite writes into the folder. Version 0.1 wrote `bars`."""
FORMAT = 2
"""Of all cached files. A file of another format is computed again."""
ABANDONED = 3600  # seconds after which no process still writes a file


def cache_dir() -> Path | None:
    """Return the folder for what can be computed again (`RNN_RECIPES_CACHE`).

    None if the system names no such folder, as for a user without a home.
    """
    try:
        if chosen := os.environ.get(CACHE_VARIABLE):
            return Path(chosen).expanduser()
        from platformdirs import user_cache_path

        folder = user_cache_path("rnn-recipes")
    except RuntimeError:  # a path that begins with ~, and no home
        return None
    return folder if folder.is_absolute() else None


def read_cached(name: str, build: Callable[[dict[str, Any]], Result]) -> Result | None:
    """Return what `build` makes of a cached file; None if there is none to use.

    Args:
        name: Path in the cache folder. A `.npz` holds arrays, a `.json` holds facts.
        build: Gets the content. Any error that it raises marks the file as damaged.
    """
    folder = cache_dir()
    if folder is None:
        return None
    path = folder / name
    try:
        if not path.is_file():
            return None
        content = _read_arrays(path) if path.suffix == ".npz" else _read_facts(path)
        if content.pop("format", None) != FORMAT:
            return None
        if content.pop("checksum") != _checksum(content):
            raise ValueError
        return build(content)
    except OSError:
        return None
    except Exception:  # whatever the file holds, it can be computed again
        print(f"{path}: damaged; its content is computed again", flush=True)
        return None


def write_cached(name: str, content: dict[str, Any]) -> None:
    """Cache arrays (`.npz`) or facts (`.json`); say so once if there is no place.

    Args:
        name: Path in the cache folder.
        content: Name -> array or fact.
    """
    folder = cache_dir()
    if folder is None:
        _leave_out("no home folder found")
        return
    path = folder / name
    try:
        _remove_abandoned(path)
        if path.suffix == ".npz":
            write_whole(path, lambda part: _write_arrays(part, content))
        else:
            content = json.loads(json.dumps(content, default=str))
            write_text(path, json.dumps(_sign(content)))
    except OSError as error:
        _leave_out(f"{shorten(str(folder))}: {error.strerror or error}")


@functools.cache
def _leave_out(reason: str) -> None:
    """Say why nothing is cached: once for every reason."""
    print(
        f"Not cached ({reason}); the next run computes again. {CACHE_VARIABLE} names "
        "another folder.",
        flush=True,
    )


def _read_facts(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def _read_arrays(path: Path) -> dict[str, Any]:
    with np.load(path, allow_pickle=False) as arrays:
        content = dict(arrays)
    signature = {
        name: content.pop(name).item()
        for name in ("format", "checksum")
        if name in content
    }
    return content | signature


def _write_arrays(part: Path, content: dict[str, Any]) -> None:
    with part.open("wb") as file:
        np.savez(file, **_sign(content))


def _sign(content: dict[str, Any]) -> dict[str, Any]:
    return {"format": FORMAT, "checksum": _checksum(content)} | content


def _checksum(content: dict[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, default=_describe_array)
    return hashlib.sha256(text.encode()).hexdigest()


def _describe_array(array: Any) -> list[Any]:
    array = np.asarray(array)
    digest = hashlib.sha256(array.tobytes()).hexdigest()
    return [array.dtype.str, list(array.shape), digest]


def _remove_abandoned(path: Path) -> None:
    """Remove the temporary files of killed processes."""
    for part in path.parent.glob(f".part-????????-*{path.suffix}"):
        with contextlib.suppress(OSError):  # another process may finish or remove it
            if time.time() - part.stat().st_mtime > ABANDONED:
                part.unlink()


def main() -> None:
    """Remove what the suite wrote into the cache folder, and nothing else in it."""
    folder = cache_dir()
    if folder is None:
        print("No cache folder: no home folder found")
        return
    found = [path for pattern in CACHED for path in folder.glob(pattern)]
    for path in found:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    print(f"Removed {len(found)} files and folders from {folder}")


if __name__ == "__main__":
    with one_line_errors(CACHE_VARIABLE):
        main()
