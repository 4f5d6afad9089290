"""Values that can be computed again, in one file of the cache folder.

Every command reads its file once and writes it once. Two commands at once do not
disturb each other: a file appears whole, the last one stays, and what it lacks is
computed again. A file that is missing, damaged or of another version of the code is
replaced without a message, because no result depends on it.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from shared.core.cache import INDEX, cache_dir
from shared.core.files import write_whole

SHARED = Path(__file__).resolve().parents[1]
LARGEST = 500_000_000  # bytes of a file
UNUSED = 90 * 86_400  # seconds after which nobody misses a file
DIGEST = 32  # bytes of a SHA-256


class _Content(msgspec.Struct, array_like=True):
    version: str
    entries: dict[str, msgspec.Raw]


class Store:
    """The values of one file, by key. A value is what msgpack can hold."""

    def __init__(self, name: str, version: str, most: int | None = None) -> None:
        """Read the file, if there is one of this version.

        Args:
            name: Name of the file, without an ending.
            version: Identifies the code that makes the values.
            most: Values that are kept, those used last; None keeps all.
        """
        self._name, self._version, self._most = f"{name}.bin", version, most
        self._entries = self._read()
        self._is_changed = False

    def get(self, key: str, kind: Any = Any) -> Any:
        """Return a value; None if there is none of this kind.

        Args:
            key: Its key.
            kind: A type of msgspec, to which the value must fit.
        """
        raw = self._entries.get(key)
        if raw is None:
            return None
        if self._most is not None:  # the last ones in the file are used last
            self._entries[key] = self._entries.pop(key)
        try:
            return msgspec.msgpack.decode(raw, type=kind)
        except (msgspec.DecodeError, RecursionError):
            return None

    def put(self, key: str, value: Any) -> None:
        """Keep a value. One that msgpack cannot hold is not kept."""
        try:
            packed = msgspec.msgpack.encode(value, enc_hook=_simplify)
        except (ArithmeticError, RuntimeError, TypeError, ValueError):
            return
        self._entries.pop(key, None)
        self._entries[key] = msgspec.Raw(packed)
        self._is_changed = True

    def keep_only(self, keys: Iterable[str]) -> None:
        """Forget all other keys."""
        keys = set(keys)
        if gone := [key for key in self._entries if key not in keys]:
            for key in gone:
                del self._entries[key]
            self._is_changed = True

    def save(self) -> None:
        """Write the file if a value is new and the folder can be used."""
        folder = cache_dir()
        if folder is None or not self._is_changed:
            return
        entries = self._entries
        if self._most is not None and len(entries) > self._most:
            entries = dict(list(entries.items())[-self._most :])
        packed = msgspec.msgpack.encode(_Content(self._version, entries))
        self._is_changed = False
        if len(packed) > LARGEST:
            return
        path = folder / INDEX / self._name
        with contextlib.suppress(OSError):
            content = hashlib.sha256(packed).digest() + packed
            write_whole(path, lambda part: part.write_bytes(content))
            _remove_unused(path.parent)

    def _read(self) -> dict[str, msgspec.Raw]:
        folder = cache_dir()
        if folder is None:
            return {}
        try:
            content = (folder / INDEX / self._name).read_bytes()
        except OSError:
            return {}
        packed = memoryview(content)[DIGEST:]
        if hashlib.sha256(packed).digest() != content[:DIGEST]:
            return {}
        try:
            found = msgspec.msgpack.decode(packed, type=_Content)
        except msgspec.DecodeError:
            return {}
        return found.entries if found.version == self._version else {}


@functools.cache
def identify_code(*rooms: str) -> str:
    """Return a SHA-256 of Python's version and of all files of some rooms.

    Args:
        rooms: Folders in `shared/`. Without one, the whole of it would count.
    """
    seen = hashlib.sha256(sys.version.encode())
    for room in rooms:
        for path in sorted((SHARED / room).rglob("*.*")):
            if path.suffix in (".py", ".html", ".css", ".js"):
                content = path.read_bytes()
                seen.update(f"{path.relative_to(SHARED)} {len(content)} ".encode())
                seen.update(content)
    return seen.hexdigest()


def make_key(*parts: Any) -> str:
    """Return a short key for some texts, numbers and lists of them."""
    packed = msgspec.msgpack.encode(parts, enc_hook=_simplify)
    return hashlib.sha256(packed).hexdigest()


def _simplify(value: Any) -> Any:
    """Return a number of NumPy as one of Python."""
    if not hasattr(value, "item"):
        raise NotImplementedError
    return value.item()


def _remove_unused(folder: Path) -> None:
    """Remove files that no command has written for months, and those of killed ones."""
    for path in folder.iterdir():
        with contextlib.suppress(OSError):  # another process may be faster
            age = time.time() - path.stat().st_mtime
            if age > (3600 if path.name.startswith(".part-") else UNUSED):
                path.unlink()
