"""First word vectors, learned from which words occur near each other."""

from __future__ import annotations

import numpy as np

from shared.data.imdb.word_ids import FIRST_WORD

WINDOW = 5  # words on either side that count as near, weighted by 1 / distance
SMOOTHING = 0.75  # power of the neighbours' counts
STD = 0.05  # standard deviation of all numbers in all vectors


def learn_word_vectors(
    word_ids: np.ndarray, vocabulary: int, size: int, seed: int
) -> np.ndarray:
    """Factor the table of which words occur near each other.

    For words i and j the table holds max(0, log(p(i, j) / (p(i) p(j)))), their positive
    pointwise mutual information. Its truncated singular value decomposition U S V'
    gives the vectors U sqrt(S). The neighbours' counts are smoothed as in Levy,
    Goldberg and Dagan 2015, TACL 3. No label is read.

    Args:
        word_ids: int, (num_texts, length), padded. Ids below 4 are no words.
        vocabulary: Number of ids.
        size: Numbers per word.
        seed: Sets the random directions from which the decomposition starts.

    Returns:
        float32, (vocabulary, size). A word that is never near another has zeros. With
        fewer words than numbers, the remaining numbers are zeros too.
    """
    from scipy.sparse import coo_array, csr_array
    from sklearn.utils.extmath import randomized_svd
    from threadpoolctl import threadpool_limits

    counts = csr_array((vocabulary, vocabulary), dtype=np.float32)
    for distance in range(1, min(WINDOW, word_ids.shape[1] - 1) + 1):
        left, right = word_ids[:, :-distance].ravel(), word_ids[:, distance:].ravel()
        words = (left >= FIRST_WORD) & (right >= FIRST_WORD)
        weights = np.full(words.sum(), 1 / distance, np.float32)
        pairs = coo_array((weights, (left[words], right[words])), counts.shape)
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
    with threadpool_limits(1, user_api="blas"):  # each number of cores rounds its way
        left, strengths, _ = randomized_svd(table, rank, n_iter=4, random_state=seed)
    vectors[:, :rank] = left * np.sqrt(strengths)
    vectors[totals == 0] = 0  # exactly, not up to rounding
    return vectors * np.float32(STD / max(vectors.std(), 1e-12))
