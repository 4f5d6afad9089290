"""Files that appear complete or not at all."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a temporary file, then move the file to its name in one step.

    A reader sees the old file or the new one, and never half of it. If the process is
    killed meanwhile, only a hidden `.part-*` file can stay.

    Args:
        path: The file. Its folder is made if missing.
        write: Called with a path in the same folder and with the same suffix.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(
        prefix=".part-", suffix=f"-{path.name}", dir=path.parent
    )
    os.close(handle)
    part = Path(name)
    try:
        write(part)
        part.chmod(0o666 & ~read_umask())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def check_place(folder: Path) -> None:
    """Make a folder, and check that files can be written in it.

    Raises:
        OSError: If that is not possible. Its `filename` is the folder.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        error.filename = str(folder)
        raise


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text, complete or not at all."""
    write_whole(path, lambda part: part.write_text(text, encoding="utf-8"))


def to_csv(rows: Iterable[dict[str, Any]]) -> str:
    """Return rows as CSV text with a header.

    Args:
        rows: At least one, all with the same keys.
    """
    rows = list(rows)
    table = io.StringIO()
    names = list(rows[0])
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([row[name] for name in names] for row in rows)
    return table.getvalue()


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_umask() -> int:
    """Return the permissions that new files do not get."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
