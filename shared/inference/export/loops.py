"""Recurrent layers as loops that LiteRT can run, for any batch size and length.

Keras' own loop collects its steps in a TensorArray, for which LiteRT has no operation.
This one writes them into a tensor.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras import layers, ops


def use_plain_loops(model: keras.Model) -> keras.Model:
    """Return the same network for prediction; each recurrent layer becomes a loop."""
    return keras.models.clone_model(
        model, clone_function=lambda layer: layer, call_function=_call
    )


def _call(layer: keras.Layer, *arguments: Any, **options: Any) -> Any:
    if isinstance(layer, layers.Bidirectional):
        forward = _Loop(layer.forward_layer)(*arguments)
        backward = _Loop(layer.backward_layer)(*arguments)
        if layer.return_sequences:
            backward = ops.flip(backward, axis=1)
        return _merge(layer.merge_mode, forward, backward)
    if isinstance(layer, layers.RNN):
        return _Loop(layer)(*arguments)
    return layer(*arguments, **options)


def _merge(mode: str | None, forward: Any, backward: Any) -> Any:
    """Join both directions as `Bidirectional` does."""
    ways = {
        "concat": lambda: ops.concatenate([forward, backward], axis=-1),
        "sum": lambda: forward + backward,
        "ave": lambda: (forward + backward) / 2,
        "mul": lambda: forward * backward,
        None: lambda: [forward, backward],
    }
    return ways[mode]()


class _Loop(keras.Layer):
    """Reads (batch, steps, features) as the recurrent layer inside does."""

    def __init__(self, inner: keras.Layer) -> None:
        super().__init__(name=f"{inner.name}_loop")
        self.inner = inner
        self.supports_masking = True

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return mask if self.inner.return_sequences else None

    def compute_output_shape(self, shape: tuple) -> tuple:
        return self.inner.compute_output_shape(shape)

    def call(self, inputs: Any, mask: Any = None) -> Any:
        inner, cell = self.inner, self.inner.cell
        steps, batch = tf.shape(inputs)[1], tf.shape(inputs)[0]
        by_step = tf.transpose(inputs, [1, 0, 2])
        kept = None
        if mask is not None:  # 1 where a step counts
            kept = tf.transpose(tf.cast(mask, inputs.dtype), [1, 0])[:, :, None]
        if inner.go_backwards:
            by_step = tf.reverse(by_step, [0])
            kept = None if kept is None else tf.reverse(kept, [0])
        sizes = cell.state_size
        sizes = list(sizes) if isinstance(sizes, list | tuple) else [sizes]
        start = [tf.zeros((batch, size), inputs.dtype) for size in sizes]
        rows = steps if inner.return_sequences else 1
        written = tf.zeros((rows, batch, sizes[0]), inputs.dtype)

        def read_step(step: Any, written: Any, *states: Any) -> tuple:
            _, new = cell(by_step[step], list(states), training=False)
            if kept is not None:  # a masked step keeps the states
                share = kept[step]
                new = [
                    share * after + (1 - share) * before
                    for after, before in zip(new, states, strict=True)
                ]
            if inner.return_sequences:
                output = new[0]
                if kept is not None and inner.zero_output_for_mask:
                    output = kept[step] * output
                written = tf.tensor_scatter_nd_update(written, [[step]], output[None])
            return (step + 1, written, *new)

        shapes = [tf.TensorShape([None, size]) for size in sizes]
        _, written, *states = tf.while_loop(
            lambda step, *_: step < steps,
            read_step,
            [tf.constant(0), written, *start],
            shape_invariants=[
                tf.TensorShape([]),
                tf.TensorShape([None, None, sizes[0]]),
                *shapes,
            ],
        )
        if not inner.return_sequences:
            return states[0]
        return tf.transpose(written, [1, 0, 2])
