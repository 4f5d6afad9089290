"""First vectors of words, from which words stand near each other in the reviews."""

from __future__ import annotations

import numpy as np

from shared.data.imdb_file import FIRST_WORD

WINDOW = 5  # words to either side that count as near, by 1 / distance
SMOOTHING = 0.75  # power on the counts of the neighbours
SPREAD = 0.05  # standard deviation of all numbers of all vectors


def learn_word_vectors(
    word_ids: np.ndarray, vocabulary: int, size: int, seed: int
) -> np.ndarray:
    """Factor the table of which words stand near each other.

    The table holds, for words i and j, max(0, log(p(i, j) / (p(i) p(j)))), their
    positive pointwise mutual information; its truncated singular value decomposition
    U S V' gives the vectors U sqrt(S) (Levy, Goldberg and Dagan 2015, TACL 3, whose
    smoothing of the neighbours' counts this takes). No label is read.

    Args:
        word_ids: int, (num_texts, length), padded; ids below 4 are no words.
        vocabulary: Number of ids.
        size: Numbers per word.
        seed: Of the decomposition, which starts from random directions.

    Returns:
        float32, (vocabulary, size). A word that is never near another gets zeros, and
        where there are fewer words than numbers, so do the numbers left over.
    """
    from scipy.sparse import coo_array, csr_array
    from sklearn.utils.extmath import randomized_svd

    counts = csr_array((vocabulary, vocabulary), dtype=np.float32)
    for distance in range(1, min(WINDOW, word_ids.shape[1] - 1) + 1):
        left, right = word_ids[:, :-distance].ravel(), word_ids[:, distance:].ravel()
        words = (left >= FIRST_WORD) & (right >= FIRST_WORD)
        ones = np.full(words.sum(), 1 / distance, np.float32)
        pairs = coo_array((ones, (left[words], right[words])), counts.shape)
        counts = counts + pairs.tocsr()
    counts = (counts + counts.T).tocoo()
    vectors = np.zeros((vocabulary, size), np.float32)
    if not counts.nnz:
        return vectors
    totals = counts.sum(axis=0)
    neighbours = totals**SMOOTHING / (totals**SMOOTHING).sum()
    row, column = counts.coords
    information = np.log(counts.data / (totals[row] * neighbours[column]))
    near = information > 0
    table = csr_array(
        (information[near].astype(np.float32), (row[near], column[near])), counts.shape
    )
    rank = min(size, vocabulary - 1)
    left, strengths, _ = randomized_svd(table, rank, n_iter=4, random_state=seed)
    vectors[:, :rank] = left * np.sqrt(strengths)
    vectors[totals == 0] = 0  # not only up to rounding
    return vectors * np.float32(SPREAD / max(vectors.std(), 1e-12))
