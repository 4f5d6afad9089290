"""Cut and pad sequences to one length, and split labelled examples."""

from __future__ import annotations

from typing import Literal

import numpy as np

from shared.data.splits import Sequences

PAD, START, UNKNOWN = 0, 1, 2
"""Word ids that are no words, numbered as in `keras.datasets.imdb`."""


def pad_sequences(
    sequences: Sequences,
    rows: np.ndarray,
    *,
    vocabulary: int,
    length: int,
    keep: Literal["start", "end"],
    padding: Literal["left", "right"],
) -> np.ndarray:
    """Cut and pad sequences to one length.

    For example, with `length=4`, `keep="end"` and `padding="left"`, [7, 8] becomes
    [0, 0, 7, 8] and [1, 7, 8, 9, 5] becomes [7, 8, 9, 5].

    Args:
        sequences: Word ids.
        rows: int, (num_rows,): which sequences, in which order.
        vocabulary: This id and all higher ones become `UNKNOWN`.
        length: Steps of every row.
        keep: Which end of a longer sequence is kept.
        padding: On which side a shorter sequence is filled with `PAD`.

    Returns:
        int32, (num_rows, length).
    """
    padded = np.full((len(rows), length), PAD, np.int32)
    starts, stops = sequences.offsets[rows], sequences.offsets[rows + 1]
    if keep == "end":
        starts = np.maximum(starts, stops - length)
    else:
        stops = np.minimum(stops, starts + length)
    tokens = sequences.tokens
    spans = zip(padded, starts.tolist(), stops.tolist(), strict=True)
    for row, start, stop in spans:
        if padding == "left":
            row[length - (stop - start) :] = tokens[start:stop]
        else:
            row[: stop - start] = tokens[start:stop]
    for first in range(0, len(padded), 1024):  # in pieces, to save memory
        piece = padded[first : first + 1024]
        piece[piece >= vocabulary] = UNKNOWN
    return padded


def shuffle_rows(
    targets: np.ndarray, seed: int, share: float, limit: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """Split labelled examples into training and validation, shuffled and balanced.

    Both parts hold the classes in the same proportion (to within one example). So does
    nearly every beginning of a part, because the classes alternate in it.

    Args:
        targets: int, (num_examples,): class of each example, 0 or 1.
        seed: Decides which example is in which part.
        share: Share of the examples for validation, above 0 and below 1.
        limit: At most this many training examples, and as many validation examples as
            keep the share. None takes all.

    Returns:
        Row numbers for training and for validation. No row is in both.
    """
    order = balanced_order(targets, seed)
    num_validation = round(len(order) * share)
    train, validation = order[num_validation:], order[:num_validation]
    if limit is not None:
        train = train[:limit]
        validation = validation[: max(2, round(limit * share / (1 - share)))]
    return train, validation


def balanced_order(targets: np.ndarray, seed: int) -> np.ndarray:
    """Return a shuffled order of the rows in which the two classes alternate evenly."""
    random = np.random.default_rng(seed)
    place = np.empty(len(targets))
    for label in (0, 1):
        rows = np.flatnonzero(targets == label)
        place[random.permutation(rows)] = (np.arange(len(rows)) + 0.5) / len(rows)
    ties = random.random(len(targets))  # which class comes first in each pair
    return np.lexsort((ties, place))
