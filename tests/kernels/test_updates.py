"""The compiled updates of word vectors change no bit."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from shared.kernels.updates import sum_rows, use_compiled_updates
from shared.layers.embedding import set_gradient
from shared.training.config import TrainingConfig, build_optimizer

WORDS, SIZE = 50, 7


def train(optimizer, compiled, gradient="sparse", dtype="float32"):
    """Return the weights after an epoch on few words, each of them often."""
    keras.utils.set_random_seed(0)
    random = np.random.default_rng(0)
    embedding = set_gradient(layers.Embedding(WORDS, SIZE, dtype=dtype), gradient)
    model = keras.Sequential([
        keras.Input((9,), dtype="int32"), embedding,
        layers.GlobalAveragePooling1D(dtype=dtype), layers.Dense(1, dtype=dtype),
    ])  # fmt: skip
    training = TrainingConfig(
        optimizer=optimizer, learning_rate=0.01, batch_size=8, epochs=1, patience=0
    )
    model.compile(build_optimizer(training), "mse", jit_compile=False)
    if compiled:
        use_compiled_updates(model)
    x, y = random.integers(0, 6, (64, 9)), random.normal(size=64)
    model.fit(x, y, batch_size=8, epochs=2, shuffle=False, verbose=0)
    return [weight.tobytes() for weight in model.get_weights()], model


ALL = list(itertools.product(
    ("rmsprop", "adam"), ("sparse", "dense"), ("float32", "float64", "bfloat16")
))  # fmt: skip
FAST = [("rmsprop", "sparse", "float32"), ("rmsprop", "sparse", "float64"),
        ("adam", "dense", "float32")]  # fmt: skip


@pytest.mark.parametrize(
    ("optimizer", "gradient", "dtype"),
    [
        pytest.param(*case, marks=() if case in FAST else pytest.mark.slow)
        for case in ALL
    ],
)
def test_weights_are_the_same_bit_for_bit(optimizer, gradient, dtype):
    plain, _ = train(optimizer, False, gradient, dtype)
    compiled, model = train(optimizer, True, gradient, dtype)
    assert plain == compiled
    names = {operation.type for operation in _trace(model).graph.get_operations()}
    known = optimizer == "rmsprop" or gradient == "dense"
    assert ("PyFuncStateless" in names) == (known and dtype != "bfloat16")


def _trace(model):
    """Return the graph of one update."""

    @tf.function
    def update(x, y):
        return model.train_step((x, y))

    return update.get_concrete_function(
        tf.TensorSpec((8, 9), tf.int32), tf.TensorSpec((8,), tf.float32)
    )


def test_rows_are_summed_as_tensorflow_sums_them():
    random = np.random.default_rng(1)
    values = random.normal(size=(500, 33)).astype("float32")
    words = random.integers(0, 20, 500)
    ours = sum_rows(tf.constant(values), tf.constant(words), 20)
    theirs = tf.math.unsorted_segment_sum(values, words, 20)
    assert np.array_equal(ours, theirs)


def test_nan_stays_visible():
    values = np.ones((3, 2), "float32")
    values[1] = np.nan
    found = sum_rows(tf.constant(values), tf.constant([0, 1, 0]), 3).numpy()
    assert np.isnan(found[1]).all()
    assert np.array_equal(found[[0, 2]], [[2, 2], [0, 0]])
