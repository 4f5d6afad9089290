"""Copies of a text, and splits in which no text stands on two sides."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from shared.data.text.tokens import normalise

NO_LETTERS = re.compile(r"[\W_]+")


def group_copies(texts: Sequence[str]) -> np.ndarray:
    """Return a number for each text. Copies of a text have the same number.

    Two texts are copies if their letters and digits are the same, whatever their case,
    width, spaces and punctuation. A text without a letter is compared as it is.

    Returns:
        int64, (num_texts,): 0 for the first text and its copies, and so on.
    """
    numbers: dict[str, int] = {}
    groups = np.empty(len(texts), np.int64)
    for k, text in enumerate(texts):
        plain = normalise(text)
        key = NO_LETTERS.sub("", plain) or plain.strip()
        groups[k] = numbers.setdefault(key, len(numbers))
    return groups


def draw_part(
    labels: np.ndarray, groups: np.ndarray, share: float, random: np.random.Generator
) -> np.ndarray:
    """Draw a share of the texts of every class, and no copy of a text outside.

    Args:
        labels: int, (num_texts,): class of each text.
        groups: int, (num_texts,), from `group_copies`.
        share: Of each class, above 0 and below 1. A class with two texts or more has at
            least one on each side, if its texts are not copies of each other.
        random: Decides which.

    Returns:
        bool, (num_texts,): whether a text is drawn.
    """
    names, first, inverse = np.unique(groups, return_index=True, return_inverse=True)
    sizes = np.bincount(inverse)
    group_labels = labels[first]  # of copies with several labels: the first
    drawn = np.zeros(len(names), bool)
    for label in np.unique(group_labels):
        members = random.permutation(np.flatnonzero(group_labels == label))
        if len(members) < 2:
            continue
        wanted = share * sizes[members].sum()
        before = np.cumsum(sizes[members]) - sizes[members]
        count = int(np.searchsorted(before, wanted - 1e-9))
        drawn[members[: min(max(1, count), len(members) - 1)]] = True
    return drawn[inverse]
