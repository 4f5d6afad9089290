"""Moving averages of the weights, for validation, the saved model and the test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
import numpy as np

if TYPE_CHECKING:
    from shared.training.config import TrainingConfig


class UseAverages(keras.callbacks.Callback):
    """Puts the averages of the weights into the model whenever it is used.

    The optimizer keeps the averages (`use_ema` of Keras). They are in the model from
    the start of a validation to the start of the next epoch, and after the last one. So
    all callbacks after this one see them, and a checkpoint, which keeps `swapped`, too.
    Keras' `SwapEMAWeights` adds and subtracts to swap, which changes the last digits of
    the weights, and misses the end of a training that stops early.
    """

    def __init__(self) -> None:
        """Begin with the trained weights in the model."""
        super().__init__()
        self.swapped = False

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Keep the averages in the model at the end, where Keras would set them."""
        self.model.optimizer.finalize_variable_values = lambda variables: None

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Train the trained weights."""
        if self.swapped:
            self._swap()

    def on_test_begin(self, logs: dict | None = None) -> None:
        """Validate the averages."""
        if not self.swapped:
            self._swap()

    def _swap(self) -> None:
        self.swapped = not self.swapped
        optimizer = self.model.optimizer
        optimizer = getattr(optimizer, "inner_optimizer", optimizer)  # a scaled loss
        variables = optimizer._trainable_variables
        averages = optimizer._model_variables_moving_average
        for variable, average in zip(variables, averages, strict=True):
            value = np.array(variable)
            variable.assign(average)
            average.assign(value)


def list_averages(training: TrainingConfig) -> list[keras.callbacks.Callback]:
    """Return the callback that uses the averages of the weights, if there are any."""
    return [] if training.ema is None else [UseAverages()]
