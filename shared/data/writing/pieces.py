"""Cut one text into tokens and back: joined, the tokens are the text again."""

from __future__ import annotations

import re
from typing import Literal

import numpy as np

from shared.data.text.vocabulary import FIRST_TOKEN, Vocabulary, index_tokens

Tokens = Literal["characters", "words"]
PIECE = re.compile(r" ?\w+(?:['\u2019]\w+)*| ?[^\w\s]|\s")
"""A word or a sign with the space before it, or one other space or line end."""
FEWEST = 2  # times that a token occurs in the training part, to be known


def split_text(text: str, tokens: Tokens) -> list[str]:
    """Return the tokens of a text."""
    return list(text) if tokens == "characters" else PIECE.findall(text)


def take_start(text: str, tokens: Tokens, count: int) -> str:
    """Return the first tokens of a text, joined."""
    if tokens == "characters":
        return text[:count]
    return "".join(split_text(text, tokens)[:count])


def number_text(text: str, tokens: Tokens) -> tuple[np.ndarray, list[str]]:
    """Return the number of each token, int (num_tokens,), and the tokens by number."""
    if tokens == "words":
        indexed, names = index_tokens([split_text(text, tokens)])
        return indexed.tokens, names
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    found, numbers = np.unique(codes, return_inverse=True)
    return numbers, [chr(code) for code in found]


def choose_tokens(numbers: np.ndarray, names: list[str], size: int) -> Vocabulary:
    """Return the most frequent tokens of a text that occur at least twice.

    A token that occurs once is unknown. So the network learns how often it meets
    something new.

    Args:
        numbers: Of the training part, from `number_text`.
        names: Tokens by number.
        size: Number of ids at most, those that are no tokens included.
    """
    counts = np.bincount(numbers, minlength=len(names))
    ordered = sorted(
        np.flatnonzero(counts >= FEWEST), key=lambda k: (-counts[k], names[k])
    )
    return Vocabulary(tuple(names[k] for k in ordered[: size - FIRST_TOKEN]))
