"""One vector for a whole sequence of states, padding left out."""

from __future__ import annotations

from typing import Literal

import keras
from keras import layers, ops


def pool_steps(
    states: keras.KerasTensor,
    pooling: Literal["max", "mean"],
    name: str | None = None,
) -> keras.KerasTensor:
    """Return the largest or mean of each feature over all steps.

    Args:
        states: (batch, steps, features), or the last ones, (batch, features), which
            are handed on as they are.
        pooling: Which of the two.
        name: Of the layer.

    Returns:
        (batch, features).
    """
    if len(states.shape) == 2:
        return states
    pools = {"max": MaxOfSteps, "mean": layers.GlobalAveragePooling1D}
    return pools[pooling](name=name)(states)


@keras.saving.register_keras_serializable(package="rnn_recipes")
class MaxOfSteps(keras.Layer):
    """Reads (batch, steps, features), returns the largest of each feature.

    As `keras.layers.GlobalMaxPooling1D`, which reads masked steps as well (Keras 3.15).
    """

    def __init__(self, **arguments: object) -> None:
        """Prepare the layer; `arguments` are `name`, `dtype` and the like."""
        super().__init__(**arguments)
        self.supports_masking = True

    def compute_mask(self, inputs: object, mask: object = None) -> None:
        """Return no mask: there are no steps left."""
        return

    def call(
        self, inputs: keras.KerasTensor, mask: keras.KerasTensor | None = None
    ) -> keras.KerasTensor:
        """Return the maximum over the steps the mask lets through."""
        if mask is not None:
            lowest = ops.convert_to_tensor(-1e9, inputs.dtype)
            inputs = ops.where(mask[:, :, None], inputs, lowest)
        return ops.max(inputs, axis=1)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Drop the axis of the steps."""
        return input_shape[0], input_shape[2]
