"""The gradient of an embedding: summed, or once per occurrence as in Keras."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from shared.layers.embedding import set_gradient

WORDS = tf.constant([[1, 1, 1, 2]])
WEIGHTS = tf.constant([[[1.0], [2.0], [3.0], [4.0]]])  # gradient at each step


def step(gradient, optimizer):
    embedding = layers.Embedding(4, 1, embeddings_initializer="ones")
    set_gradient(embedding, gradient).build(None)
    optimizer.build(embedding.trainable_variables)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(embedding(WORDS) * WEIGHTS)
    found = tape.gradient(loss, [embedding.embeddings.value])
    optimizer.apply(found, embedding.trainable_variables)
    return found[0], 1 - embedding.embeddings.numpy()[:, 0]


def test_dense_sums_first_as_in_the_paper_of_rmsprop():
    found, moved = step("dense", keras.optimizers.RMSprop(0.001))
    assert np.array_equal(found, [[0], [6], [4], [0]])
    # Divided by the root of 0.1 g^2, g = 6 and g = 4 give the same step.
    assert moved == pytest.approx([0, 0.001 / 0.1**0.5, 0.001 / 0.1**0.5, 0], rel=1e-4)


def test_sparse_is_that_of_keras_and_moves_frequent_words_further():
    """If this fails, Keras sums now: remove `sparse` and its help text."""
    found, moved = step("sparse", keras.optimizers.RMSprop(0.001))
    assert isinstance(found, tf.IndexedSlices)
    per_occurrence = 0.001 * 6 / (0.1 * (1 + 4 + 9)) ** 0.5
    assert moved == pytest.approx([0, per_occurrence, 0.001 / 0.1**0.5, 0], rel=1e-4)


def test_without_squares_both_are_the_same():
    sgd = keras.optimizers.SGD
    one, other = (step(how, sgd(0.1))[1] for how in ("sparse", "dense"))
    assert one == pytest.approx(other, rel=1e-6)
    layer = layers.Embedding(9, 3, mask_zero=True)
    ids = np.random.default_rng(0).integers(0, 9, (4, 5))
    before = layer(ids).numpy()
    assert np.array_equal(set_gradient(layer, "dense")(ids), before)
    assert np.array_equal(layer.compute_mask(ids), ids != 0)
