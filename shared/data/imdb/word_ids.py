"""Word ids as in `keras.datasets.imdb`, from word ranks or from ids that Keras made.

0 is padding, 1 starts a review, 2 is any word outside the vocabulary. The word of rank
r (1 = most frequent in the training set) has the id r + 3. `imdb.npz` holds ranks, and
`load_data` of Keras makes ids of them. A user may have saved what it returned.
"""

from __future__ import annotations

import numpy as np

from shared.data.padding import PAD, START, UNKNOWN
from shared.data.splits import Sequences

FIRST_WORD = 4  # id of rank 1
UNUSED = 3  # no word has this id
LOW = 1000  # the most frequent word has an id below this
MANY = 20  # so many reviews do not start with the same word by chance

_KERAS = "it holds word ids of keras.datasets.imdb.load_data"
_UNSURE = (
    "Whether it holds word ranks, as the original does, cannot be known; its numbers "
    "are taken as ranks."
)


def number_words(ranks: Sequences) -> Sequences:
    """Turn word ranks into ids: `START` before each review, then the ranks plus 3."""
    return _add_start(Sequences(ranks.tokens + np.int32(FIRST_WORD - 1), ranks.offsets))


def find_word_ids(train: Sequences, test: Sequences) -> tuple[list[Sequences], str]:
    """Return both parts as word ids, whether they hold ranks or ids that Keras made.

    Ranks 1 and 3 are the first and the third most frequent word, so both occur. Among
    ids from Keras, none is 0 or 3, 1 is only the start of a review, and 2 stands for
    words that were left out.

    Args:
        train: Training reviews as they are in the file.
        test: Test reviews likewise.

    Returns:
        Training and test reviews as word ids, and a remark for the user: if they were
        ids, or if that cannot be known. The remark is empty for ranks.
    """
    parts = [train, test]
    counts = sum(
        np.bincount(part.tokens[part.tokens < LOW], minlength=LOW) for part in parts
    )
    firsts = np.concatenate([part.tokens[_find_starts(part)] for part in parts])
    first = firsts[0] if len(firsts) and (firsts == firsts[0]).all() else None
    if not counts[PAD] and not counts[UNUSED]:
        if first == START and counts[START] == len(firsts) and counts[FIRST_WORD]:
            return parts, f"{_KERAS}. They are used unchanged."
        if first == UNKNOWN and not counts[START]:
            return [_set_start(part) for part in parts], (
                f"{_KERAS} with skip_top. They are used with the start {START}."
            )
        frequent = counts[UNKNOWN] or counts.argmax() == FIRST_WORD
        if first is None and not counts[START] and counts[FIRST_WORD] and frequent:
            return [_add_start(part) for part in parts], (
                f"{_KERAS} with start_char=None. They are used with the start {START}."
            )
    remark = ""
    if not counts[1]:
        remark = f"no review has the number 1. {_UNSURE}"
    elif first is not None and len(firsts) >= MANY:
        remark = f"every review starts with the number {first}. {_UNSURE}"
    return [number_words(part) for part in parts], remark


def _find_starts(part: Sequences) -> np.ndarray:
    """Return where the reviews that are not empty start."""
    return part.offsets[:-1][part.lengths > 0]


def _set_start(part: Sequences) -> Sequences:
    tokens = part.tokens.copy()
    tokens[_find_starts(part)] = START
    return Sequences(tokens, part.offsets)


def _add_start(part: Sequences) -> Sequences:
    tokens = np.full(len(part.tokens) + len(part), START, np.int32)
    offsets = part.offsets + np.arange(len(part) + 1)
    is_word = np.ones(len(tokens), bool)
    is_word[offsets[:-1]] = False
    tokens[is_word] = part.tokens
    return Sequences(tokens, offsets)
