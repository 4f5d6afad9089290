"""Bytes of a run folder's files become values here, within limits.

A damaged or foreign file raises `DamagedError` with a reason. Nothing here knows what a
run must contain: that is the task of `shared.runs.schema`.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import math
import os
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from shared.core.text import escape_controls, shorten

MOST_JSON = 4_000_000
MOST_TABLE = 100_000_000
MOST_ARRAYS = 2_000_000_000
"""Largest file of each form, in bytes. Arrays are counted unpacked."""


class DamagedError(ValueError):
    """A file that cannot be used. The message names the file and the reason."""


@contextlib.contextmanager
def name_file(name: str) -> Iterator[None]:
    """Turn every error of a damaged file into a `DamagedError` that names the file.

    Args:
        name: File name for the message.
    """
    try:
        yield
    except DamagedError:
        raise
    except FileNotFoundError:
        raise DamagedError(f"{name} is missing") from None
    except OSError as error:
        raise DamagedError(f"{name}: {error.strerror or shorten(str(error))}") from None
    except RecursionError:
        raise DamagedError(f"{name}: nested too deeply") from None
    except UnicodeDecodeError:
        raise DamagedError(f"{name}: not UTF-8 text") from None
    except (ValueError, csv.Error) as error:
        raise DamagedError(f"{name}: {shorten(str(error))}") from None


@contextlib.contextmanager
def open_regular(path: Path, most: int) -> Iterator[BinaryIO]:
    """Open a regular file for reading. A FIFO or a device could block for ever.

    Args:
        path: The file, or a link to it.
        most: Largest size in bytes.

    Raises:
        ValueError: If it is no regular file, or too large.
        OSError: If it cannot be opened.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with open(os.open(path, flags), "rb") as file:  # noqa: PTH123
        facts = os.fstat(file.fileno())
        if not stat.S_ISREG(facts.st_mode):
            raise ValueError("not a regular file")
        if facts.st_size > most:
            raise ValueError(f"{facts.st_size:,} bytes; at most {most:,} are read")
        yield file


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file. Control characters in its texts are escaped.

    Raises:
        DamagedError: If the file holds anything else, a key twice, or a number that is
            not finite.
    """
    with name_file(path.name):
        with open_regular(path, MOST_JSON) as file:
            content = file.read(MOST_JSON)
        return parse_json(content)


def parse_json(content: bytes) -> dict[str, Any]:
    """Return the object in a JSON text, as `read_json` does.

    Raises:
        ValueError: With the reason.
    """
    if not content:
        raise ValueError("empty")
    value = json.loads(
        content.decode("utf-8"),
        object_pairs_hook=_make_object,
        parse_float=_read_number,
        parse_constant=_refuse_constant,
    )
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return _escape_texts(value)


def read_table(path: Path) -> dict[str, list[str]]:
    """Return the columns of a CSV file with a header, in order.

    Raises:
        DamagedError: If a row has another number of cells than the header, or two
            columns have one name.
    """
    with name_file(path.name):
        with open_regular(path, MOST_TABLE) as file:
            text = file.read(MOST_TABLE).decode("utf-8")
        names, *rows = csv.reader(io.StringIO(text, newline=""), strict=True) or [[]]
        if len(set(names)) < len(names):
            raise ValueError("two columns have one name")
        for number, row in enumerate(rows, start=1):
            if len(row) != len(names):
                raise ValueError(f"row {number} has {len(row)} cells, not {len(names)}")
        return {name: [row[k] for row in rows] for k, name in enumerate(names)}


def read_arrays(path: Path, most: int = MOST_ARRAYS) -> dict[str, np.ndarray]:
    """Return the arrays of an npz file. Arrays of Python objects are refused.

    Args:
        path: The file.
        most: Largest size in bytes, packed and unpacked.

    Raises:
        DamagedError: If the file or one of its arrays cannot be read.
    """
    with (
        name_file(path.name),
        open_regular(path, most) as file,
        _one_error(),
    ):
        return _unpack_arrays(file, most)


def read_member(path: Path, name: str) -> bytes:
    """Return the content of one file in a zip archive.

    Raises:
        ValueError: If the archive or the file cannot be read.
        OSError: If the archive cannot be opened.
    """
    with (
        open_regular(path, MOST_ARRAYS) as file,
        _one_error(),
        zipfile.ZipFile(file) as archive,
        archive.open(name) as packed,
    ):
        return packed.read(MOST_JSON)


@contextlib.contextmanager
def _one_error() -> Iterator[None]:
    """Turn every error of a damaged archive into a ValueError with its reason."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        # zipfile and NumPy raise errors of a dozen types on damaged bytes.
        reason = shorten(str(error)) or type(error).__name__
        raise ValueError(f"damaged ({reason})") from None


def _unpack_arrays(file: BinaryIO, most: int) -> dict[str, np.ndarray]:
    arrays = {}
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        if len({member.filename for member in members}) < len(members):
            raise ValueError("two arrays have one name")
        if sum(member.file_size for member in members) > most:
            raise ValueError(f"more than {most:,} bytes when unpacked")
        for member in members:
            with archive.open(member) as packed:
                content = io.BytesIO(packed.read(member.file_size))
            _check_size(content, member.file_size)
            arrays[member.filename.removesuffix(".npy")] = np.lib.format.read_array(
                content, allow_pickle=False
            )
    return arrays


def _check_size(content: BinaryIO, size: int) -> None:
    """Refuse a header that promises more or fewer values than follow it."""
    version = np.lib.format.read_magic(content)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }[version]
    shape, _, dtype = read(content)
    if math.prod(shape) * dtype.itemsize != size - content.tell():
        raise ValueError(f"an array has not the size of its shape {shape}")
    content.seek(0)


def _make_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key occurs twice")
    return found


def _read_number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{shorten(text, 20)} is too large")
    return number


def _refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is not a number of JSON")


def _escape_texts(value: Any) -> Any:
    if isinstance(value, str):
        return escape_controls(value)
    if isinstance(value, dict):
        return {escape_controls(key): _escape_texts(v) for key, v in value.items()}
    if isinstance(value, list):
        return [_escape_texts(item) for item in value]
    return value
