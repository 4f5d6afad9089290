"""Update the vectors of words in the compiled path.

TensorFlow sums the rows of a sparse gradient one after the other, and RMSprop needs
seven passes over them. Here it needs two. The numbers are the same, bit for bit
(tests/kernels/test_updates.py).
"""

from __future__ import annotations

import functools
import types
from typing import TYPE_CHECKING

import numpy as np

from shared.layers.embedding import has_dense_gradient

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

TYPES = ("float32", "float64")


def use_compiled_updates(model: keras.Model) -> None:
    """Sum the gradients of a model's embeddings in the compiled path.

    Args:
        model: Compiled, and not under XLA. An optimizer or type of numbers that this
            does not know stays as it is.
    """
    import keras

    optimizer = model.optimizer
    known = type(optimizer) is keras.optimizers.RMSprop
    if known and not optimizer.momentum and not optimizer.centered:
        step = functools.partial(_update_rmsprop, type(optimizer).update_step)
        optimizer.update_step = types.MethodType(step, optimizer)
    for layer in model.layers:
        if isinstance(layer, keras.layers.Embedding) and has_dense_gradient(layer):
            layer.sum_rows = sum_rows


def sum_rows(values: tf.Tensor, words: tf.Tensor, count: int) -> tf.Tensor:
    """Return the sum of the rows of each word, as `tf.math.unsorted_segment_sum`.

    Args:
        values: (occurrences, size).
        words: (occurrences,), from 0 to count - 1.
        count: Words.

    Returns:
        (count, size).
    """
    import tensorflow as tf

    from shared.kernels.loop.rows import PLAIN

    if values.dtype.name not in TYPES:
        return tf.math.unsorted_segment_sum(values, words, count)
    return _sum(PLAIN, values, words, tf.zeros((), values.dtype), values[:0], count)


def _update_rmsprop(
    update_step: types.FunctionType,
    optimizer: keras.optimizers.RMSprop,
    gradient: tf.Tensor | tf.IndexedSlices,
    variable: keras.Variable,
    learning_rate: tf.Tensor,
) -> None:
    """Do what `keras.optimizers.RMSprop.update_step` does (Keras 3.15)."""
    import tensorflow as tf
    from keras import ops

    from shared.kernels.loop.rows import SQUARES, STEPS

    sparse = isinstance(gradient, tf.IndexedSlices)
    if not sparse or gradient.dtype.name not in TYPES:
        update_step(optimizer, gradient, variable, learning_rate)
        return
    values, words = gradient.values, gradient.indices
    rate = ops.cast(learning_rate, variable.dtype)
    velocity = optimizer._velocities[optimizer._get_variable_index(variable)]
    count, decay = variable.shape[0], tf.constant(1 - optimizer.rho, values.dtype)
    squares = _sum(SQUARES, values, words, decay, values[:0], count)
    optimizer.assign(velocity, ops.add(ops.multiply(optimizer.rho, velocity), squares))
    roots = ops.sqrt(ops.add(velocity, optimizer.epsilon))
    step = _sum(STEPS, values, words, rate, roots, count)
    optimizer.assign_sub(variable, step)


def _sum(
    way: int,
    values: tf.Tensor,
    words: tf.Tensor,
    factor: tf.Tensor,
    roots: tf.Tensor,
    count: int,
) -> tf.Tensor:
    """Call `run_sum` from TensorFlow's graph."""
    import tensorflow as tf

    total = tf.numpy_function(
        functools.partial(_run, way, count),
        [values, tf.cast(words, tf.int64), factor, roots],
        values.dtype,
        stateful=False,
    )
    total.set_shape((count, values.shape[1]))
    return total


def _run(
    way: int,
    count: int,
    values: np.ndarray,
    words: np.ndarray,
    factor: np.ndarray,
    roots: np.ndarray,
) -> np.ndarray:
    """Sum rows of NumPy arrays."""
    from shared.kernels.loop.rows import run_sum

    size = values.shape[1]
    out = np.zeros((count, size), values.dtype)
    number = values.dtype.type(factor)
    run_sum(
        way, values.reshape(-1), words, number, roots.reshape(-1), size, out.reshape(-1)
    )
    return out
