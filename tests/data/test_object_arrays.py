"""Object arrays: what is read, and what must never run."""

import os
import pickle
import zipfile

import numpy as np
import pytest

from shared.data.imdb import object_arrays
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


@pytest.mark.parametrize("dtype", ["<i2", ">i4", "<i8", "u1"])
def test_rows_that_are_integer_arrays_are_read_too(tmp_path, dtype):
    rows = object_array([np.array([1, 2, 120], dtype), np.array([9], dtype)])
    sequences = read(write_npz(tmp_path / "a.npz", {"x_train": rows}))
    assert sequences.tokens.tolist() == [1, 2, 120, 9]


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_pickles_of_older_protocols_are_read(tmp_path, protocol):
    rows = object_array([[1, 2], [3, 4, 5]])
    path = write_npz_pickled(tmp_path / "a.npz", rows, 2, protocol)
    assert read(path).tokens.tolist() == [1, 2, 3, 4, 5]


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
    rows = object_array([[1] * 100] * 11)  # one list, named eleven times
    path = write_npz_pickled(tmp_path / "a.npz", rows, 11)
    with pytest.raises(ValueError, match="more than 1,000 tokens"):
        read(path)
