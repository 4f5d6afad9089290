"""Sum the gradient of a word embedding per word before the optimizer gets it."""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import keras
    import tensorflow as tf


def set_gradient(
    embedding: keras.layers.Embedding, gradient: Literal["sparse", "dense"]
) -> keras.layers.Embedding:
    """Choose the gradient that an embedding gives the optimizer: summed, or Keras' own.

    On TensorFlow, Keras (3.15) gives one row per *occurrence* of a word. It does not
    sum the rows of a word before it squares them. Take a word that occurs twice in a
    batch, with gradients g_1 and g_2. RMSprop and Adam then divide by the root of
    g_1^2 + g_2^2, not of (g_1 + g_2)^2. So their steps on frequent words are longer
    than in their papers. On JAX, on PyTorch and under XLA, Keras sums first. So does
    this function, and it is faster.

    Args:
        embedding: Changed in place. Its weights and saved form stay the same.
        gradient: `sparse` keeps the layer unchanged, `dense` sums first.

    Returns:
        The same layer.
    """
    if gradient == "dense":
        embedding.call = types.MethodType(_look_up, embedding)
    return embedding


def has_dense_gradient(embedding: keras.layers.Embedding) -> bool:
    """Return whether `set_gradient` made an embedding sum its gradient per word."""
    return getattr(vars(embedding).get("call"), "__func__", None) is _look_up


def _look_up(embedding: keras.layers.Embedding, inputs: tf.Tensor) -> tf.Tensor:
    """Return the vectors of word ids: (batch, steps) -> (batch, steps, size)."""
    import tensorflow as tf

    # `use_compiled_updates` may have chosen another way to the same sums.
    sum_rows = vars(embedding).get("sum_rows", tf.math.unsorted_segment_sum)

    @tf.custom_gradient
    def look_up(vectors: tf.Tensor, ids: tf.Tensor) -> tuple:
        def gradient(upstream: tf.Tensor) -> tuple:
            rows = tf.reshape(upstream, (-1, vectors.shape[1]))
            words = tf.reshape(ids, (-1,))
            return sum_rows(rows, words, vectors.shape[0]), None

        return tf.gather(vectors, ids), gradient

    ids = tf.cast(inputs, tf.int32)
    return look_up(tf.convert_to_tensor(embedding.embeddings), ids)
