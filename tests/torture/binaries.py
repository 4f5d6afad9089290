"""Damaged and hostile binary files: refused in one line, or read with right numbers."""

from __future__ import annotations

import contextlib
import functools
import gzip
import io
import os
import pickle
import tempfile
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np

from shared.core.backend import import_keras
from shared.core.cache import read_cached, write_cached
from shared.core.errors import UserError
from shared.data.imdb.archive import read_reviews
from shared.data.sources import Source
from shared.data.unpack import FREE_BYTES, read_packed
from tests.data.test_object_arrays import ARRAY, HOSTILE, STATE, make_npy
from tests.helpers import make_reviews
from tests.torture.folders import change_bytes
from tests.torture.outcome import REFUSED, SHOWN, check, check_line, refuse_or

NUM_REVIEWS = 12
MOST_MEMORY = 5 * FREE_BYTES  # bytes; all files here are small
TABLE = b"a,b\n" + b"".join(b"%d,%d.5\n" % (k, k * k) for k in range(300))
CACHED = {"tokens": np.arange(50), "facts": np.array("a fact")}
FACTS = {"milliseconds": {"keras": 1.5, "compiled": 0.5}, "cores": 2}


def attempt(random: Random, place: Path, with_models: bool = True) -> str:
    """Damage one file of one kind, and read it."""
    kinds: list[Callable[[Random, Path], str]]
    kinds = [try_pickle, try_archive, try_bomb, try_packed, try_cache]
    kind = random.choice([*kinds, try_model] if with_models else kinds)
    print(kind.__name__)
    if kind is try_model:  # Keras needs memory for itself
        return kind(random, place)
    tracemalloc.start()
    try:
        outcome = kind(random, place)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    check(peak < MOST_MEMORY, f"{peak:,} bytes of memory")
    return outcome


def try_pickle(random: Random, place: Path) -> str:
    """Change the pickle of the reviews, and pack it with a matching checksum."""
    protocol = random.randrange(6)
    members = pack_reviews(protocol)
    name = random.choice(list(members))
    members[name] = change_bytes(random, members[name])
    return refuse_or(lambda: check_reviews(read(write_zip(place, members))))


def try_archive(random: Random, place: Path) -> str:
    """Change the bytes of the whole file: the numbers stay, or it is refused."""
    path = write_zip(place, pack_reviews(random.randrange(6)))
    whole = path.read_bytes()
    expected = read(path)
    path.write_bytes(change_bytes(random, whole))
    os.environ["RNN_RECIPES_CACHE"] = str(place / "cache2")

    def compare() -> None:
        found = read(path)
        for part in ("train", "test"):
            check(
                getattr(found, part).tokens.tolist()
                == getattr(expected, part).tokens.tolist(),
                "other word ids",
            )

    return refuse_or(compare)


def try_bomb(random: Random, place: Path) -> str:
    """Hide a hostile pickle or a bomb among good arrays."""
    members = pack_reviews(random.randrange(6))
    content = random.choice(list(HOSTILE.values()))
    bombs = {
        "x_train.npy": make_npy(
            "|O", "2,", b"\x80\x02" + ARRAY + STATE + content + b"tb."
        ),
        "x_test.npy": make_npy("|O", f"{10 ** random.randrange(2, 18)},", bytes(9)),
        "y_train.npy": make_npy("<i8", f"{10 ** random.randrange(2, 18)},", bytes(9)),
        "y_test.npy": bytes(10 ** random.randrange(3, 8)),
    }
    name = random.choice(list(bombs))
    members[name] = bombs[name]
    path = write_zip(place, members)
    outcome = refuse_or(lambda: read(path))
    check(outcome == REFUSED, f"read: {name}")
    return outcome


def try_packed(random: Random, place: Path) -> str:
    """Change a packed table; or pack far too much into it."""
    suffix = random.choice(["gz", "zip"])
    bomb = random.random() < 0.1
    content = bytes(8 * FREE_BYTES) if bomb else TABLE
    path = place / f"table.csv.{suffix}"
    if suffix == "gz":
        whole = gzip.compress(content, 1)
    else:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("table.csv", content)
        whole = packed.getvalue()
    del content
    tracemalloc.reset_peak()
    path.write_bytes(whole if bomb else change_bytes(random, whole))

    def compare() -> None:
        check(read_packed(path) == TABLE, "other content")

    return refuse_or(compare)


def try_cache(random: Random, place: Path) -> str:
    """Change a cached file: its content stays, or it is computed again."""
    os.environ["RNN_RECIPES_CACHE"] = str(place)
    name, content = random.choice([("a.npz", CACHED), ("a.json", FACTS)])
    write_cached(name, content)
    (place / name).write_bytes(change_bytes(random, (place / name).read_bytes()))
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        found = read_cached(name, lambda content: content)
    if found is None:
        if output.getvalue():  # a file of another format is left silently
            check_line(output.getvalue())
        return REFUSED
    check(found.keys() == content.keys(), f"other names: {found}")
    same = [np.array_equal(found[key], content[key]) for key in content]
    check(all(same), f"other content: {found}")
    return SHOWN


def try_model(random: Random, place: Path) -> str:
    """Load a tampered `best.keras`: the same outputs, or one line and no code run."""
    whole, damages, mark, outputs = make_model()
    from shared.inference.load_model import load_model

    if random.random() < 0.6:
        name, damaged = random.choice(list(damages.items()))
    else:
        name, damaged = "noise", change_bytes(random, whole)
    print(name)
    path = place / "best.keras"
    path.write_bytes(damaged)
    try:
        model = load_model(path)
    except UserError as error:
        check(not mark.exists(), "code was run")
        return check_line(str(error))
    check(name == "noise", "loaded")
    found = model.predict(np.ones((4, 5, 2), "float32"), verbose=0)
    check(np.array_equal(found, outputs), "other outputs")
    return SHOWN


@functools.cache
def make_model() -> tuple[bytes, dict[str, bytes], Path, np.ndarray]:
    """Return a model's file, its damages, the mark of code that ran, and outputs."""
    import_keras()
    from shared.inference.load_model import load_model
    from tests.inference.damaged_models import list_damages
    from tests.inference.test_load_model import make_model_file

    with tempfile.TemporaryDirectory() as name:
        path = make_model_file(Path(name))
        outputs = load_model(path).predict(np.ones((4, 5, 2), "float32"), verbose=0)
        mark = Path(tempfile.gettempdir(), f"torture-{os.getpid()}-mark")
        whole = path.read_bytes()
        return whole, list_damages(whole, str(mark)), mark, outputs


@functools.cache
def _pack_reviews(protocol: int) -> dict[str, bytes]:
    members = {}
    for name, array in make_reviews(NUM_REVIEWS).items():
        if array.dtype == object:
            content = pickle.dumps(array, protocol)
            members[f"{name}.npy"] = make_npy("|O", f"{len(array)},", content)
        else:
            content = array.astype("<i8").tobytes()
            members[f"{name}.npy"] = make_npy("<i8", f"{len(array)},", content)
    return members


def pack_reviews(protocol: int) -> dict[str, bytes]:
    """Return the files of an `imdb.npz` whose pickles have a protocol."""
    return dict(_pack_reviews(protocol))


def write_zip(place: Path, members: dict[str, bytes]) -> Path:
    path = place / "imdb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def read(path: Path):
    os.environ["RNN_RECIPES_CACHE"] = str(path.parent / "cache")
    with contextlib.redirect_stdout(io.StringIO()):
        return read_reviews(Source(path, "torture", "0" * 64))


def check_reviews(reviews) -> None:
    """Check that whatever a file gave is reviews: plain numbers that fit each other."""
    for part in ("train", "test"):
        sequences, labels = getattr(reviews, part), getattr(reviews, f"{part}_labels")
        check(sequences.tokens.dtype == np.int32, "tokens of another type")
        check((sequences.tokens >= 0).all(), "negative word ids")
        check(sequences.offsets[-1] == len(sequences.tokens), "other offsets")
        check(len(labels) == len(sequences), "other labels")
        check(set(labels.tolist()) == {0, 1}, "labels that are not 0 and 1")
