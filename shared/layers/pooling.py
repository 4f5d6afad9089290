"""Pool a sequence of states into one vector, without the padding."""

from __future__ import annotations

from typing import Literal

import keras
from keras import layers, ops


def pool_steps(
    states: keras.KerasTensor,
    pooling: Literal["max", "mean"],
    name: str | None = None,
) -> keras.KerasTensor:
    """Return the maximum or mean of each feature over all steps.

    Args:
        states: (batch, steps, features). The last states alone, (batch, features), are
            returned unchanged.
        pooling: `max` or `mean`.
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
    """Reads (batch, steps, features), returns the maximum of each feature.

    Unlike `keras.layers.GlobalMaxPooling1D` (Keras 3.15), it skips masked steps.
    """

    def __init__(self, **arguments: object) -> None:
        """Prepare the layer. `arguments` are those of every layer: `name`, `dtype`."""
        super().__init__(**arguments)
        self.supports_masking = True

    def compute_mask(self, inputs: object, mask: object = None) -> None:
        """Return no mask: the output has no steps."""
        return

    def call(
        self, inputs: keras.KerasTensor, mask: keras.KerasTensor | None = None
    ) -> keras.KerasTensor:
        """Return the maximum over the steps that are not masked."""
        if mask is not None:
            sixteen = keras.backend.standardize_dtype(inputs.dtype) == "float16"
            lowest = ops.convert_to_tensor(-6e4 if sixteen else -1e9, inputs.dtype)
            inputs = ops.where(mask[:, :, None], inputs, lowest)
        return ops.max(inputs, axis=1)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Return the shape without the axis of the steps."""
        return input_shape[0], input_shape[2]
