"""Macro F1 as a Keras metric. Importing this module imports Keras."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="rnn_recipes")
class MacroF1(keras.metrics.Metric):
    """The mean F1 over the classes that occur or are predicted.

    Keras' own `F1Score` needs one-hot targets. This one reads class numbers.
    """

    def __init__(self, num_classes: int, name: str = "macro_f1", **options: Any):
        """Make the counts.

        Args:
            num_classes: Number of classes.
            name: In the history.
            options: Those of every metric.
        """
        super().__init__(name=name, **options)
        self.num_classes = num_classes
        self.counts = self.add_variable(
            (3, num_classes), initializer="zeros", name="counts", dtype="float32"
        )

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch. Weights are not used: every text counts once."""
        classes = self.num_classes
        true = ops.one_hot(ops.cast(ops.reshape(y_true, (-1,)), "int32"), classes)
        found = ops.one_hot(ops.argmax(y_pred, axis=-1), classes)
        true, found = ops.cast(true, "float32"), ops.cast(found, "float32")
        batch = [ops.sum(true * found, axis=0), ops.sum(true, 0), ops.sum(found, 0)]
        self.counts.assign_add(ops.stack(batch))

    def result(self) -> Any:
        """Return the score so far."""
        right, true, found = self.counts[0], self.counts[1], self.counts[2]
        both = true + found
        there = ops.cast(both > 0, "float32")
        f1 = 2 * right / ops.maximum(both, 1.0)
        return ops.sum(f1 * there) / ops.maximum(ops.sum(there), 1.0)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return super().get_config() | {"num_classes": self.num_classes}
