"""A GRU that reads its own output: the decoder of a forecast, step by step."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable(package="rnn_recipes")
class FeedbackCell(keras.Layer):
    """One step of a decoder. Its output is the next step's input.

    The state is a pair: that of the GRU, (batch, units), and the latest output,
    (batch, outputs). The output is the latest output plus what the GRU adds to it.
    """

    def __init__(self, units: int, outputs: int, **arguments: Any) -> None:
        """Prepare the cell.

        Args:
            units: Size of the GRU's state.
            outputs: Numbers of a step of the forecast.
            **arguments: Those of every Keras layer.
        """
        super().__init__(**arguments)
        self.units = units
        self.outputs = outputs
        self.gru = layers.GRUCell(units, name="gru")
        self.step = layers.Dense(outputs, kernel_initializer="zeros", name="step")
        self.state_size = [units, outputs]
        self.output_size = outputs

    def build(self, input_shape: tuple) -> None:
        """Create the weights."""
        self.gru.build((input_shape[0], input_shape[-1] + self.outputs))
        self.step.build((input_shape[0], self.units))
        self.built = True

    def call(self, inputs: Any, states: list, training: bool = False) -> tuple:
        """Return the output of a step and the next state.

        Args:
            inputs: (batch, features): what is known of this step.
            states: The state after the step before.
            training: Whether dropout is on.
        """
        memory, latest = states
        read = ops.concatenate([inputs, latest], axis=-1)
        memory, _ = self.gru(read, [memory], training=training)
        output = latest + self.step(memory)
        return output, [memory, output]

    def get_config(self) -> dict[str, Any]:
        """Return what Keras needs to build the cell again."""
        return super().get_config() | {"units": self.units, "outputs": self.outputs}


@keras.saving.register_keras_serializable(package="rnn_recipes")
class Zeros(keras.Layer):
    """Returns zeros, (batch, size), for any input (batch, ...)."""

    def __init__(self, size: int, **arguments: Any) -> None:
        """Keep the size.

        Args:
            size: Numbers of each example.
            **arguments: Those of every Keras layer.
        """
        super().__init__(**arguments)
        self.size = size

    def call(self, inputs: Any) -> Any:
        """Return the zeros."""
        return ops.zeros((ops.shape(inputs)[0], self.size), self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Return the shape of the zeros."""
        return input_shape[0], self.size

    def get_config(self) -> dict[str, Any]:
        """Return what Keras needs to build the layer again."""
        return super().get_config() | {"size": self.size}


def decode(
    memory: keras.KerasTensor,
    known: keras.KerasTensor | None,
    horizon: int,
    outputs: int,
) -> keras.KerasTensor:
    """Return a forecast that is made step by step, each from the step before.

    Args:
        memory: (batch, units): what an encoder has read.
        known: (batch, horizon, num_known): the known future; None if there is none.
        horizon: Steps to forecast.
        outputs: Numbers of a step.

    Returns:
        (batch, horizon, outputs).
    """
    if known is None:
        nothing = Zeros(1, name="nothing_known")(memory)
        known = layers.RepeatVector(horizon, name="no_inputs")(nothing)
    cell = FeedbackCell(int(memory.shape[-1]), outputs, name="cell")
    start = Zeros(outputs, name="no_change")(memory)
    decoder = layers.RNN(cell, return_sequences=True, name="decoder")
    return decoder(known, initial_state=[memory, start])
