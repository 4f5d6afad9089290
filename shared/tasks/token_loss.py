"""Loss and metric of the next token, as Keras objects.

Only the last steps are scored, as many as there are targets. The steps before them give
the network something to read first.
"""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops


def measure_surprise(targets: Any, logits: Any, unknown: int, spelling: float) -> Any:
    """Return -log of the probability of each true token, in nats, (batch, steps).

    Args:
        targets: Ids, (batch, steps).
        logits: (batch, context + steps, ids).
        unknown: Id of all unknown tokens.
        spelling: Nats that an unknown token costs more.
    """
    logits = ops.cast(logits[:, -ops.shape(targets)[1] :], "float32")
    targets = ops.cast(targets, "int32")
    surprise = ops.sparse_categorical_crossentropy(targets, logits, from_logits=True)
    if not spelling:
        return surprise
    return surprise + spelling * ops.cast(ops.equal(targets, unknown), "float32")


@keras.saving.register_keras_serializable(package="rnn_recipes")
class TokenLoss(keras.losses.Loss):
    """Mean surprise over examples and scored steps, in nats."""

    def __init__(
        self,
        unknown: int,
        spelling: float,
        name: str = "cross_entropy",
        **arguments: Any,
    ) -> None:
        """Keep the cost of an unknown token.

        Args:
            unknown: Id of all unknown tokens.
            spelling: Nats that it costs beyond its probability.
            name: Of the loss.
            **arguments: Those of every Keras loss.
        """
        super().__init__(name=name, **arguments)
        self.unknown, self.spelling = unknown, float(spelling)

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Return the loss."""
        return ops.mean(measure_surprise(y_true, y_pred, self.unknown, self.spelling))

    def get_config(self) -> dict[str, Any]:
        """Return what Keras needs to build the loss again."""
        facts = {"unknown": self.unknown, "spelling": self.spelling}
        return super().get_config() | facts


@keras.saving.register_keras_serializable(package="rnn_recipes")
class BitsPerToken(keras.metrics.Mean):
    """Mean surprise over the scored steps, in bits."""

    def __init__(
        self,
        unknown: int,
        spelling: float,
        name: str = "bits_per_token",
        **arguments: Any,
    ) -> None:
        """Keep the cost of an unknown token, in nats."""
        super().__init__(name=name, **arguments)
        self.unknown, self.spelling = unknown, float(spelling)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch."""
        surprise = measure_surprise(y_true, y_pred, self.unknown, self.spelling)
        super().update_state(ops.mean(surprise, axis=-1) / math.log(2))

    def get_config(self) -> dict[str, Any]:
        """Return what Keras needs to build the metric again."""
        facts = {"unknown": self.unknown, "spelling": self.spelling}
        return super().get_config() | facts
