"""Ways to damage a run folder, each with a name."""

from __future__ import annotations

import copy
import json
import os
import shutil
import socket
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

Damage = Callable[[Path], object]
"""Damages the run folder that it is given."""
JSON = ("config.json", "summary.json", "kernels.json")
FILES = (*JSON, "history.csv", "predictions.npz", "best.keras")
VALUES = {
    "null": None, "text": "x", "number": 7, "negative": -3, "huge": 10**30,
    "float": 1e308, "true": True, "list": [1, "a", None], "object": {"a": {"b": 1}},
    "empty text": "", "control": "\x1b[31m[red]a[/red]\u202e\r\nb", "long": "a" * 5000,
}  # fmt: skip


def list_damages(folder: Path) -> Iterator[tuple[str, Damage]]:
    """Yield every damage that fits the files of a run folder.

    Args:
        folder: A good run folder. It is only read.
    """
    for name in FILES:
        if (folder / name).is_file():
            yield from damage_file(name)
    for name in JSON:
        if (folder / name).is_file():
            yield from damage_text(name, folder)
            yield from damage_fields(name, folder)
    if (folder / "history.csv").is_file():
        yield from damage_history(folder)
    if (folder / "predictions.npz").is_file():
        yield from damage_arrays(folder)


def damage_file(name: str) -> Iterator[tuple[str, Damage]]:
    """Yield damages of a file as a whole."""

    def replace(make: Callable[[Path], object]) -> Damage:
        def damage(folder: Path) -> None:
            (folder / name).unlink()
            make(folder / name)

        return damage

    def make_socket(path: Path) -> None:
        with socket.socket(socket.AF_UNIX) as server:
            here = Path.cwd()
            os.chdir(path.parent)  # the path of a socket is short
            server.bind(path.name)
            os.chdir(here)

    def edit(change: Callable[[bytes], bytes]) -> Damage:
        def damage(folder: Path) -> None:
            path = folder / name
            path.write_bytes(change(path.read_bytes()))

        return damage

    def flip(content: bytes, place: float, bit: int) -> bytes:
        changed = bytearray(content)
        changed[int(place * len(content))] ^= 1 << bit
        return bytes(changed)

    def sparse(path: Path) -> None:
        with path.open("wb") as file:
            file.truncate(3_000_000_000)

    ways = {
        "gone": lambda folder: (folder / name).unlink(),
        "empty": edit(lambda content: b""),
        "half": edit(lambda content: content[: len(content) // 2]),
        "first byte": edit(lambda content: content[:1]),
        "without last byte": edit(lambda content: content[:-1]),
        "zeros": edit(lambda content: bytes(len(content))),
        "0xff": edit(lambda content: b"\xff" * 100),
        "twice": edit(lambda content: content * 2),
        "UTF-16": edit(lambda content: content.decode("latin-1").encode("utf-16")),
        "BOM": edit(lambda content: b"\xef\xbb\xbf" + content),
        "FIFO": replace(os.mkfifo),
        "socket": replace(make_socket),
        "folder": replace(Path.mkdir),
        "link to itself": replace(lambda path: path.symlink_to(path.name)),
        "broken link": replace(lambda path: path.symlink_to("nowhere")),
        "link to /dev/zero": replace(lambda path: path.symlink_to("/dev/zero")),
        "3 GB": replace(sparse),
    } | {
        f"bit {bit} at {place}": edit(lambda c, p=place, b=bit: flip(c, p, b))
        for place in (0.0, 0.2, 0.4, 0.6, 0.8, 0.99)
        for bit in (0, 6)
    }
    ways |= {
        f"swapped for {other}": lambda folder, other=other: shutil.copy(
            folder / other, folder / name
        )
        for other in FILES
        if other != name
    }
    for way, damage in ways.items():
        yield f"{name}: {way}", damage


def damage_text(name: str, folder: Path) -> Iterator[tuple[str, Damage]]:
    """Yield JSON texts that are not what the project writes."""
    good = (folder / name).read_text()
    texts = {
        "list": "[]", "text": '"a"', "null": "null", "number": "1e999",
        "deep": "[" * 200_000, "deep object": '{"a":' * 20_000 + "1" + "}" * 20_000,
        "NaN": good.replace(": null", ": NaN", 1).replace(": 1", ": NaN", 1),
        "infinite": good[:-2] + ', "more": 1e999}', "open": good.rstrip()[:-1],
        "key twice": good.replace("{", '{"recipe": "other", ', 1),
        "many digits": good.rstrip()[:-1] + ', "more": ' + "9" * 5000 + "}",
        "lone surrogate": good.rstrip()[:-1] + ', "more": "\\ud800"}',
        "empty object": "{}",
    }  # fmt: skip
    for way, text in texts.items():
        yield f"{name}: {way}", lambda f, t=text: (f / name).write_text(t)


def damage_fields(name: str, folder: Path) -> Iterator[tuple[str, Damage]]:
    """Yield every field of a JSON file, deleted and with other values."""
    content = json.loads((folder / name).read_text())
    for place in _list_places(content):
        label = f"{name}: {'.'.join(map(str, place))}"
        yield f"{label} deleted", _make_edit(name, content, place)
        for way, value in VALUES.items():
            yield f"{label} = {way}", _make_edit(name, content, place, value)


def damage_history(folder: Path) -> Iterator[tuple[str, Damage]]:
    """Yield tables that do not fit the run."""
    header, *rows = (folder / "history.csv").read_text().splitlines()
    names = header.split(",")
    tables = {
        "header only": [header], "no header": rows,
        "one row less": [header, *rows[:-1]],
        "a row twice": [header, *rows, rows[-1]], "ragged": [header, rows[0] + ",1"],
        "short row": [header, *rows[:-1], rows[-1].rpartition(",")[0]],
        "open quote": [header, '"' + rows[0]], "NUL": [header, "\0" + rows[0]],
        "other order": [header, *rows[::-1]], "semicolons": [
            line.replace(",", ";") for line in (header, *rows)],
        "blank line": [header, "", *rows], "two names alike": [
            header.replace(names[1], names[2], 1), *rows],
        "long cell": [header, "1" * 200_000 + rows[0]],
    }  # fmt: skip
    for k, column in enumerate(names):
        renamed = [*names[:k], "other", *names[k + 1 :]]
        tables[f"{column} renamed"] = [",".join(renamed), *rows]
        tables[f"{column} missing"] = [
            ",".join(cell for j, cell in enumerate(line.split(",")) if j != k)
            for line in (header, *rows)
        ]
        for value in ("", "nan", "inf", "x", "-1", "1e200", "1_0", "0x1"):
            cells = rows[0].split(",")
            cells[k] = value
            tables[f"{column} = {value!r}"] = [header, ",".join(cells), *rows[1:]]
    for way, lines in tables.items():
        text = "\n".join(lines) + "\n"
        yield f"history.csv: {way}", lambda f, t=text: (f / "history.csv").write_text(t)


def damage_arrays(folder: Path) -> Iterator[tuple[str, Damage]]:
    """Yield arrays that do not fit each other or the run."""
    name = "predictions.npz"
    with np.load(folder / name) as stored:
        good = dict(stored)

    def save(arrays: dict[str, np.ndarray]) -> Damage:
        return lambda folder: np.savez_compressed(folder / name, **arrays)

    for key, array in good.items():
        changed: dict[str, Any] = {
            "scalar": np.array(3), "none": array[:0] if array.ndim else array[None][:0],
            "half": array[: len(array) // 2] if array.ndim else array + 7,
            "objects": np.array([None, {}], dtype=object),
            "texts": np.array(["a", "b"]),
            "bytes": np.array([b"\xff"]), "complex": np.array([1j]),
            "times": np.array(["2020-01-01", "NaT"], "M8[D]"),
            "more axes": np.broadcast_to(array, (2, *array.shape)),
            "one axis more": array[..., None], "structured": np.zeros(3, "i4,f8"),
        }  # fmt: skip
        if array.dtype.kind == "f":
            changed["NaN"] = np.where(np.arange(array.size) == 0, np.nan, array.ravel())
            changed["infinite"] = np.full_like(array, np.inf)
        if array.dtype.kind in "iuf":
            changed["negative"] = -np.abs(array) - 1
            changed["huge"] = np.full_like(array, np.iinfo(np.int32).max)
        less = {k: v for k, v in good.items() if k != key}
        yield f"{name}: {key} missing", save(less)
        yield f"{name}: {key} under another name", save(less | {"other": array})
        for way, value in changed.items():
            yield f"{name}: {key} {way}", save(good | {key: value})
    yield f"{name}: no array", save({})

    def write_header(shape: str, size: int = 100) -> Damage:
        def damage(folder: Path) -> None:
            head = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}"
            text = head.encode().ljust(117) + b"\n"
            npy = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text
            with zipfile.ZipFile(folder / name, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr("targets.npy", npy + bytes(size))

        return damage

    for shape in ("(10**13,)", "(1000000000000,)", "(-1,)", "(2**70,)", "x", "(1, 2"):
        yield f"{name}: header of {shape}", write_header(shape)
    yield f"{name}: bomb", write_header("(40000000,)", 320_000_000)


def _list_places(value: Any, place: tuple = ()) -> Iterator[tuple]:
    """Yield the path of every field; of lists, the first item stands for all."""
    if place:
        yield place
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _list_places(item, (*place, key))
    elif isinstance(value, list) and value:
        yield from _list_places(value[0], (*place, 0))


def _make_edit(name: str, content: Any, place: tuple, *value: Any) -> Damage:
    """Return a damage that sets a field, or deletes it if there is no value."""

    def damage(folder: Path) -> None:
        changed = copy.deepcopy(content)
        parent = changed
        for key in place[:-1]:
            parent = parent[key]
        if value:
            parent[place[-1]] = value[0]
        else:
            del parent[place[-1]]
        (folder / name).write_text(json.dumps(changed))

    return damage
