"""Sum the gradient of a convolution's kernel in a fixed order."""

from __future__ import annotations

import types
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras
    import tensorflow as tf


def sum_in_order(convolution: keras.layers.Conv1D) -> keras.layers.Conv1D:
    """Make the gradient of a convolution independent of the number of cores.

    TensorFlow (2.21) cuts the sum over all steps of a batch into as many parts as there
    are cores. So another number of cores would round the gradient differently.

    Args:
        convolution: Stride 1, no padding, no dilation. Changed in place. Its outputs,
            its weights and its saved form stay the same.

    Returns:
        The same layer.
    """
    convolution.convolution_op = types.MethodType(_convolve, convolution)
    return convolution


def _convolve(
    convolution: keras.layers.Conv1D, inputs: tf.Tensor, kernel: tf.Tensor
) -> tf.Tensor:
    """Return the convolution: (batch, steps, features) -> (batch, steps, filters)."""
    import keras
    import tensorflow as tf

    if isinstance(inputs, keras.KerasTensor):  # while the model is built
        return type(convolution).convolution_op(convolution, inputs, kernel)

    @tf.custom_gradient
    def convolve(x: tf.Tensor, weights: tf.Tensor) -> tuple:
        def gradient(upstream: tf.Tensor) -> tuple:
            steps = tf.shape(upstream)[1]
            of_x = tf.nn.conv1d_transpose(upstream, weights, tf.shape(x), 1, "VALID")
            of_weights = [
                tf.reduce_sum(
                    tf.matmul(x[:, k : k + steps], upstream, transpose_a=True), 0
                )
                for k in range(weights.shape[0])
            ]
            return of_x, tf.stack(of_weights)

        return tf.nn.conv1d(x, weights, 1, "VALID"), gradient

    return convolve(inputs, tf.convert_to_tensor(kernel))
