"""Object arrays: what is read, and what must never run."""

import os
import pickle
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest

from shared.data.imdb import object_arrays, plain_pickle
from shared.data.imdb.object_arrays import read_array, read_sequences
from tests.helpers import make_reviews, object_array, write_npz, write_npz_pickled


def read(path, name="x_train"):
    with zipfile.ZipFile(path) as archive:
        return read_sequences(archive, name)


def test_lists_become_flat_tokens_and_offsets(tmp_path):
    rows = object_array([[5, 300, 7], [], [70_000]])
    sequences = read(write_npz(tmp_path / "a.npz", {"x_train": rows}))
    assert sequences.tokens.tolist() == [5, 300, 7, 70_000]
    assert sequences.offsets.tolist() == [0, 3, 3, 4]
    assert sequences.tokens.dtype == np.int32
    assert sequences[0].tolist() == [5, 300, 7]
    assert len(sequences) == 3


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("dtype", ["<i2", ">i4", "<i8", "u1"])
def test_rows_that_are_integer_arrays_are_read_too(tmp_path, dtype, protocol):
    parts = [[1, 2, 120], [], [200]] if dtype == "u1" else [[1, 2, 300], [], [9]]
    rows = object_array([np.array(part, dtype) for part in parts])
    path = write_npz_pickled(tmp_path / "a.npz", rows, 3, protocol)
    sequences = read(path)
    assert [sequences[k].tolist() for k in range(3)] == parts


@pytest.mark.parametrize("protocol", range(6))
def test_pickles_of_all_protocols_are_read(tmp_path, protocol):
    parts = [[1, 2], [], [7], [3, 400, 70_000] * 700]
    path = write_npz_pickled(tmp_path / "a.npz", object_array(parts), 4, protocol)
    sequences = read(path)
    assert [sequences[k].tolist() for k in range(4)] == parts


class Trap:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    "place", ["instead of the array", "as a review", "in a review"]
)
@pytest.mark.parametrize("function", [os.mkdir, eval, getattr, np.save, pickle.loads])
def test_a_trapped_file_runs_nothing(tmp_path, place, function):
    mark = tmp_path / "sprung"
    argument = {
        os.mkdir: str(mark),
        eval: f"__import__('os').mkdir({str(mark)!r})",
        pickle.loads: pickle.dumps(Trap(os.mkdir, str(mark))),
    }.get(function, str(mark))
    trap = Trap(function, argument)
    content = {
        "instead of the array": trap,
        "as a review": object_array([[1], trap]),
        "in a review": object_array([[1], [2, trap]]),
    }[place]
    path = write_npz_pickled(tmp_path / "a.npz", content, 2)
    with pytest.raises(ValueError, match="it calls"):
        read(path)
    assert not mark.exists()
    # The trap works: an ordinary reader runs it.
    if function is os.mkdir and place == "as a review":
        np.load(path, allow_pickle=True)["x_train"]
        assert mark.exists()


@pytest.mark.parametrize(
    "row",
    [
        [1.5],
        ["a"],
        [[1], [2]],
        [[1], [2, 3]],
        [True, False],
        [2**40],
        [-1],
        [None],
        "abc",
        3,
        {"a": 1},
        np.array([1.0]),
        np.array([[1, 2]], dtype=object),
        np.array([[1, 2], [3, 4]]),
    ],
    ids=repr,
)
def test_anything_but_integers_is_refused(tmp_path, row):
    path = write_npz_pickled(tmp_path / "a.npz", object_array([[1, 2], row]), 2)
    with pytest.raises(ValueError, match=r"x_train"):
        read(path)


def test_a_header_with_another_length_is_refused(tmp_path):
    path = write_npz_pickled(tmp_path / "a.npz", object_array([[1], [2]]), 3)
    with pytest.raises(ValueError, match="3 lists"):
        read(path)


def test_every_truncation_is_an_error_not_a_crash(tmp_path):
    whole = write_npz(tmp_path / "a.npz", make_reviews(6)).read_bytes()
    cut = tmp_path / "cut.npz"
    for size in range(0, len(whole) - 1, 7):
        cut.write_bytes(whole[:size])
        with pytest.raises((ValueError, zipfile.BadZipFile)):
            read(cut)


def test_flipped_bytes_never_give_other_tokens(tmp_path):
    path = write_npz(tmp_path / "a.npz", make_reviews(6))
    whole, expected = path.read_bytes(), read(path).tokens
    random = np.random.default_rng(0)
    refused = 0
    for place in random.integers(0, len(whole), 200).tolist():
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(random.integers(8))
        path.write_bytes(bytes(damaged))
        try:
            assert np.array_equal(read(path).tokens, expected)
        except (ValueError, zipfile.BadZipFile):
            refused += 1
    assert refused > 20


def test_a_plain_array_must_be_integers(tmp_path):
    arrays = {"a": np.array([0.5]), "b": object_array([[1]]), "c": np.array([[1]])}
    with zipfile.ZipFile(write_npz(tmp_path / "a.npz", arrays)) as archive:
        for name in (*arrays, "missing"):
            with pytest.raises(ValueError, match=name):
                read_array(archive, name)


def test_a_small_file_cannot_unpack_to_a_huge_array(tmp_path, monkeypatch):
    monkeypatch.setattr(object_arrays, "MAX_TOKENS", 1000)
    rows = object_array([[1] * 100] * 30)  # one list, named thirty times
    path = write_npz_pickled(tmp_path / "a.npz", rows, 30)
    with pytest.raises(ValueError, match=r"more than [\d,]+ tokens"):
        read(path)


ARRAY = (
    b"cnumpy.core.multiarray\n_reconstruct\nq\x00"
    b"(cnumpy\nndarray\nq\x02K\x00\x85U\x01btq\x01R"
)
STATE = b"(K\x01K\x02\x85cnumpy\ndtype\nU\x02O8K\x00K\x01\x87R\x89"
HOSTILE = {
    "an address to read from": (
        b"](](h\x02)R}U\x13__array_interface__}(U\x07versionK\x03U\x05shapeK\x09\x85"
        b"U\x07typestrU\x03<i8U\x04dataM\x10\x27\x89\x86usbe](K\x05ee"
    ),
    "a far place in the memo": b"](]r\xff\xff\xff\x7fh\xff]e",
    "a far place in the memo, as text": b"](]p99999999999999999999\ng8\ne",
    "long bytes": b"]\x8e" + struct.pack("<Q", 2**40) + b"a",
    "long text": b"]\x8d" + struct.pack("<Q", 2**62) + b"a",
    "long bytes to change": b"]\x96" + struct.pack("<Q", 2**34) + b"a",
    "a long integer": b"](\x8b" + struct.pack("<i", 2**20) + bytes(2**20) + b"e",
    "a long integer, as text": b"](L" + b"9" * 10**5 + b"L\ne",
    "an array of itself": b"]q\x05h\x05ah\x05a",
    "numbers as rows": b"](K\x05K\x06e",
    "many lists": b"](" + b"]" * 2**17 + b"e",
    "a deep tuple": b"N" + b"\x85" * 2**17,
    "many marks": b"(" * 2**17,
    "one list, named often": b"](]q\x05" + b"h\x05" * 2**16 + b"e",
    "one long list, named often": (
        b"](](" + b"K\x05" * 10**5 + b"eq\x05" + b"h\x05" * 2000 + b"e"
    ),
    "a function": b"](cos\ngetcwd\n)R]e",
    "an old instance": b"](K\x05icollections\nOrderedDict\n]e",
    "a new instance": b"](cnumpy\nndarray\n)\x81]e",
    "a dictionary": b"](}]e",
    "a name from outside": b"](Pname\n]e",
    "nothing": b"",
}


@pytest.fixture
def little_memory():
    """Fail the test if it has ever allocated more than 32 MB at a time."""
    tracemalloc.start()
    yield
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**25


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_pickle_is_refused(tmp_path, monkeypatch, little_memory, content):
    monkeypatch.setattr(plain_pickle, "MAX_STEPS", 1000)
    pickled = b"\x80\x02" + ARRAY + STATE + content + b"tb."
    with pytest.raises(ValueError, match="x_train") as error:
        read(write_raw(tmp_path / "a.npz", make_npy("|O", "2,", pickled)))
    assert len(str(error.value)) < 200


def test_the_frame_of_the_hostile_pickles_is_an_honest_one(tmp_path):
    pickled = b"\x80\x02" + ARRAY + STATE + b"](](K\x05K\x06e]e" + b"tb."
    path = write_raw(tmp_path / "a.npz", make_npy("|O", "2,", pickled))
    assert read(path).tokens.tolist() == [5, 6]


def make_npy(dtype, shape, content, size=None):
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': ({shape}), }}\n"
    size = len(header) if size is None else size
    return b"\x93NUMPY\x02\x00" + struct.pack("<I", size) + header.encode() + content


def write_raw(path, npy, compression=zipfile.ZIP_DEFLATED, times=1):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for _ in range(times):
            archive.writestr("x_train.npy", npy)
    return path


@pytest.mark.parametrize(
    ("dtype", "shape", "size"),
    [
        ("<i8", "2,", 2**32 - 1),
        ("<i8", "9" * 18 + ",", None),
        ("<i8", "-5,", None),
        ("<i8", "(" * 5000, None),
        ("<i8", "2, 1", None),
        ("<i8", "", None),
        ("<f8", "2,", None),
        ("|O", "2,", None),
        ("\x1b[31m", "2,", None),
    ],
)
def test_a_hostile_header_is_refused(tmp_path, little_memory, dtype, shape, size):
    path = write_raw(tmp_path / "a.npz", make_npy(dtype, shape, bytes(16), size))
    with zipfile.ZipFile(path) as archive, pytest.raises(ValueError, match="x_train"):
        read_array(archive, "x_train")


@pytest.mark.parametrize("compression", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_another_compression_is_refused(tmp_path, compression):
    path = write_raw(tmp_path / "a.npz", b"", compression)
    with pytest.raises(ValueError, match="packed in another way"):
        read(path)


def test_an_encrypted_file_is_refused(tmp_path):
    path = write_raw(tmp_path / "a.npz", b"")
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="encrypted"):
        read(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_arrays_of_one_name_are_refused(tmp_path):
    with pytest.raises(ValueError, match="two arrays x_train"):
        read(write_raw(tmp_path / "a.npz", b"", times=2))


@pytest.mark.parametrize("said", [None, 1000, 2**31])
def test_a_small_file_unpacks_to_a_bounded_size(tmp_path, little_memory, said):
    path = write_raw(tmp_path / "a.npz", bytes(2**23))
    if said is not None:
        content = bytearray(path.read_bytes())
        place = content.index(b"PK\x01\x02") + 24
        content[place : place + 4] = struct.pack("<I", said)
        path.write_bytes(content)
    with pytest.raises(ValueError, match=r"would unpack|CRC"):
        read(path)


@pytest.mark.parametrize("protocol", range(6))
def test_a_changed_pickle_gives_plain_numbers_or_an_error(tmp_path, protocol):
    rows = object_array([[5, 300], [], [70_000], [1] * 12, np.array([3, 2, 1])])
    whole = pickle.dumps(rows, protocol)
    random = np.random.default_rng(protocol)
    refused = 0
    for _ in range(100):
        damaged = bytearray(whole)
        for place in random.integers(0, len(whole), random.integers(1, 4)).tolist():
            damaged[place] = int(random.integers(256))
        path = write_raw(tmp_path / "a.npz", make_npy("|O", "5,", bytes(damaged)))
        try:
            assert read(path).tokens.dtype == np.int32
        except ValueError as error:
            refused += 1
            assert len(str(error)) < 200
    assert refused > 20
