"""Damaged and tampered copies of a `best.keras`, each as the bytes of a file.

Every copy must be refused in one line. None may run code, read another file, or need
memory far beyond its own size.
"""

import base64
import copy
import hashlib
import io
import json
import marshal
import struct
import warnings
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import h5py
import numpy as np

from shared.runs.reader import MODEL_FACTS

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
HUGE = 10**9
RUN = "open({mark!r}, 'w').close()"  # code that must not run
FLIPS = 24


def list_damages(whole: bytes, mark: str) -> dict[str, bytes]:
    """Return the name of each damage and the damaged file.

    Args:
        whole: An intact file with an input, a GRU and a dense layer.
        mark: Path of a file that exists only if a damaged file ran code.
    """
    members = read_members(whole)
    sources = (
        _damage_bytes(whole),
        _damage_archive(members),
        _damage_note(members),
        _damage_config(members, mark),
        _damage_weights(members),
    )
    return {name: damaged for source in sources for name, damaged in source}


def read_members(whole: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def pack(members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    """Return the archive as one who also writes matching checksums would make it."""
    members = dict(members)
    if MODEL_FACTS in members:
        try:
            note = json.loads(members[MODEL_FACTS])
            note["sha256"] = {
                name: hashlib.sha256(content).hexdigest()
                for name, content in members.items()
                if name != MODEL_FACTS
            }
            members[MODEL_FACTS] = json.dumps(note).encode()
        except (ValueError, TypeError, RecursionError):
            pass  # the note itself is damaged
    return pack_list(list(members.items()), compression)


def pack_list(
    members: list[tuple[str, bytes]], compression: int = zipfile.ZIP_STORED
) -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w", compression) as archive:
        warnings.simplefilter("ignore")  # a name that comes twice
        for name, content in members:
            archive.writestr(name, content)
    return file.getvalue()


def _damage_bytes(whole: bytes) -> Iterator[tuple[str, bytes]]:
    """Damage as a bad disk or a broken copy does it."""
    names = list(read_members(whole).values())
    for content in names:  # in the content of each member
        place = whole.index(content)
        for k in range(FLIPS // len(names)):
            where = place + len(content) * k // (FLIPS // len(names))
            yield f"bit flipped at {where}", _flip(whole, where)
    for share in (0, 1, 10, 50, 90, 99):
        yield f"cut to {share} %", whole[: len(whole) * share // 100]
    yield "last byte missing", whole[:-1]
    yield "zeros in the middle", _overwrite(whole, b"\0" * 4096)
    yield "text", b"no archive"
    yield "a picture", b"\x89PNG\r\n\x1a\n" + bytes(100)
    yield "an HDF5 file", _make_h5(lambda file: None)


def _flip(whole: bytes, where: int) -> bytes:
    changed = bytearray(whole)
    changed[where] ^= 16
    return bytes(changed)


def _overwrite(whole: bytes, part: bytes) -> bytes:
    middle = len(whole) // 2
    return whole[:middle] + part + whole[middle + len(part) :]


def _damage_archive(members: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    for name in (CONFIG, WEIGHTS, MODEL_FACTS):
        yield f"without {name}", pack({k: v for k, v in members.items() if k != name})
        yield f"empty {name}", pack(members | {name: b""})
        doubled = [*members.items(), (name, members[name])]
        yield f"{name} twice", pack_list(doubled)
    yield (
        "members swapped",
        pack(members | {CONFIG: members[WEIGHTS], WEIGHTS: members[CONFIG]}),
    )
    for name in ("../outside", "/etc/outside", "assets/../../outside", "extra.py"):
        yield f"member {name}", pack(members | {name: b"x"})
    other = json.loads(members[MODEL_FACTS]) | {"sha256": {CONFIG: "0" * 64}}
    yield (
        "checksums of another model",
        pack_list([*(members | {MODEL_FACTS: json.dumps(other).encode()}).items()]),
    )
    bomb = members | {WEIGHTS: bytes(50_000_000)}
    yield "bomb", pack(bomb, zipfile.ZIP_DEFLATED)
    yield "LZMA", pack(members, zipfile.ZIP_LZMA)
    for size in (2**31, 2**32 - 2):
        yield f"declares {size} bytes", _declare_size(pack(members), size)
    encrypted = bytearray(pack(members))
    for start in _find_all(bytes(encrypted), b"PK\x01\x02"):
        encrypted[start + 8] |= 1
    for start in _find_all(bytes(encrypted), b"PK\x03\x04"):
        encrypted[start + 6] |= 1
    yield "encrypted", bytes(encrypted)


def _declare_size(packed: bytes, size: int) -> bytes:
    changed = bytearray(packed)
    for start in _find_all(packed, b"PK\x01\x02"):
        struct.pack_into("<II", changed, start + 20, size, size)
    return bytes(changed)


def _find_all(text: bytes, part: bytes) -> Iterator[int]:
    place = text.find(part)
    while place >= 0:
        yield place
        place = text.find(part, place + 1)


def _damage_note(members: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    note = json.loads(members[MODEL_FACTS])
    layer = next(iter(note["restore"]["layers"]))
    texts = ["null", "[]", "3", '"text"', "{}", "{", "[" * 100_000, "1" * 10_000,
             '{"restore": NaN}', '{"settings": []}', '{"settings": null}']  # fmt: skip
    for text in texts:
        yield f"note {text[:20]}", pack(members | {MODEL_FACTS: text.encode()})
    yield "note not UTF-8", pack(members | {MODEL_FACTS: b'{"restore": "\xff"}'})
    for key in ("layers", "kernel", "jit", "dense_gradient"):
        for value in ([], 3, "other", {"a": 1}):
            if (key, value) == ("dense_gradient", 3):
                continue
            yield f"note restore {key} {value}", _pack_note(members, note, key, value)
    for value in (None, {}, [], {"implementation": 2}, {"cudnn": "auto"},
                  {"implementation": "2", "cudnn": "auto"},
                  {"implementation": 99, "cudnn": "auto"},
                  {"implementation": 2, "cudnn": "os.system"}):  # fmt: skip
        yield f"note layer {value}", _pack_note(members, note, "layers", {layer: value})
    for value in (None, [], 3, "text"):
        changed = json.dumps(note | {"restore": value}).encode()
        yield f"note restore {value}", pack(members | {MODEL_FACTS: changed})


def _pack_note(members: dict[str, bytes], note: Any, key: str, value: Any) -> bytes:
    changed = note | {"restore": note["restore"] | {key: value}}
    return pack(members | {MODEL_FACTS: json.dumps(changed).encode()})


def _damage_config(members: dict[str, bytes], mark: str) -> Iterator[tuple[str, bytes]]:
    code = base64.b64encode(marshal.dumps(compile(RUN.format(mark=mark), "", "exec")))
    value = [code.decode(), None, None]
    function = {"class_name": "__lambda__", "config": {"value": value}}
    foreign = {
        "os.system": ("os", "system", "os.system"),
        "posix.system": ("posix", "system", None),
        "subprocess.Popen": ("subprocess", "Popen", "Popen"),
        "builtins.eval": ("builtins", "eval", "eval"),
        "keras.utils.get_file": ("keras.utils", "get_file", "get_file"),
        "keras.config.enable_unsafe_deserialization": (
            "keras.config", "enable_unsafe_deserialization", None),
        "keras.src.saving.saving_lib.load_model": (
            "keras.src.saving.saving_lib", "load_model", None),
        "shared.core.files.write_text": ("shared.core.files", "write_text", None),
        "keras.layers.TFSMLayer": ("keras.layers", "TFSMLayer", None),
        "keras.layers.Lambda": ("keras.layers", "Lambda", None),
        "keras.layers.TorchModuleWrapper": ("keras.layers", "TorchModuleWrapper", None),
        "keras.layers.NoSuchLayer": ("keras.layers", "NoSuchLayer", None),
        "no module": (None, "Dense", None),
        "null": (None, None, None),
        "a list": ([], [], []),
    }  # fmt: skip
    for name, (module, class_name, registered) in foreign.items():
        named = {"module": module, "class_name": class_name,
                 "registered_name": registered}  # fmt: skip
        places: dict[str, Callable[[Any], Any]] = {
            "layer": lambda c: c["config"]["layers"][-1],
            "model": lambda c: c,
            "initializer": lambda c: _dense(c)["kernel_initializer"],
            "optimizer": lambda c: c["compile_config"]["optimizer"],
        }
        for part, find in places.items():
            changed = _pack_config(members, lambda c, f=find, n=named: f(c).update(n))
            yield f"{part} is {name}", changed
    as_function = {"module": "os", "class_name": "function", "config": "system",
                   "registered_name": "system"}  # fmt: skip
    changes: dict[str, Callable[[Any], object]] = {
        "activation is a lambda": lambda c: _dense(c).update(activation=function),
        "loss is a lambda": lambda c: c["compile_config"].update(loss=function),
        "activation is os.system": lambda c: _dense(c).update(activation=as_function),
        "activation is unknown": lambda c: _dense(c).update(activation="system"),
        "a Lambda layer": lambda c: c["config"]["layers"][-1].update(
            class_name="Lambda",
            config={"name": "dense", "function": function, "trainable": True}),
        "a type": lambda c: _dense(c).update(
            activation={"class_name": "__typespec__", "spec_name": "x", "config": [],
                        "module": "os", "registered_name": "x"}),
        "huge units": lambda c: _dense(c).update(units=HUGE),
        "huge GRU": lambda c: _gru(c).update(units=HUGE),
        "units 2**63": lambda c: _gru(c).update(units=2**63),
        "units 10**400": lambda c: _gru(c).update(units=10**400),
        "units 30,000": lambda c: _gru(c).update(units=30_000),
        "units -1": lambda c: _gru(c).update(units=-1),
        "units 0": lambda c: _gru(c).update(units=0),
        "units as text": lambda c: _gru(c).update(units="3"),
        "units null": lambda c: _gru(c).update(units=None),
        "more units": lambda c: _gru(c).update(units=4),
        "wide input": lambda c: c["config"]["layers"][0]["config"].update(
            batch_shape=[None, 5, HUGE]),
        "long input that is unrolled": lambda c: (
            c["config"]["layers"][0]["config"].update(batch_shape=[None, HUGE, 2]),
            _gru(c).update(unroll=True)),
        "huge metric": lambda c: c["compile_config"].update(metrics=[
            {"module": "keras.metrics", "class_name": "AUC", "registered_name": None,
             "config": {"num_thresholds": HUGE}}]),
        "huge metric with labels": lambda c: c["compile_config"].update(metrics=[
            {"module": "keras.metrics", "class_name": "AUC", "registered_name": None,
             "config": {"num_thresholds": 100_000, "multi_label": True,
                        "num_labels": 100_000}}]),
        "no layers": lambda c: c["config"].update(layers=[]),
        "layers null": lambda c: c["config"].update(layers=None),
        "a layer twice": lambda c: c["config"]["layers"].append(
            copy.deepcopy(c["config"]["layers"][-1])),
        "a layer less": lambda c: c["config"]["layers"].pop(),
        "no outputs": lambda c: c["config"].pop("output_layers"),
        "config is null": lambda c: c.update(config=None),
        "no class": lambda c: c.pop("class_name"),
        "optimizer is unknown": lambda c: c["compile_config"].update(optimizer="x"),
        "compile_config is a list": lambda c: c.update(compile_config=[1]),
        "unknown argument": lambda c: _dense(c).update(command="x"),
        "unknown type": lambda c: _dense(c).update(dtype="complex999"),
    }  # fmt: skip
    for name, change in changes.items():
        yield name, _pack_config(members, change)
    for text in ("null", "[]", "3", "{}", "{", '"x"', "[" * 100_000,
                 '{"a":' * 50_000, "1" * 10_000):  # fmt: skip
        yield f"config {text[:9]}", pack(members | {CONFIG: text.encode()})
    yield "config not UTF-8", pack(members | {CONFIG: b"\xff\xfe{}"})


def _gru(config: Any) -> dict[str, Any]:
    return config["config"]["layers"][1]["config"]


def _dense(config: Any) -> dict[str, Any]:
    return config["config"]["layers"][-1]["config"]


def _pack_config(members: dict[str, bytes], change: Callable[[Any], object]) -> bytes:
    config = json.loads(members[CONFIG])
    change(config)
    return pack(members | {CONFIG: json.dumps(config).encode()})


def _damage_weights(members: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    whole = members[WEIGHTS]

    def edited(change: Callable[[h5py.File], object]) -> bytes:
        return pack(members | {WEIGHTS: _edit_h5(whole, change)})

    def replace(file: h5py.File, make: Callable[[h5py.Group, str], object]) -> None:
        path = _find_kernel(file)
        group, _, name = path.rpartition("/")
        del file[path]
        make(file[group], name)

    def external(group: h5py.Group, name: str) -> None:
        place = [("/etc/passwd", 0, 12)]
        group.create_dataset(name, (3, 1), "f4", external=place)

    def virtual(group: h5py.Group, name: str) -> None:
        layout = h5py.VirtualLayout((3, 1), "f4")
        layout[:] = h5py.VirtualSource("/nowhere/other.h5", "x", (3, 1))
        group.create_virtual_dataset(name, layout)

    replacements: dict[str, Callable[[h5py.Group, str], object]] = {
        "soft link": lambda g, n: g.__setitem__(n, h5py.SoftLink("/elsewhere")),
        "soft link to itself": lambda g, n: g.__setitem__(
            n, h5py.SoftLink(f"{g.name}/{n}")),
        "external link": lambda g, n: g.__setitem__(
            n, h5py.ExternalLink("/nowhere/other.h5", "/x")),
        "external data": external,
        "virtual data": virtual,
        "group": lambda g, n: g.create_group(n),
        "nothing": lambda g, n: None,
        "other shape": lambda g, n: g.create_dataset(n, data=np.ones((5, 1), "f4")),
        "one axis": lambda g, n: g.create_dataset(n, data=np.ones(3, "f4")),
        "text": lambda g, n: g.create_dataset(n, data=np.array([[b"a"]] * 3)),
        "a null space": lambda g, n: g.create_dataset(n, data=h5py.Empty("f4")),
        "huge and unwritten": lambda g, n: g.create_dataset(n, (HUGE, 1000), "f4"),
        "right and unwritten": lambda g, n: g.create_dataset(n, (3, 1), "f4"),
        "packed": lambda g, n: g.create_dataset(
            n, data=np.zeros((3_000_000, 1), "f4"), compression="gzip"),
        "complex": lambda g, n: g.create_dataset(n, data=np.ones((3, 1), "c16")),
        "pieces": lambda g, n: g.create_dataset(
            n, data=np.ones((3, 1), "f4"), chunks=(1, 1)),
        "an alias": lambda g, n: g.__setitem__(n, g.file[_find_kernel(g.file)]),
    }  # fmt: skip
    for name, make in replacements.items():
        yield f"weights: {name}", edited(lambda file, m=make: replace(file, m))
    yield (
        "weights: a cycle",
        edited(lambda file: file["layers"].__setitem__("again", file["/"])),
    )
    yield "weights: no layers", edited(lambda file: file.__delitem__("layers"))
    for share in (0, 20, 60, 95):
        cut = whole[: len(whole) * share // 100]
        yield f"weights: cut to {share} %", pack(members | {WEIGHTS: cut})
    yield "weights: zeros", pack(members | {WEIGHTS: bytes(len(whole))})
    yield (
        "weights: npz",
        pack(
            {k: v for k, v in members.items() if k != WEIGHTS}
            | {"model.weights.npz": b"PK"}
        ),
    )


def _make_h5(change: Callable[[h5py.File], object]) -> bytes:
    file = io.BytesIO()
    with h5py.File(file, "w") as h5:
        change(h5)
    return file.getvalue()


def _edit_h5(whole: bytes, change: Callable[[h5py.File], object]) -> bytes:
    file = io.BytesIO(whole)
    with h5py.File(file, "r+") as h5:
        change(h5)
    return file.getvalue()


def _find_kernel(file: h5py.File) -> str:
    """Return the path of the last layer's kernel, or of another one if it is gone."""
    found: list[str] = []

    def keep(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Dataset):
            found.append(name)

    file["layers"].visititems(keep)
    dense = [name for name in found if name.startswith("dense/")]
    return "/layers/" + (dense or found)[0]
