"""A weighted mean of two forecasts, whose weight the validation part chooses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from shared.data.feeding import feed

if TYPE_CHECKING:
    from shared.data.splits import Splits

SHARES = np.linspace(0, 1, 11)
BATCH = 256


@keras.saving.register_keras_serializable(package="rnn_recipes")
class Blend(keras.Layer):
    """Reads two forecasts, returns share * first + (1 - share) * second."""

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


def blend_forecasts(
    linear: keras.KerasTensor, forecasts: list[keras.KerasTensor]
) -> keras.KerasTensor:
    """Return a weighted mean of a linear forecast and the mean of an ensemble's.

    It does not round to 16 bits.

    Args:
        linear: A forecast.
        forecasts: Those of an ensemble, of the same shape.
    """
    dtype = keras.config.floatx()
    mean = forecasts[0]
    if forecasts[1:]:
        mean = keras.layers.Average(name="mean", dtype=dtype)(forecasts)
    return Blend(name="blend", dtype=dtype)([linear, mean])


class ChooseBlend(keras.callbacks.Callback):
    """Sets the share before each validation, to the best one on the validation part.

    So the validation part chooses the share as it chooses the epoch.
    """

    def __init__(self, data: Splits) -> None:
        """Keep the data.

        Args:
            data: Its task scores the shares 0, 0.1, ... 1 on its validation part.
        """
        super().__init__()
        self.data = data

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Find the two forecasts in the model."""
        (self.layer,) = (x for x in self.model.layers if isinstance(x, Blend))
        self.parts = keras.Model(self.model.inputs, self.layer.input)

    def on_test_begin(self, logs: dict | None = None) -> None:
        """Choose the share."""
        validation, task = self.data.validation, self.data.task
        arguments = feed(validation, BATCH)
        arguments.pop("y", None)
        first, second = self.parts.predict(**arguments, verbose=0)
        first, second = np.float64(first), np.float64(second)

        def measure(share: float) -> float:
            blended = share * first + (1 - share) * second
            return float(
                task.measure(task.score.metric, validation.targets, blended).mean()
            )

        errors = [measure(share) for share in SHARES]
        if np.isfinite(errors).all():
            self.layer.share.assign(SHARES[int(np.argmin(errors))])
