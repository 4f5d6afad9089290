"""Read lists of integers from an `.npz` of object arrays without running its code.

NumPy stores an array of lists as a pickle, and loading a pickle can run any program.
`plain_pickle` only reads it. What this module allocates is bounded by the size of the
file, whatever the file says of itself.
"""

from __future__ import annotations

import re
import struct
import zipfile
import zlib
from array import array
from pathlib import Path
from typing import Any

import numpy as np

from shared.core.text import shorten
from shared.data.imdb.plain_pickle import PickledArray, PickledDtype, read_pickle
from shared.data.splits import Sequences

MAX_BYTES = 2**30  # of one array, unpacked; the real reviews need 14 MB
MAX_RATIO = 10  # bytes unpacked for one packed; the real reviews have 1.6
SMALL = 2**22  # bytes unpacked that any file may have
MAX_TOKENS = 2**20  # of one array, plus one for each of its bytes
MAX_TOKEN = 2**31 - 16
PIECE = 2**20  # bytes that are unpacked at a time

_BROKEN = (
    ValueError, OSError, EOFError, RuntimeError, OverflowError, MemoryError,
    zipfile.BadZipFile, zlib.error, struct.error,
)  # fmt: skip
_VERSIONS = {b"\x01\x00", b"\x02\x00", b"\x03\x00"}
_INTEGER = r"([<>|=]?)([iu][1248])"
_HEADER = re.compile(
    r"\{'descr': '([^']{1,8})', 'fortran_order': (?:False|True), "
    r"'shape': \(([0-9L, ]{0,99})\),? *\}\s*"
)


def read_sequences(archive: zipfile.ZipFile, name: str) -> Sequences:
    """Read an object array of integer lists (or integer arrays) as flat arrays.

    Args:
        archive: An open `.npz` file.
        name: Name of the array, without `.npy`.

    Raises:
        ValueError: If it holds anything else, is cut short, or would need far more
            memory than its size in the file suggests.
    """
    data = _unpack(archive, name)
    dtype, shape, start = _read_header(data, name)
    if dtype.lstrip("|") not in {"O", "O4", "O8"} or len(shape) != 1:
        raise ValueError(
            f"{name} is not an array of lists, but of the type {dtype} and the shape "
            f"{shape}"
        )
    try:
        pickled = read_pickle(data, start)
    except ValueError as error:
        raise ValueError(f"{name} cannot be read: {error}") from None
    rows = pickled.data if isinstance(pickled, PickledArray) else None
    if not isinstance(rows, list) or len(rows) != shape[0]:
        raise ValueError(f"{name} does not hold {shape[0]} lists as its header says")
    tokens: list[np.ndarray] = []
    num_tokens, limit = 0, MAX_TOKENS + len(data)
    for k, row in enumerate(rows):
        tokens.append(_read_row(row, f"{name}[{k}]"))
        num_tokens += len(tokens[-1])
        if num_tokens > limit:  # a pickle can name one list many times
            raise ValueError(f"{name} holds more than {limit:,} tokens")
    return _join(tokens)


def read_array(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    """Read a plain array of integers.

    Raises:
        ValueError: If it is anything else, or cut short.
    """
    data = _unpack(archive, name)
    dtype, shape, start = _read_header(data, name)
    if not re.fullmatch(_INTEGER, dtype) or len(shape) != 1:
        raise ValueError(
            f"{name} is not a list of integers, but of the type {dtype} and the shape "
            f"{shape}"
        )
    if shape[0] * np.dtype(dtype).itemsize > len(data) - start:
        raise ValueError(f"{name} has fewer numbers than its header says")
    return np.frombuffer(data, dtype, shape[0], start)


def _unpack(archive: zipfile.ZipFile, name: str) -> bytes:
    """Return a file of the archive, in pieces so that it cannot exceed its bound."""
    found = [info for info in archive.infolist() if info.filename == f"{name}.npy"]
    if len(found) != 1:
        raise ValueError(f"it has {'two arrays' if found else 'no array'} {name}")
    (info,) = found
    if info.flag_bits & 1:
        raise ValueError(f"{name} is encrypted")
    if info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise ValueError(f"{name} is packed in another way than NumPy's")
    packed = min(info.compress_size, Path(archive.filename).stat().st_size)
    if info.file_size > min(SMALL + MAX_RATIO * packed, MAX_BYTES):
        raise ValueError(
            f"{name} would unpack from {packed:,} to {info.file_size:,} bytes"
        )
    try:
        with archive.open(info) as file:
            data = b"".join(iter(lambda: file.read(PIECE), b""))
    except _BROKEN as error:
        raise ValueError(f"{name} cannot be read: {shorten(str(error), 120)}") from None
    if len(data) != info.file_size:
        raise ValueError(f"{name} is cut short")
    return data


def _read_header(data: bytes, name: str) -> tuple[str, tuple[int, ...], int]:
    """Return the type, the shape and where the numbers start.

    NumPy's own reader evaluates the header as Python text, which a hostile one can
    make slow or noisy. The headers of the arrays wanted here have one form only.
    """
    wide = data[6:7] != b"\x01"
    start = 12 if wide else 10
    size = int.from_bytes(data[8:start], "little")
    header = _HEADER.fullmatch(data[start : start + min(size, 999)].decode("latin1"))
    if data[:6] != b"\x93NUMPY" or data[6:8] not in _VERSIONS or not header:
        raise ValueError(f"{name} has a header that is not one of an array of integers")
    shape = tuple(int(length) for length in re.findall(r"\d+", header[2]))
    return header[1], shape, start + size


def _read_row(row: Any, where: str) -> np.ndarray:
    """Return one review as int32, (num_tokens,)."""
    try:
        values = _decode(row) if isinstance(row, PickledArray) else _collect(row)
    except (ValueError, OverflowError):
        raise ValueError(f"{where} is not a list of integers") from None
    if values.size and not 0 <= values.min() <= values.max() < MAX_TOKEN:
        raise ValueError(f"{where} has a number outside 0 to {MAX_TOKEN:,}")
    return values.astype(np.int32, copy=False)


def _collect(row: Any) -> np.ndarray:
    """Return the integers of a list, of which some come as stretches."""
    if not isinstance(row, list):
        raise ValueError
    if len(row) == 1 and type(row[0]) is array:
        return np.frombuffer(row[0], np.int32)
    values: list[int] = []
    for one in row:
        if type(one) is not int and type(one) is not array:
            raise ValueError
        values.extend(one if type(one) is array else [one])
    return np.array(values, np.int64)


def _decode(row: PickledArray) -> np.ndarray:
    """Build an array from the bytes of its integers."""
    data = row.data.encode("latin1") if isinstance(row.data, str) else row.data
    if not isinstance(data, bytes | bytearray) or type(row.dtype) is not PickledDtype:
        raise ValueError
    parts = row.dtype.order, row.dtype.code
    if not all(isinstance(part, str) for part in parts):
        raise ValueError
    if not re.fullmatch(_INTEGER, "".join(parts)):
        raise ValueError
    values = np.frombuffer(data, "".join(parts))
    if row.shape != values.shape:
        raise ValueError
    return values


def _join(rows: list[np.ndarray]) -> Sequences:
    offsets = np.zeros(len(rows) + 1, np.int64)
    np.cumsum([len(row) for row in rows], out=offsets[1:])
    tokens = np.concatenate(rows) if rows else np.empty(0, np.int32)
    return Sequences(tokens.astype(np.int32, copy=False), offsets)
