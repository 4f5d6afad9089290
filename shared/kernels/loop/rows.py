"""Sum the rows of a sparse gradient, word by word."""

from __future__ import annotations

import numba

PLAIN, SQUARES, STEPS = range(3)


# No fused products and no other order: the same bits as TensorFlow's own operations.
@numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def run_sum(way, values, words, factor, roots, size, out):
    """Add a row of values per occurrence of a word to the word's row of out.

    Args:
        way: PLAIN: the rows. SQUARES: factor * row * row. STEPS: factor * row / root.
        values: (occurrences, size), flat.
        words: int64, which row of `out` each row belongs to.
        factor: A number of the type of the values.
        roots: (all words, size), flat; for STEPS, otherwise empty.
        size: Values of a row.
        out: (all words, size), flat.
    """
    for k in range(len(words)):
        row, at = k * size, words[k] * size
        if way == PLAIN:
            for j in range(size):
                out[at + j] += values[row + j]
        elif way == SQUARES:
            for j in range(size):
                value = values[row + j]
                out[at + j] += factor * (value * value)
        else:
            for j in range(size):
                out[at + j] += factor * values[row + j] / roots[at + j]
