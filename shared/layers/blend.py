"""A weighted mean of two predictions, whose weight the validation part chooses."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from shared.data.feeding import feed, restore_order

if TYPE_CHECKING:
    from shared.data.splits import Splits

SHARES = np.linspace(0, 1, 11)
BATCH = 256


@keras.saving.register_keras_serializable(package="rnn_recipes")
class Blend(keras.Layer):
    """Reads two predictions, returns share * first + (1 - share) * second."""

    def build(self, input_shape: list[tuple]) -> None:
        """Create the share. No gradient changes it."""
        self.share = self.add_weight(
            name="share",
            shape=(),
            initializer=keras.initializers.Constant(0.5),
            trainable=False,
        )

    def call(self, inputs: list) -> Any:
        """Return the weighted mean."""
        first, second = inputs
        share = keras.ops.cast(self.share, first.dtype)
        return share * first + (1 - share) * second

    def compute_output_shape(self, input_shape: list[tuple]) -> tuple:
        """Return the shape of each forecast."""
        return input_shape[0]


def blend_with_linear(
    linear: keras.KerasTensor | None, predictions: list[keras.KerasTensor]
) -> keras.KerasTensor:
    """Return a weighted mean of a linear model's and an ensemble's predictions.

    It does not round to 16 bits.

    Args:
        linear: Prediction of the linear model; None: the ensemble's alone.
        predictions: Those of an ensemble, of the same shape.
    """
    dtype = keras.config.floatx()
    mean = predictions[0]
    if predictions[1:]:
        mean = keras.layers.Average(name="mean", dtype=dtype)(predictions)
    if linear is None:
        return mean
    return Blend(name="blend", dtype=dtype)([linear, mean])


class ChooseBlend(keras.callbacks.Callback):
    """Sets the share before each validation, to the best one on the validation part.

    So the validation part chooses the share as it chooses the epoch. The score decides,
    or, for classes, the cross-entropy: the accuracy changes in jumps.

    `latest_gain` is the last epoch in which the networks alone got better. As long as
    the linear model has the whole share, the score does not show that.
    """

    def __init__(self, data: Splits) -> None:
        """Keep the data.

        Args:
            data: Its task scores the shares 0, 0.1, ... 1 on its validation part.
        """
        super().__init__()
        self.data = data

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Find the two predictions in the model; nothing to do without a blend."""
        self.epoch = self.latest_gain = 0
        self.least_error = math.inf
        blends = [layer for layer in self.model.layers if isinstance(layer, Blend)]
        self.layer = blends[0] if blends else None
        if self.layer is not None:
            self.parts = keras.Model(self.model.inputs, self.layer.input)

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Remember the epoch."""
        self.epoch = epoch + 1

    def on_test_begin(self, logs: dict | None = None) -> None:
        """Choose the share."""
        if self.layer is None:
            return
        validation, task = self.data.validation, self.data.task
        metric = task.score.metric
        if "cross_entropy" in task.measures:
            metric = "cross_entropy"
        arguments = feed(validation, BATCH)
        arguments.pop("y", None)
        first, second = self.parts.predict(**arguments, verbose=0)
        first, second = (
            np.float64(restore_order(validation, one)) for one in (first, second)
        )

        def measure(share: float) -> float:
            blended = share * first + (1 - share) * second
            return float(task.measure(metric, validation.targets, blended).mean())

        errors = [measure(share) for share in SHARES]
        if not np.isfinite(errors).all():
            return
        self.layer.share.assign(SHARES[int(np.argmin(errors))])
        if errors[0] < self.least_error:
            self.least_error, self.latest_gain = errors[0], self.epoch
