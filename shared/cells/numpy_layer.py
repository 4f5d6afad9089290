"""The NumPy GRU as a Keras layer, trained by its own backward pass."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from shared.cells.numpy_cells import GRU


# Models of version 0.1 use this name.
@keras.saving.register_keras_serializable(package="rnn_recipes", name="ScratchGRU")
class NumpyGRU(keras.Layer):
    """Reads (batch, steps, features), returns the last state (batch, units).

    TensorFlow sees one operation. NumPy computes its value and its gradient, so the
    layer uses no automatic differentiation. The first weights are drawn as Keras draws
    them: Glorot uniform, orthogonal, bias 0.
    """

    def __init__(
        self,
        units: int,
        activation: str = "tanh",
        recurrent_activation: str = "sigmoid",
        use_bias: bool = True,
        reset_after: bool = True,
        update_gate: str = "keeps",
        **arguments: Any,
    ) -> None:
        """Prepare the layer.

        Args:
            units: Size of the state.
            activation: Of the candidate, as in `shared.cells.numpy_cells`.
            recurrent_activation: Of the gates.
            use_bias: Whether there is a bias.
            reset_after: Whether the reset gate comes after the product.
            update_gate: What an open update gate does: `keeps` or `writes`.
            **arguments: `name`, `dtype` and the like.
        """
        super().__init__(**arguments)
        self.units = units
        self.activation = activation
        self.recurrent_activation = recurrent_activation
        self.use_bias = use_bias
        self.reset_after = reset_after
        self.update_gate = update_gate
        self.supports_jit = False  # XLA cannot compile a call of NumPy

    def build(self, input_shape: tuple) -> None:
        """Make the weights, in Keras' shapes and order."""
        wide = 3 * self.units
        self.add_weight((input_shape[-1], wide), "glorot_uniform", name="kernel")
        self.add_weight((self.units, wide), "orthogonal", name="recurrent_kernel")
        if self.use_bias:
            shape = (2, wide) if self.reset_after else (wide,)
            self.add_weight(shape, "zeros", name="bias")

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Read the sequences."""
        weights = [tf.convert_to_tensor(weight) for weight in self.weights]

        @tf.custom_gradient
        def read(*arrays: tf.Tensor) -> tuple:
            state = tf.numpy_function(
                self._forward, arrays, self.compute_dtype, stateful=False
            )
            state.set_shape((inputs.shape[0], self.units))

            def gradient(d_state: tf.Tensor) -> list[tf.Tensor]:
                gradients = tf.numpy_function(
                    self._backward,
                    [d_state, *arrays],
                    [self.compute_dtype] * len(arrays),
                    stateful=False,
                )
                for gradient, array in zip(gradients, arrays, strict=True):
                    gradient.set_shape(array.shape)
                return gradients

            return state, gradient

        return read(inputs, *weights)

    def _forward(self, inputs: np.ndarray, *weights: np.ndarray) -> np.ndarray:
        return self._make_cell(weights).forward(inputs).final_state[0]

    def _backward(
        self, d_state: np.ndarray, inputs: np.ndarray, *weights: np.ndarray
    ) -> list[np.ndarray]:
        """Return the gradients by inputs and weights; reads the inputs once more."""
        cell = self._make_cell(weights)
        found = cell.backward(cell.forward(inputs), d_state=[d_state])
        gradients = [found.inputs, found.kernel, found.recurrent_kernel, found.bias]
        return gradients[: 1 + len(weights)]

    def _make_cell(self, weights: tuple[np.ndarray, ...]) -> GRU:
        return GRU(
            *weights,
            activation=self.activation,
            recurrent_activation=self.recurrent_activation,
            reset_after=self.reset_after,
            update_gate=self.update_gate,
        )

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build the layer again."""
        names = ("units", "activation", "recurrent_activation", "use_bias",
                 "reset_after", "update_gate")  # fmt: skip
        return super().get_config() | {name: getattr(self, name) for name in names}
