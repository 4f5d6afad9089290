"""Word ids: from ranks, and from what Keras made of them."""

import numpy as np
import pytest

from shared.data.imdb.word_ids import find_word_ids, number_words
from shared.data.splits import Sequences

RANKS = [[1, 5, 3, 2, 1], [4, 1, 9, 2], [3, 1, 300, 1], [1, 2, 3, 8]]


def join(rows):
    offsets = np.cumsum([0, *map(len, rows)])
    return Sequences(np.concatenate([np.array(row, np.int32) for row in rows]), offsets)


def split(sequences):
    return [sequences[k].tolist() for k in range(len(sequences))]


def load_data(rows, start=1, index_from=3, num_words=300, skip_top=0, oov=2):
    """Number words as the loader of Keras does."""
    rows = [[word + index_from for word in row] for row in rows]
    if start is not None:
        rows = [[start, *row] for row in rows]
    if oov is None:
        return [[w for w in row if skip_top <= w < num_words] for row in rows]
    return [[w if skip_top <= w < num_words else oov for w in row] for row in rows]


def read(rows):
    (train, test), remark = find_word_ids(join(rows[:2]), join(rows[2:]))
    return [*split(train), *split(test)], remark


def test_ranks_are_moved_and_nothing_is_said():
    rows, remark = read(RANKS)
    assert rows == [[1, *(rank + 3 for rank in row)] for row in RANKS]
    assert split(number_words(join(RANKS))) == rows
    assert remark == ""


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, {}),
        ({"num_words": 8}, {"num_words": 8}),
        ({"start": None}, {}),
        ({"start": None, "oov": None}, {"oov": None}),
    ],
    ids=str,
)
def test_ids_from_keras_are_recognized(options, expected):
    rows, remark = read(load_data(RANKS, **options))
    assert rows == load_data(RANKS, **expected)
    assert "word ids of keras.datasets.imdb.load_data" in remark


def test_the_start_that_skip_top_replaced_comes_back():
    rows, remark = read(load_data(RANKS, skip_top=6))
    assert rows == [[1, *row[1:]] for row in load_data(RANKS, skip_top=6)]
    assert "skip_top" in remark


@pytest.mark.parametrize(
    "options", [{"index_from": 0}, {"index_from": 10}, {"start": 7, "index_from": 10}]
)
def test_what_cannot_be_known_is_said(options):
    _, remark = read(load_data(RANKS * 5, **options))
    assert "cannot be known" in remark
