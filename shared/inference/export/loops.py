"""Recurrent layers as loops that LiteRT can run, for any batch size and length.

Keras' own loop collects its steps in a TensorArray, for which LiteRT has no operation.
This one writes them into a tensor.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras import layers


def use_plain_loops(model: keras.Model) -> keras.Model:
    """Return the same network for prediction; each recurrent layer becomes a loop."""
    return keras.models.clone_model(
        model, clone_function=lambda layer: layer, call_function=_call
    )


def _call(layer: keras.Layer, *arguments: Any, **options: Any) -> Any:
    if isinstance(layer, layers.Bidirectional | layers.RNN):
        return _Loop(layer)(*arguments)
    return layer(*arguments, **options)


class _Loop(keras.Layer):
    """Reads (batch, steps, features) as the layer inside does, in both directions."""

    def __init__(self, inner: keras.Layer) -> None:
        super().__init__(name=f"{inner.name}_loop")
        self.inner = inner
        self.supports_masking = True

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return mask if self.inner.return_sequences else None

    def compute_output_shape(self, shape: tuple) -> tuple:
        return self.inner.compute_output_shape(shape)

    def call(self, inputs: Any, mask: Any = None) -> Any:
        if not isinstance(self.inner, layers.Bidirectional):
            return _read(self.inner, inputs, mask)
        forward = _read(self.inner.forward_layer, inputs, mask)
        backward = _read(self.inner.backward_layer, inputs, mask)
        if self.inner.return_sequences:
            backward = tf.reverse(backward, [1])
        ways = {
            "concat": lambda: tf.concat([forward, backward], -1),
            "sum": lambda: forward + backward,
            "ave": lambda: (forward + backward) / 2,
            "mul": lambda: forward * backward,
        }
        return ways[self.inner.merge_mode]()


def _read(layer: keras.Layer, inputs: tf.Tensor, mask: tf.Tensor | None) -> tf.Tensor:
    """Return what a recurrent layer returns: its last output, or all of them.

    Args:
        layer: Without state from outside.
        inputs: (batch, steps, features).
        mask: bool, (batch, steps): which steps count. None: all.
    """
    cell, returns_all = layer.cell, layer.return_sequences
    steps, batch = tf.shape(inputs)[1], tf.shape(inputs)[0]
    by_step, kept = tf.transpose(inputs, [1, 0, 2]), None
    if mask is not None:  # 1 where a step counts
        kept = tf.transpose(tf.cast(mask, inputs.dtype), [1, 0])
        kept = tf.expand_dims(kept, 2)
    if layer.go_backwards:
        by_step = tf.reverse(by_step, [0])
        kept = None if kept is None else tf.reverse(kept, [0])
    sizes = cell.state_size
    sizes = list(sizes) if isinstance(sizes, list | tuple) else [sizes]
    start = [tf.zeros((batch, size), inputs.dtype) for size in sizes]
    written = tf.zeros((steps if returns_all else 1, batch, sizes[0]), inputs.dtype)

    def read_step(step: tf.Tensor, written: tf.Tensor, *states: tf.Tensor) -> tuple:
        _, new = cell(tf.gather(by_step, step), list(states), training=False)
        output = new[0]
        if kept is not None:  # a masked step keeps the states
            share = tf.gather(kept, step)
            new = [
                share * after + (1 - share) * before
                for after, before in zip(new, states, strict=True)
            ]
            output = share * output if layer.zero_output_for_mask else new[0]
        if returns_all:
            output = tf.expand_dims(output, 0)
            written = tf.tensor_scatter_nd_update(written, [[step]], output)
        return (step + 1, written, *new)

    shapes = [tf.TensorShape([None, size]) for size in sizes]
    _, written, *states = tf.while_loop(
        lambda step, *_: step < steps,
        read_step,
        [tf.constant(0), written, *start],
        shape_invariants=[
            tf.TensorShape([]), tf.TensorShape([None, None, sizes[0]]), *shapes,
        ],
    )  # fmt: skip
    return tf.transpose(written, [1, 0, 2]) if returns_all else states[0]
