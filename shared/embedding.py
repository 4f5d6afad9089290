"""The gradient of a word embedding: summed per word before the optimizer sees it."""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import keras
    import tensorflow as tf


def set_gradient(
    embedding: keras.layers.Embedding, gradient: Literal["sparse", "dense"]
) -> keras.layers.Embedding:
    """Let an embedding hand the optimizer one summed gradient per word, or Keras' own.

    On TensorFlow, Keras (3.15) hands over a row per *occurrence* and does not sum the
    rows of one word before it squares them: RMSprop and Adam then divide the gradients
    g_1, g_2 of a word that stands twice in a batch by the root of g_1^2 + g_2^2, not
    of (g_1 + g_2)^2, and so make longer steps on frequent words than their papers do.
    Rows of one word are also added in any order, so that runs do not repeat exactly.
    On JAX, on PyTorch and under XLA Keras sums first. So does this; it is quicker, too.

    Args:
        embedding: Changed in place; weights and saved form stay.
        gradient: `sparse` leaves the layer as it is, `dense` sums first.

    Returns:
        The same layer.
    """
    if gradient == "dense":
        embedding.call = types.MethodType(_look_up, embedding)
    return embedding


def _look_up(embedding: keras.layers.Embedding, inputs: tf.Tensor) -> tf.Tensor:
    """Return the vectors of word ids: (batch, steps) -> (batch, steps, size)."""
    import tensorflow as tf

    @tf.custom_gradient
    def look_up(vectors: tf.Tensor, ids: tf.Tensor) -> tuple:
        def gradient(upstream: tf.Tensor) -> tuple:
            rows = tf.reshape(upstream, (-1, vectors.shape[1]))
            words = tf.reshape(ids, (-1,))
            return tf.math.unsorted_segment_sum(rows, words, vectors.shape[0]), None

        return tf.gather(vectors, ids), gradient

    ids = tf.cast(inputs, tf.int32)
    return look_up(tf.convert_to_tensor(embedding.embeddings), ids)
