"""Read a pickled NumPy array of integer lists without running its code.

A pickle is a program. This module follows it with an interpreter of its own, which
knows only the instructions that NumPy's object arrays need. They can build integers,
text, bytes, tuples, lists, and descriptions of arrays. No object of Python or NumPy
is made or called by a name in the file.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import re
from array import array
from dataclasses import dataclass
from typing import Any

from shared.core.text import shorten

MAX_STEPS = 2**18  # plus one for 8 bytes; the real reviews need one for 180 bytes

# Integers of up to 32 bits, then the instruction that appends them to a list.
_INTEGERS = re.compile(rb"\((?:K.|M..|J....)++e", re.DOTALL)
_CONSTANTS = {
    "BININT", "BININT1", "BININT2", "INT", "LONG", "LONG1", "NONE",
    "UNICODE", "BINUNICODE", "SHORT_BINUNICODE",
    "STRING", "BINSTRING", "SHORT_BINSTRING",
    "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8",
}  # fmt: skip


@dataclass(eq=False)
class PickledDtype:
    """The type of an array's numbers: `i4` and its byte order."""

    code: Any
    order: Any = "|"


@dataclass(eq=False)
class PickledArray:
    """What a pickle says of an array, unchecked.

    Attributes:
        shape: A tuple of lengths, in an honest file.
        dtype: A `PickledDtype`, in an honest file.
        data: A list of objects, or the bytes of numbers. Old files have the bytes as
            Latin-1 text.
    """

    shape: Any = None
    dtype: Any = None
    data: Any = None


class _Name(str):
    """The name of a function or type. It is never looked up in Python."""


def read_pickle(data: bytes, start: int = 0) -> Any:
    """Return the value of a pickle that NumPy wrote for an array.

    A list holds integers and `array.array("i")`, each a stretch of its integers.

    Args:
        data: The pickle; all protocols.
        start: Where in `data` it begins.

    Raises:
        ValueError: If it is damaged, calls anything, or holds other things than
            integers, text, bytes, tuples, lists and arrays.
    """
    try:
        return _Replay(data, start).run()
    except ValueError as error:
        raise ValueError(shorten(str(error), 120)) from None
    except (TypeError, LookupError, OverflowError, MemoryError):
        raise ValueError("its instructions do not fit together") from None


class _Replay:
    def __init__(self, data: bytes, start: int) -> None:
        self.data = data
        self.file = io.BytesIO(data)
        self.file.seek(start)
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:
        limit = MAX_STEPS + len(self.data) // 8
        for step, (opcode, argument, place) in enumerate(pickletools.genops(self.file)):
            if step > limit:
                raise ValueError("it has more instructions than an array of its size")
            if opcode.name in _CONSTANTS:
                self.stack.append(argument)
            elif opcode.name == "MARK":
                self.mark(place)
            elif opcode.name == "STOP":
                break
            elif opcode.name in _ACTIONS:
                _ACTIONS[opcode.name](self, argument)
            else:
                raise ValueError(f"its instruction {opcode.name} is not for arrays")
        return self.stack.pop()

    def mark(self, place: int) -> None:
        """Start a group; take a group of integers to append in one go."""
        if integers := _INTEGERS.match(self.data, place):
            # This stretch holds nothing but integers, so Python's reader is safe.
            values = pickle.loads(integers[0][:-1] + b"l.")
            self.top_list().append(array("i", values))
            self.file.seek(integers.end())
        else:
            self.marks.append(len(self.stack))

    def top_list(self) -> list[Any]:
        if type(self.stack[-1]) is not list:
            raise ValueError("it appends to something that is not a list")
        return self.stack[-1]

    def pop(self, count: int) -> list[Any]:
        start = len(self.stack) - count
        if start < 0:
            raise ValueError("it takes values that it has not given")
        values = self.stack[start:]
        del self.stack[start:]
        return values

    def pop_group(self) -> list[Any]:
        return self.pop(len(self.stack) - self.marks.pop())

    def push_tuple(self, count: int) -> None:
        self.stack.append(tuple(self.pop(count)))

    def append(self, _: None) -> None:
        (value,) = self.pop(1)
        self.top_list().append(value)

    def extend(self, _: None) -> None:
        values = self.pop_group()
        self.top_list().extend(values)

    def store(self, index: int | None) -> None:
        self.memo[len(self.memo) if index is None else index] = self.stack[-1]

    def push_name(self, name: str | None) -> None:
        name = ".".join(self.pop(2)) if name is None else name.replace(" ", ".", 1)
        if name not in _CALLS and name not in _TYPES:
            raise ValueError(f"it calls {shorten(name, 60)}")
        self.stack.append(_Name(name))

    def call(self, _: None) -> None:
        function, arguments = self.pop(2)
        if type(function) is not _Name or function not in _CALLS:
            raise ValueError("it calls something that is not a function of arrays")
        self.stack.append(_CALLS[function](*arguments))

    def build(self, _: None) -> None:
        (state,) = self.pop(1)
        target = self.stack[-1]
        if type(target) is PickledArray:
            _, target.shape, target.dtype, _, target.data = state
        elif type(target) is PickledDtype:
            target.order = state[1]
        else:
            raise ValueError("it changes something that is not an array")


_ACTIONS = {
    "PROTO": lambda replay, _: None,
    "FRAME": lambda replay, _: None,
    "NEWTRUE": lambda replay, _: replay.stack.append(True),
    "NEWFALSE": lambda replay, _: replay.stack.append(False),
    "EMPTY_TUPLE": lambda replay, _: replay.push_tuple(0),
    "TUPLE1": lambda replay, _: replay.push_tuple(1),
    "TUPLE2": lambda replay, _: replay.push_tuple(2),
    "TUPLE3": lambda replay, _: replay.push_tuple(3),
    "TUPLE": lambda replay, _: replay.stack.append(tuple(replay.pop_group())),
    "EMPTY_LIST": lambda replay, _: replay.stack.append([]),
    "LIST": lambda replay, _: replay.stack.append(replay.pop_group()),
    "APPEND": _Replay.append,
    "APPENDS": _Replay.extend,
    "PUT": _Replay.store,
    "BINPUT": _Replay.store,
    "LONG_BINPUT": _Replay.store,
    "MEMOIZE": _Replay.store,
    "GET": lambda replay, index: replay.stack.append(replay.memo[index]),
    "BINGET": lambda replay, index: replay.stack.append(replay.memo[index]),
    "LONG_BINGET": lambda replay, index: replay.stack.append(replay.memo[index]),
    "GLOBAL": _Replay.push_name,
    "STACK_GLOBAL": _Replay.push_name,
    "REDUCE": _Replay.call,
    "BUILD": _Replay.build,
}

_TYPES = {"numpy.ndarray"}


def _make_array(subtype: Any, shape: Any, code: Any) -> PickledArray:
    return PickledArray()


def _make_dtype(code: Any, align: Any, copy: Any) -> PickledDtype:
    return PickledDtype(code)


def _make_array_of_buffer(data: Any, dtype: Any, shape: Any, order: Any) -> Any:
    return PickledArray(shape, dtype, data)


def _keep_text(text: Any, encoding: Any) -> Any:
    """Stand in for `_codecs.encode`, with which protocols 0 to 2 store bytes."""
    if encoding != "latin1":
        raise ValueError("it has bytes in another encoding than latin1")
    return text


def _make_no_bytes() -> bytes:
    """Stand in for `bytes`, which protocols 0 to 2 call for no bytes."""
    return b""


_CALLS = {
    "numpy.core.multiarray._reconstruct": _make_array,
    "numpy._core.multiarray._reconstruct": _make_array,
    "numpy.core.numeric._frombuffer": _make_array_of_buffer,
    "numpy._core.numeric._frombuffer": _make_array_of_buffer,
    "numpy.dtype": _make_dtype,
    "_codecs.encode": _keep_text,
    "__builtin__.bytes": _make_no_bytes,
    "builtins.bytes": _make_no_bytes,
}
