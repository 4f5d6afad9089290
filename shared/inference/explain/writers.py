"""What a writer expected at each token of a text, and what else it could have been."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.core.errors import UserError
from shared.data.padding import UNKNOWN
from shared.data.text.vocabulary import FIRST_TOKEN
from shared.inference.token_readers import LEAST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.inference.explain.gates import Gates
    from shared.inference.writing import TextWriter

ALTERNATIVES = 5
MOST_TOKENS = 5_000


@dataclass(frozen=True)
class WriterExplanation:
    """What a writer expected at each token.

    Attributes:
        tokens: Of the text.
        known: Whether the network knows each token, bool, (num_tokens,).
        chances: Probability of each token, given those before it, (num_tokens,).
        likeliest: The most probable tokens at each place, best first.
        their_chances: Probabilities of these, (num_tokens, num_alternatives).
        unit: `characters` or `words`.
        gates: Of the first recurrent layer while it reads each token. None: the network
            has none, or reads a window of its own for each token.
    """

    tokens: list[str]
    known: np.ndarray
    chances: np.ndarray
    likeliest: list[list[str]]
    their_chances: np.ndarray
    unit: str
    gates: Gates | None = None

    @property
    def bits(self) -> np.ndarray:
        """Surprise of each token, -log2 of its probability, (num_tokens,)."""
        return -np.log2(np.maximum(self.chances, LEAST))

    def describe(self) -> str:
        """Return in sentences how well the network expected the text."""
        first = np.mean([one[0] == token for one, token in
                         zip(self.likeliest, self.tokens, strict=True)])  # fmt: skip
        return (
            f"The network needs {self.bits.mean():.2f} bits per {self.unit[:-1]} of "
            f"this text. Its first guess is right for {first:.0%} of the "
            f"{len(self.tokens):,} {self.unit}."
        )

    def to_rows(self) -> list[dict[str, Any]]:
        """Return a row for each token."""
        rows = []
        for k, token in enumerate(self.tokens):
            row: dict[str, Any] = {
                "number": k + 1,
                "token": show_token(token),
                "known": bool(self.known[k]),
                "probability": float(f"{self.chances[k]:.4g}"),
                "bits": round(float(self.bits[k]), 4),
            }
            pairs = zip(self.likeliest[k], self.their_chances[k], strict=True)
            for n, (name, chance) in enumerate(pairs, 1):
                row[f"guess_{n}"] = show_token(name)
                row[f"p(guess_{n})"] = round(float(chance), 4)
            if self.gates is not None:
                row |= self.gates.to_cells(k)
            rows.append(row)
        return rows


def explain_writing(
    writer: TextWriter, ids: Sequence[int], first: int
) -> WriterExplanation:
    """Read a text token by token, and keep what the network expects before each.

    Args:
        writer: Has read nothing yet.
        ids: Of the text.
        first: Tokens at the start that are only read, at least 1.

    Raises:
        UserError: If there are too many tokens, or none after the first ones.
    """
    if len(ids) > MOST_TOKENS:
        raise UserError(
            f"the text has {len(ids):,} {writer.tokens}; of a writer, at most "
            f"{MOST_TOKENS:,} are explained. Take a part of the text."
        )
    if len(ids) <= first:
        raise UserError(
            f"the text has {len(ids) - 1} {writer.tokens}, and the network must read "
            f"{first} before it expects anything; pass a longer text."
        )
    names, vocabulary = writer.vocabulary.tokens, writer.vocabulary
    count = min(ALTERNATIVES, len(names))
    chances, guesses, shares = [], [], []
    for k, token in enumerate(ids[:-1]):
        logits = writer.reader.read(np.array([token]))[0, : vocabulary.size]
        if k + 1 < first:
            continue
        expected = _softmax(np.asarray(logits, np.float64))
        chances.append(expected[ids[k + 1]])
        best = np.argsort(-expected[FIRST_TOKEN:], kind="stable")[:count]
        guesses.append([names[number] for number in best])
        shares.append(expected[FIRST_TOKEN + best])
    read = np.array(ids[first:])
    return WriterExplanation(
        vocabulary.decode(read),
        read != UNKNOWN,
        np.array(chances),
        guesses,
        np.array(shares),
        writer.tokens,
    )


def show_token(token: str) -> str:
    r"""Return a token with visible line ends and tabs; a lone space is `\u2423`."""
    if token == " ":
        return "\u2423"
    return token.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")


def _softmax(logits: np.ndarray) -> np.ndarray:
    shares = np.exp(logits - logits.max())
    return shares / shares.sum()
