"""A convolution whose gradient is summed in a fixed order is the same convolution."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from shared.layers.convolution import sum_in_order


def test_outputs_and_gradients_are_those_of_keras():
    keras.utils.set_random_seed(0)
    plain = layers.Conv1D(3, 5, activation="relu")
    plain.build((None, None, 2))
    changed = sum_in_order(layers.Conv1D(3, 5, activation="relu"))
    changed.build((None, None, 2))
    changed.set_weights(plain.get_weights())
    x = tf.constant(np.random.default_rng(0).normal(size=(4, 9, 2)), "float32")
    found = []
    for layer in (plain, changed):
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = layer(x)
            loss = tf.reduce_sum(outputs**2)
        weights = [variable.value for variable in layer.trainable_variables]
        found.append([outputs, *tape.gradient(loss, [x, *weights])])
    assert len(found[0]) == 4
    for ours, theirs in zip(*found, strict=True):
        assert np.asarray(ours) == pytest.approx(np.asarray(theirs), rel=1e-5, abs=1e-5)
