"""Padding and splitting, against cases computed by hand."""

import numpy as np
import pytest

from shared.data.padding import balanced_order, pad_sequences, shuffle_rows
from shared.data.splits import Sequences

# Three sequences: [1, 7], [1, 8, 9, 5, 6], [1].
SEQUENCES = Sequences(
    np.array([1, 7, 1, 8, 9, 5, 6, 1], np.int32), np.array([0, 2, 7, 8])
)


@pytest.mark.parametrize(
    ("keep", "padding", "expected"),
    [
        ("end", "left", [[0, 1, 7], [9, 5, 6], [0, 0, 1]]),
        ("end", "right", [[1, 7, 0], [9, 5, 6], [1, 0, 0]]),
        ("start", "left", [[0, 1, 7], [1, 8, 9], [0, 0, 1]]),
        ("start", "right", [[1, 7, 0], [1, 8, 9], [1, 0, 0]]),
    ],
)
def test_padding_and_cutting(keep, padding, expected):
    padded = pad_sequences(
        SEQUENCES, np.arange(3), vocabulary=10, length=3, keep=keep, padding=padding
    )
    assert padded.tolist() == expected
    assert padded.dtype == np.int32


def test_rows_are_picked_in_order_and_rare_words_become_unknown():
    padded = pad_sequences(
        SEQUENCES, np.array([2, 1]), vocabulary=8, length=4, keep="end", padding="left"
    )
    assert padded.tolist() == [[0, 0, 0, 1], [2, 2, 5, 6]]


def test_padding_agrees_with_keras():
    from keras.utils import pad_sequences as keras_pad

    random = np.random.default_rng(0)
    rows = [random.integers(1, 50, n).tolist() for n in random.integers(1, 30, 40)]
    offsets = np.cumsum([0, *map(len, rows)])
    sequences = Sequences(np.concatenate(rows).astype(np.int32), offsets)
    for keep, truncating in (("end", "pre"), ("start", "post")):
        for padding, side in (("left", "pre"), ("right", "post")):
            ours = pad_sequences(
                sequences, np.arange(40), vocabulary=99, length=13, keep=keep,
                padding=padding,
            )  # fmt: skip
            theirs = keras_pad(rows, 13, padding=side, truncating=truncating)
            assert np.array_equal(ours, theirs)


def test_validation_is_balanced_and_disjoint():
    targets = np.array([0] * 50 + [1] * 50)
    train, validation = shuffle_rows(targets, seed=3, share=0.2, limit=None)
    assert sorted([*train, *validation]) == list(range(100))
    assert len(validation) == 20
    assert targets[validation].sum() == 10
    assert targets[train].sum() == 40


def test_the_seed_decides_the_split():
    targets = np.arange(100) % 2
    first, again, other = (shuffle_rows(targets, s, 0.2, None)[1] for s in (1, 1, 2))
    assert np.array_equal(first, again)
    assert set(first) != set(other)


def test_a_limit_takes_a_balanced_beginning():
    targets = np.array([0] * 500 + [1] * 500)
    train, validation = shuffle_rows(targets, seed=0, share=0.2, limit=40)
    assert (len(train), len(validation)) == (40, 10)
    assert targets[train].sum() == 20
    assert targets[validation].sum() == 5
    assert not set(train) & set(validation)


def test_balanced_order_keeps_the_share_of_uneven_classes():
    targets = np.array([0] * 90 + [1] * 30)
    order = balanced_order(targets, seed=0)
    assert sorted(order) == list(range(120))
    for part in np.split(order, 3):
        assert abs(targets[part].sum() - 10) <= 1
