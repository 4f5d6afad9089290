"""The next token after each step of a text: bits per character or per word."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from shared.tasks.score import Score
from shared.tasks.task import Measure, Task

CHARACTERS = 149_813
"""Characters in Unicode 15.1 that are assigned."""
LEAST = 1e-30
"""Smallest probability that counts, so that a score stays finite."""
BITS = {unit: Score(f"bits_per_{unit}", False) for unit in ("character", "word")}


@dataclass(frozen=True)
class NextTokens(Task):
    """The next token after each of the last steps. Targets: ids, (n, steps).

    The network returns logits, (n, context + steps, ids). Only the probability of each
    true token is kept: predictions are (n, steps). The probability of an unknown
    character is that of being
    unknown, spread over all characters of Unicode. So the score
    can be compared with what a compressor needs.

    Attributes:
        unit: `character` or `word`.
        unknown: Id of all unknown tokens.
    """

    score: Score = BITS["character"]
    unit: str = "character"
    unknown: int = 2
    kind: ClassVar[str] = "next_tokens"
    keeps_part: ClassVar[bool] = True

    @classmethod
    def choose(cls, unit: str, unknown: int) -> NextTokens:
        """Return the task for `character` or `word`."""
        return cls(BITS[unit], unit, unknown)

    @property
    def loss(self) -> Any:
        """The Keras loss: mean cross-entropy of the scored steps."""
        from shared.tasks.token_loss import TokenLoss

        return TokenLoss(self.unknown, math.log(self.unknown_ways))

    @property
    def unknown_ways(self) -> int:
        """Number of tokens that an unknown one may be; 1 where nobody spells it."""
        return CHARACTERS if self.unit == "character" else 1

    @staticmethod
    def spelling(unit: str) -> str:
        """Return in words what an unknown token costs beyond its probability."""
        if unit == "word":
            return "what the network expects of an unknown word"
        return f"{math.log2(CHARACTERS):.1f} bits beyond its probability"

    @property
    def measures(self) -> dict[str, Measure]:
        """Bits and nats of each example: the mean over its steps."""
        return {
            self.score.metric: lambda t, p: _surprise(t, p) / math.log(2),
            "cross_entropy": _surprise,
        }

    @property
    def columns(self) -> dict[str, str]:
        """The loss in nats, and the score in bits."""
        return {"loss": "cross_entropy", self.score.metric: self.score.metric}

    def metrics(self) -> list[Any]:
        """Return the score's metric for `model.compile`."""
        from shared.tasks.token_loss import BitsPerToken

        spelling = math.log(self.unknown_ways)
        return [BitsPerToken(self.unknown, spelling, name=self.score.metric)]

    def keep(self, targets: np.ndarray, outputs: np.ndarray) -> np.ndarray:
        """Return the probability of each true token, float32, (n, steps).

        Args:
            targets: Ids, (n, steps).
            outputs: Logits of the network, (n, context + steps, ids).
        """
        logits = np.asarray(outputs[:, -targets.shape[1] :], np.float32)
        logits -= logits.max(axis=-1, keepdims=True)
        true = np.take_along_axis(logits, targets[..., None].astype(np.int64), -1)
        shares = np.exp(true[..., 0]) / np.exp(logits).sum(axis=-1)
        return self.spell(targets, shares)

    def spell(self, targets: np.ndarray, shares: np.ndarray) -> np.ndarray:
        """Spread the probability of an unknown token over what it may be."""
        is_unknown = targets == self.unknown
        return np.where(is_unknown, shares / self.unknown_ways, shares)

    def predict_constant(self, targets: np.ndarray) -> np.ndarray:
        """Return the logits of the share of every id, at every step, (steps, ids)."""
        counts = np.bincount(targets.ravel()) + 1
        return np.tile(np.log(counts / counts.sum()), (targets.shape[1], 1))

    def format_prediction(self, prediction: np.ndarray) -> str:
        """Write the mean probability of the true tokens."""
        return f"{float(np.mean(prediction)):.2f}"


def _surprise(targets: np.ndarray, shares: np.ndarray) -> np.ndarray:
    if shares.shape != targets.shape:
        raise ValueError("a probability for each token is needed")
    return -np.log(np.maximum(shares, LEAST)).mean(axis=1)
