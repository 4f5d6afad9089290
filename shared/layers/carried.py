"""Carry the state of a recurrent layer from one training batch to the next."""

from __future__ import annotations

from typing import Any

import keras


@keras.saving.register_keras_serializable(package="rnn_recipes")
class CarryState(keras.layers.Wrapper):
    """Reads (batch, steps, features), returns the states of all steps.

    In training, a batch starts from the states that the batch before ended with: row k
    goes on where row k ended (truncated back-propagation through time). Else each
    sequence starts from zeros, so batches of any size can be read. Keras' own
    `stateful=True` carries the state in both, and fixes the batch size of both.
    """

    def __init__(self, layer: keras.Layer, streams: int, **arguments: Any) -> None:
        """Keep the layer.

        Args:
            layer: SimpleRNN, LSTM or GRU. It must return its sequences and its state.
            streams: Rows of each batch in training.
            **arguments: Those of every Keras layer.
        """
        super().__init__(layer, **arguments)
        self.streams = streams

    def build(self, input_shape: tuple) -> None:
        """Create the layer's weights, and the states that are carried."""
        super().build(input_shape)
        sizes = self.layer.cell.state_size
        sizes = list(sizes) if isinstance(sizes, list | tuple) else [sizes]
        self.carried = [
            self.add_weight(
                name=f"carried_{k}",
                shape=(self.streams, size),
                initializer="zeros",
                trainable=False,
            )
            for k, size in enumerate(sizes)
        ]

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Return (batch, steps, units)."""
        if not training:
            return self.layer(inputs, training=False)[0]
        start = [keras.ops.cast(state, self.compute_dtype) for state in self.carried]
        outputs, *states = self.layer(inputs, initial_state=start, training=True)
        for carried, state in zip(self.carried, states, strict=True):
            carried.assign(keras.ops.stop_gradient(state))
        return outputs

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Return the shape of the states of all steps."""
        return *input_shape[:2], self.layer.units

    def get_config(self) -> dict[str, Any]:
        """Return what Keras needs to build the layer again."""
        return super().get_config() | {"streams": self.streams}
