"""Read lists of integers from an `.npz` of object arrays without running its code.

NumPy stores an array of lists as a pickle, and loading a pickle can run any program.
This module replays the pickle with stand-ins that only store their arguments. So the
result can hold nothing but lists and arrays of integers.
"""

from __future__ import annotations

import pickle
import zipfile
import zlib
from typing import Any, BinaryIO

import numpy as np

from shared.data.splits import Sequences

MAX_BYTES = 2**30  # of one array, unpacked; the real reviews need 35 MB
MAX_TOKENS = 2**27  # of one array; the real reviews have 6 million
MAX_TOKEN = 2**31 - 16


class _Type:
    """Stand-in for a type that a pickled array names, such as `numpy.ndarray`."""


class _Array:
    """Stand-in for an array: stores its state. The pickle never builds an array."""

    state: Any = None

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Dtype(_Array):
    pass


def _encode(text: str, encoding: str) -> bytes:
    """Stand-in for `_codecs.encode`, with which protocol 2 stores bytes."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"text encoded as {encoding!r}")
    return text.encode("latin1")


_STAND_INS = {
    ("numpy", "ndarray"): _Type,
    ("numpy", "dtype"): _Dtype,
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("_codecs", "encode"): _encode,
}


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _STAND_INS[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it calls {module}.{name}") from None


def read_sequences(archive: zipfile.ZipFile, name: str) -> Sequences:
    """Read an object array of integer lists (or integer arrays) as flat arrays.

    Args:
        archive: An open `.npz` file.
        name: Name of the array, without `.npy`.

    Raises:
        ValueError: If it holds anything else, or is cut short.
    """
    with _open(archive, name) as file:
        shape, dtype = _read_header(file)
        if dtype.kind != "O" or len(shape) != 1:
            raise ValueError(f"{name} is not an array of lists")
        try:
            array = _ArraysOnly(file).load()
        except _BROKEN as error:
            raise ValueError(f"{name} cannot be read: {error}") from None
    rows = _state_of(array, name)
    if not isinstance(rows, list) or len(rows) != shape[0]:
        raise ValueError(f"{name} does not hold {shape[0]} lists as its header says")
    tokens: list[np.ndarray] = []
    num_tokens = 0
    for k, row in enumerate(rows):
        tokens.append(_read_row(row, f"{name}[{k}]"))
        num_tokens += len(tokens[-1])
        if num_tokens > MAX_TOKENS:  # a pickle can name one list many times
            raise ValueError(f"{name} holds more than {MAX_TOKENS:,} tokens")
    return _join(tokens)


def read_array(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    """Read a plain array of integers.

    Raises:
        ValueError: If it is anything else, or cut short.
    """
    with _open(archive, name) as file:
        try:
            array = np.lib.format.read_array(file, allow_pickle=False)
        except _BROKEN as error:
            raise ValueError(f"{name} cannot be read: {error}") from None
    if array.dtype.kind not in "iu" or array.ndim != 1:
        raise ValueError(f"{name} is not a list of integers")
    return array


# Errors from reading a damaged or hostile file, before any of it is used.
_BROKEN = (
    pickle.UnpicklingError, EOFError, ValueError, TypeError, IndexError, KeyError,
    AttributeError, UnicodeError, OverflowError, MemoryError, RecursionError,
    zipfile.BadZipFile, zlib.error, OSError, NotImplementedError,
)  # fmt: skip


def _open(archive: zipfile.ZipFile, name: str) -> BinaryIO:
    try:
        info = archive.getinfo(f"{name}.npy")
    except KeyError:
        raise ValueError(f"it has no array {name}") from None
    if info.file_size > MAX_BYTES:
        raise ValueError(f"{name} would unpack to {info.file_size:,} bytes")
    try:
        return archive.open(info)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError) as error:
        raise ValueError(f"{name} cannot be read: {error}") from None


def _read_header(file: BinaryIO) -> tuple[tuple[int, ...], np.dtype]:
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    try:
        shape, _, dtype = read[np.lib.format.read_magic(file)](file)
    except _BROKEN as error:
        raise ValueError(f"its header cannot be read: {error}") from None
    return shape, dtype


def _state_of(array: Any, where: str) -> Any:
    """Return the content of a replayed array: the fifth item of its state."""
    if isinstance(array, _Dtype) or not isinstance(array, _Array):
        raise ValueError(f"{where} is not an array")
    if not isinstance(array.state, tuple) or len(array.state) != 5:
        raise ValueError(f"{where} is not an array")
    return array.state[4]


def _read_row(row: Any, where: str) -> np.ndarray:
    """Return one review as int32, (num_tokens,)."""
    if isinstance(row, list):
        try:
            values = np.array(row) if row else np.empty(0, np.int64)
        except (ValueError, TypeError, OverflowError):
            raise ValueError(f"{where} is not a list of integers") from None
    elif isinstance(row, _Array):
        values = _decode(row, where)
    else:
        raise ValueError(f"{where} is not a list of integers")
    if values.ndim != 1 or values.dtype.kind not in "iu":
        raise ValueError(f"{where} is not a list of integers")
    if values.size and not 0 <= values.min() <= values.max() < MAX_TOKEN:
        raise ValueError(f"{where} has a number outside 0 to {MAX_TOKEN:,}")
    return values.astype(np.int32)


def _decode(row: _Array, where: str) -> np.ndarray:
    """Build an integer array from the state of its stand-in."""
    data = _state_of(row, where)
    dtype = row.state[2]
    if not isinstance(dtype, _Dtype) or not isinstance(data, bytes):
        raise ValueError(f"{where} is not a list of integers")
    code = dtype.arguments[0] if dtype.arguments else None
    order = dtype.state[1] if isinstance(dtype.state, tuple) and dtype.state else "|"
    if code not in {"i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"}:
        raise ValueError(f"{where} is not a list of integers")
    if order not in {"<", ">", "|"} or len(data) % int(code[1]):
        raise ValueError(f"{where} is not a list of integers")
    values = np.frombuffer(data, np.dtype(code).newbyteorder(order))
    if row.state[1] != values.shape:
        raise ValueError(f"{where} is not a list of integers")
    return values


def _join(rows: list[np.ndarray]) -> Sequences:
    offsets = np.zeros(len(rows) + 1, np.int64)
    np.cumsum([len(row) for row in rows], out=offsets[1:])
    tokens = np.concatenate(rows) if rows else np.empty(0, np.int32)
    return Sequences(tokens.astype(np.int32, copy=False), offsets)
