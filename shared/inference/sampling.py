"""Draw the next token from what a network expects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shared.core.errors import UserError


@dataclass(frozen=True)
class Sampling:
    """How a token is drawn.

    Attributes:
        temperature: Divides the logits. 1: as the network expects. Below 1: safer. 0:
            always the likeliest token.
        top_p: Only the likeliest tokens that together have this probability are drawn.
    """

    temperature: float = 1.0
    top_p: float = 1.0

    def validate(self) -> None:
        """Refuse settings with which nothing can be drawn.

        Raises:
            UserError: With the flag, what it accepts and an example.
        """
        if not 0 <= self.temperature <= 100:
            raise UserError(
                f"--temperature {self.temperature}: takes a number from 0 (always the "
                "likeliest token) to 100, e.g. 0.8."
            )
        if not 0 < self.top_p <= 1:
            raise UserError(
                f"--top-p {self.top_p}: takes a share above 0 and at most 1, e.g. 0.9."
            )


def draw_tokens(
    logits: np.ndarray, sampling: Sampling, random: np.random.Generator
) -> np.ndarray:
    """Draw a token for each row.

    Args:
        logits: (batch, num_tokens); -inf for a token that must not be drawn.
        sampling: How.
        random: One number is drawn from it for each row.

    Returns:
        int64, (batch,).
    """
    points = random.random((len(logits), 1))
    logits = np.asarray(logits, np.float64)
    if sampling.temperature == 0:
        return logits.argmax(axis=1)
    logits = (logits - logits.max(axis=1, keepdims=True)) / sampling.temperature
    shares = np.exp(logits)
    if sampling.top_p < 1:
        shares = _keep_likeliest(shares / shares.sum(1, keepdims=True), sampling.top_p)
    bounds = np.cumsum(shares, axis=1)
    return (points * bounds[:, -1:] >= bounds[:, :-1]).sum(axis=1)


def _keep_likeliest(shares: np.ndarray, top_p: float) -> np.ndarray:
    """Return shares with 0 for all but the likeliest that reach `top_p` together."""
    order = np.argsort(-shares, axis=1, kind="stable")
    ordered = np.take_along_axis(shares, order, axis=1)
    before = np.cumsum(ordered, axis=1) - ordered
    kept = np.zeros(shares.shape, bool)
    np.put_along_axis(kept, order, before < top_p, axis=1)
    return np.where(kept, shares, 0.0)
