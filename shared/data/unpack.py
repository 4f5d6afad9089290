"""Read a file that may be packed. A small file never fills the memory."""

from __future__ import annotations

import gzip
import io
import lzma
import re
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import IO

from shared.core.errors import UserError
from shared.core.text import shorten

LARGEST_RATIO = 30  # tables of text rarely shrink to less than a tenth
FREE_BYTES = 16 << 20  # any file may unpack to this size
CHUNK = 1 << 20  # bytes
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""How the files in a zip may be packed. Only these unpack in pieces of bounded size."""
SUFFIXES = re.compile(r"(\.(csv|tsv|txt|jsonl|ndjson|parquet|gz|zip|xz))+$")
ENCRYPTED = 1  # bit of a zip entry's flags


def read_packed(path: Path) -> bytes:
    """Return the content of a file, unpacked if its name ends in .gz, .zip or .xz.

    A packed file may unpack to 30 times its size, or to 16 MB if that is more.

    Args:
        path: A zip archive must hold one .csv file, or one with the archive's name. The
            same holds for .tsv files where it holds no .csv file.

    Raises:
        UserError: If the file cannot be read or is damaged, or its content is too
            large.
    """
    try:
        if not path.is_file():
            raise ValueError("it is not a regular file")
        limit = max(FREE_BYTES, LARGEST_RATIO * path.stat().st_size)
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                member = _find_member(archive, path)
                with archive.open(member) as stream:
                    return _read_at_most(stream, limit)
        if path.suffix == ".gz":
            with gzip.open(path) as stream:
                return _read_at_most(stream, limit)
        if path.suffix == ".xz":
            with lzma.open(path) as stream:
                return _read_at_most(stream, limit)
        return path.read_bytes()
    except MemoryError:
        raise UserError(
            f"{path}: too large for the free memory; take a part of it."
        ) from None
    except (
        OSError,
        EOFError,
        ValueError,
        RuntimeError,
        NotImplementedError,
        zipfile.BadZipFile,
        zlib.error,
        lzma.LZMAError,
    ) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise UserError(f"{path}: cannot be read ({shorten(reason)}).") from None


def name_data(path: Path, default: str) -> str:
    """Return the name of a data set that a file or folder holds, without suffixes.

    Args:
        path: Of the file or folder.
        default: The name where nothing of the file's own name can stay.
    """
    name = SUFFIXES.sub("", path.resolve().name.lower())
    return re.sub(r"[^\w.-]+", "-", name).strip("-.")[:60] or default


def _find_member(archive: zipfile.ZipFile, path: Path) -> zipfile.ZipInfo:
    """Return the table of an archive: a .csv file, or else another text."""
    # Archives packed on a Mac hold a shadow of each file in __MACOSX/.
    members = [
        member
        for member in archive.infolist()
        if not member.filename.startswith("__MACOSX/")
    ]
    found = [m for m in members if m.filename.endswith(".csv")] or [
        m for m in members if m.filename.endswith(".tsv")
    ]
    named = [m for m in found if PurePosixPath(m.filename).name == path.stem]
    chosen = named if len(found) > 1 else found
    if not found:
        raise ValueError("no .csv file in the archive")
    if len(chosen) != 1:
        raise ValueError(
            f"{len(found)} .csv files in the archive; keep one, or unpack the right one"
        )
    (member,) = chosen
    if member.flag_bits & ENCRYPTED:
        raise ValueError("the archive has a password; unpack it first")
    if member.compress_type not in METHODS:
        method = zipfile.compressor_names.get(member.compress_type, "unknown")
        raise ValueError(
            f"the archive is packed with the method {method!r}, and only 'deflate' is "
            "read; unpack it first"
        )
    return member


def _read_at_most(stream: IO[bytes], limit: int) -> bytes:
    content = io.BytesIO()
    while chunk := stream.read(CHUNK):
        if content.tell() + len(chunk) > limit:
            raise ValueError(
                f"it unpacks to more than {limit >> 20:,} MB, which is far more than "
                "its packed size suggests; if the content is right, unpack it first"
            )
        content.write(chunk)
    return content.getvalue()
