"""The tokens that a network knows, and their ids."""

from __future__ import annotations

import hashlib
import re
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from shared.core.errors import UserError, check_at_least, check_size, format_flag
from shared.data.padding import PAD, START, UNKNOWN
from shared.data.splits import Sequences

FIRST_TOKEN = 4
"""Id of the first token. 3 stays unused, as in `keras.datasets.imdb`."""
WRITTEN = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r"})
PLAIN = {"\\\\": "\\", "\\n": "\n", "\\r": "\r"}
ESCAPED = re.compile(r"\\[\\nr]")


@dataclass(frozen=True)
class Vocabulary:
    """Tokens and their ids: the first one has the id 4.

    Attributes:
        tokens: From the most frequent to the rarest.
    """

    tokens: tuple[str, ...]

    @property
    def size(self) -> int:
        """Number of ids, those that are no tokens included."""
        return FIRST_TOKEN + len(self.tokens)

    @classmethod
    def from_text(cls, text: str) -> Vocabulary:
        """Return the vocabulary that `to_text` wrote."""
        lines = text.split("\n")[:-1]
        return cls(tuple(ESCAPED.sub(lambda m: PLAIN[m[0]], line) for line in lines))

    def to_text(self) -> str:
        r"""Return the tokens, one a line. A line end is written as \n, \ as \\."""
        return "".join(f"{token.translate(WRITTEN)}\n" for token in self.tokens)

    @property
    def sha256(self) -> str:
        """Hash of the text, 64 hexadecimal digits."""
        return hashlib.sha256(self.to_text().encode()).hexdigest()

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {token: k for k, token in enumerate(self.tokens, FIRST_TOKEN)}

    def find(self, token: str) -> int:
        """Return the id of a token; `UNKNOWN` if it is not in the vocabulary."""
        return self._ids.get(token, UNKNOWN)

    def encode(self, texts: Iterable[Sequence[str]]) -> Sequences:
        """Return ids of texts: `START`, then an id for each token.

        Args:
            texts: Tokens of each text. One that is not in the vocabulary is `UNKNOWN`.
        """
        flat: list[int] = []
        offsets = [0]
        for tokens in texts:
            flat.append(START)
            flat.extend([self.find(token) for token in tokens])
            offsets.append(len(flat))
        return Sequences(np.array(flat, np.int32), np.array(offsets, np.int64))

    def decode(self, ids: np.ndarray) -> list[str]:
        """Return the token of each id. An id that is no token gives its meaning."""
        names = {PAD: "<pad>", START: "<start>", UNKNOWN: "<unknown>"}
        return [
            self.tokens[k - FIRST_TOKEN]
            if FIRST_TOKEN <= k < self.size
            else names.get(k, "<unused>")
            for k in ids.tolist()
        ]


def check_sizes(config: Any, example: float) -> None:
    """Refuse flags of a text that leave no token or no text in a part.

    Args:
        config: Has `vocabulary`, `embedding_size`, `test_share` and `validation_share`.
        example: A share that works.

    Raises:
        UserError: With the flag, what it accepts and how to fix it.
    """
    if config.vocabulary < FIRST_TOKEN + 1:
        raise UserError(
            f"--vocabulary {config.vocabulary}: the first {FIRST_TOKEN} ids are no "
            "tokens; take at least 5, e.g. --vocabulary 20000."
        )
    check_at_least(config, {"embedding_size": 1})
    numbers = config.vocabulary * config.embedding_size
    check_size(config, ["vocabulary", "embedding_size"], numbers)
    for name in ("test_share", "validation_share"):
        share = getattr(config, name)
        if not 0 < share < 1:
            raise UserError(
                f"{format_flag(name)} {share}: takes a share above 0 and below 1, so "
                f"that both parts hold text, e.g. {example}."
            )


def index_tokens(texts: Iterable[Sequence[str]]) -> tuple[Sequences, list[str]]:
    """Number the tokens of some texts in the order in which they come.

    Args:
        texts: Tokens of each text.

    Returns:
        The number of each token, from 0; and the tokens by number.
    """
    numbers: dict[str, int] = {}
    flat = array("i")
    offsets = [0]
    for tokens in texts:
        flat.extend([numbers.setdefault(token, len(numbers)) for token in tokens])
        offsets.append(len(flat))
    found = np.frombuffer(flat, np.int32) if flat else np.empty(0, np.int32)
    return Sequences(found, np.array(offsets, np.int64)), list(numbers)


def learn_vocabulary(
    indexed: Sequences, tokens: Sequence[str], rows: np.ndarray, size: int
) -> Vocabulary:
    """Return the most frequent tokens of the training texts; ties by letters.

    Args:
        indexed: Numbers of tokens, from `index_tokens`.
        tokens: By number.
        rows: int, (num_rows,): the training texts.
        size: Number of ids at most, those that are no tokens included.
    """
    chosen = np.zeros(len(indexed), bool)
    chosen[rows] = True
    used = indexed.tokens[np.repeat(chosen, indexed.lengths)]
    counts = np.bincount(used, minlength=len(tokens))
    ordered = sorted(np.flatnonzero(counts), key=lambda k: (-counts[k], tokens[k]))
    return Vocabulary(tuple(tokens[k] for k in ordered[: size - FIRST_TOKEN]))


def number_tokens(
    indexed: Sequences, tokens: Sequence[str], vocabulary: Vocabulary
) -> Sequences:
    """Turn numbers from `index_tokens` into ids: `START`, then an id for each token."""
    ids = np.array([vocabulary.find(token) for token in tokens], np.int32)
    flat = np.full(len(indexed.tokens) + len(indexed), START, np.int32)
    offsets = indexed.offsets + np.arange(len(indexed) + 1)
    is_token = np.ones(len(flat), bool)
    is_token[offsets[:-1]] = False
    flat[is_token] = ids[indexed.tokens] if len(ids) else 0
    return Sequences(flat, offsets)
