"""Vectors for pairs of neighbouring words, where a pair is frequent enough."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shared.data.batches import PAD

if TYPE_CHECKING:
    import keras

    from shared.data.imdb import ReviewsConfig


def embed_pairs(
    word_ids: keras.KerasTensor, number: int, reviews: ReviewsConfig, member: int
) -> keras.KerasTensor:
    """Return a vector for each word and the one before it, at first all zeros.

    Which pairs have a vector of their own is told to the layer `pair_ids_1` of the
    first member, an `IntegerLookup`, by `set_vocabulary`; the others share the first
    vector.

    Args:
        word_ids: int32, (batch, steps).
        number: How many pairs have a vector of their own.
        reviews: Says how many word ids there are, how long a vector is, and whether
            padding is masked: where it is, so are here pairs without a vector of their
            own, and padding stays masked when these vectors are added to the words'.
        member: Number of the network, which ends the names of its layers.

    Returns:
        (batch, steps, embedding_size).
    """
    from keras import layers, ops

    from shared.embedding import set_gradient

    ids = ops.cast(word_ids, "int64")
    codes = ops.pad(ids[:, :-1], ((0, 0), (1, 0))) * reviews.vocabulary + ids
    # Not as an argument: what is told later would not be saved (Keras 3.15).
    lookup = layers.IntegerLookup(
        max_tokens=number + 1, vocabulary_dtype="int64", name=f"pair_ids_{member}"
    )
    lookup.set_vocabulary([reviews.vocabulary**2])  # the code of no pair
    known = lookup(codes)
    vectors = layers.Embedding(
        number + 1,
        reviews.embedding_size,
        embeddings_initializer="zeros",
        mask_zero=reviews.mask,
        name=f"pairs_{member}",
    )
    return set_gradient(vectors, reviews.embedding_gradient)(known)


def find_frequent_pairs(
    word_ids: np.ndarray, vocabulary: int, number: int
) -> np.ndarray:
    """Return the pairs of neighbouring words that stand in the most texts.

    For example, with vocabulary 10 and `number=1`, the texts [4, 5, 4], [4, 5, 6] and
    [6, 5, 0] give 45: word 4, then word 5.

    Args:
        word_ids: int, (num_texts, length), padded on either side.
        vocabulary: Number of word ids.
        number: How many pairs at most.

    Returns:
        int64, (num_found,), from the most frequent on, of equally frequent ones by
        number: id of the first word, times `vocabulary`, plus the id of the second.
    """
    texts = []
    for row in word_ids:
        words = row[row != PAD].astype(np.int64)
        texts.append(np.unique(words[:-1] * vocabulary + words[1:]))
    codes, counts = np.unique(np.concatenate(texts), return_counts=True)
    return codes[np.argsort(-counts, kind="stable")[:number]]
