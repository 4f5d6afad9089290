"""Files of word vectors: text and binary, with and without a header, and bad ones."""

import gzip
import struct

import numpy as np
import pytest

from shared.core.errors import UserError
from shared.data.text.vectors import read_vectors
from shared.data.text.vocabulary import Vocabulary

WORDS = Vocabulary(("good", "bad", "new york", "é"))
ROWS = [("Good", [1.0, 2.0]), ("bad", [3.0, -4.5]), ("other", [0.0, 0.0]),
        ("good", [9.0, 9.0]), ("é", [0.5, 0.25])]  # fmt: skip
EXPECTED = [[0, 0]] * 4 + [[1, 2], [3, -4.5], [0, 0], [0.5, 0.25]]


def as_text(header=""):
    lines = [f"{word} {' '.join(map(str, row))}" for word, row in ROWS]
    return (header + "\n".join(lines) + "\n").encode()


def as_binary(end=b"\n"):
    rows = [word.encode() + b" " + struct.pack("<2f", *row) + end for word, row in ROWS]
    return b"5 2\n" + b"".join(rows)


@pytest.mark.parametrize(
    "content",
    [as_text(), as_text("5 2\n"), as_binary(), as_binary(b"")],
    ids=["GloVe", "word2vec or fastText", "binary", "binary without line ends"],
)
@pytest.mark.parametrize("packed", [False, True])
def test_vectors_are_read(content, packed, tmp_path):
    path = tmp_path / ("v.gz" if packed else "v.txt")
    path.write_bytes(gzip.compress(content) if packed else content)
    found = read_vectors(path, WORDS)
    assert found.values.tolist() == EXPECTED
    assert found.found.tolist() == [False] * 4 + [True, True, False, True]
    assert found.values.dtype == np.float32


def test_words_may_hold_spaces(tmp_path):
    (tmp_path / "v.txt").write_text("a 1 2\nnew york 3 4\n")
    found = read_vectors(tmp_path / "v.txt", WORDS)
    assert found.values[6].tolist() == [3, 4]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"good 1 2\nbad 1\n", "line 2 is no word with its numbers"),
        (b"good 1 2\nbad 1 x\n", "line 2 is no word with its numbers"),
        (b"good 1 2\nbad 1 nan\n", "line 2 .*not finite"),
        (b"hello\n", "line 1 is no word with its numbers"),
        (b"house 1 2\n", "no vector of a word in the training texts"),
        (as_binary()[:-10], "cut short, or no file of vectors: it holds 4 of 5"),
        (b"5 2\n" + b"\x00" * 3000, "cut short, or no file of vectors"),
        (b"5 200000\nx", "line 1 says that a vector has 200,000 numbers"),
        ((793712314).to_bytes(4, "little") + b"\0\0\n", "is a fastText model"),
    ],
)
def test_bad_files_are_one_line(content, reason, tmp_path):
    path = tmp_path / "v.txt"
    path.write_bytes(content)
    with pytest.raises(UserError, match=reason) as caught:
        read_vectors(path, WORDS)
    assert "\n" not in str(caught.value)


def test_a_cut_archive_is_one_line(tmp_path):
    path = tmp_path / "v.gz"
    path.write_bytes(gzip.compress(as_text() * 50)[:-30])
    with pytest.raises(UserError, match="cannot be read"):
        read_vectors(path, WORDS)
