"""Bigrams: a vector for each frequent pair of neighbouring words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shared.data.padding import PAD

if TYPE_CHECKING:
    import keras

    from shared.data.imdb.reviews import ReviewsConfig
    from shared.data.text.config import TextConfig


def embed_bigrams(
    word_ids: keras.KerasTensor,
    count: int,
    reviews: ReviewsConfig | TextConfig,
    network: int,
) -> keras.KerasTensor:
    """Return a vector for each word and the one before it, at first all zeros.

    The layer `pair_ids_1` (of the first network) is an `IntegerLookup`. Its
    `set_vocabulary` sets which bigrams have a vector of their own. All other bigrams
    share the first vector.

    Args:
        word_ids: int32, (batch, steps).
        count: How many bigrams have a vector of their own.
        reviews: Sets the number of word ids, the size of a vector and the mask. With a
            mask, bigrams without a vector of their own are masked too. So padding stays
            masked after these vectors are added to those of the words.
        network: Number of the network in the ensemble. Layer names end with it.

    Returns:
        (batch, steps, embedding_size).
    """
    from keras import layers, ops

    from shared.layers.embedding import set_gradient

    ids = ops.cast(word_ids, "int64")
    codes = ops.pad(ids[:, :-1], ((0, 0), (1, 0))) * reviews.vocabulary + ids
    # Not as an argument: Keras (3.15) would not save a vocabulary that is set later.
    lookup = layers.IntegerLookup(
        max_tokens=count + 1, vocabulary_dtype="int64", name=f"pair_ids_{network}"
    )
    lookup.set_vocabulary([reviews.vocabulary**2])  # the code of no bigram
    known = lookup(codes)
    vectors = layers.Embedding(
        count + 1,
        reviews.embedding_size,
        embeddings_initializer="zeros",
        mask_zero=reviews.mask,
        name=f"pairs_{network}",
    )
    return set_gradient(vectors, reviews.embedding_gradient)(known)


def find_frequent_bigrams(
    word_ids: np.ndarray, vocabulary: int, count: int, least: int = 1
) -> np.ndarray:
    """Return the bigrams that occur in the most texts.

    For example, with vocabulary 10 and `count=1`, the texts [4, 5, 4], [4, 5, 6] and
    [6, 5, 0] give 45: word 4, then word 5.

    Args:
        word_ids: int, (num_texts, length), padded on either side.
        vocabulary: Number of word ids.
        count: How many bigrams at most.
        least: In how many texts a bigram must occur.

    Returns:
        int64, (num_found,), the most frequent first, ties by code. The code of a bigram
        is the id of the first word times `vocabulary` plus the id of the second.
    """
    texts = []
    for row in word_ids:
        words = row[row != PAD].astype(np.int64)
        texts.append(np.unique(words[:-1] * vocabulary + words[1:]))
    codes, counts = np.unique(np.concatenate(texts), return_counts=True)
    codes, counts = codes[counts >= least], counts[counts >= least]
    return codes[np.argsort(-counts, kind="stable")[:count]]
