"""A carried state: many short batches read as one long text."""

import numpy as np
import pytest

from shared.core.backend import import_keras


def build(kind, streams=3, units=5):
    import_keras()
    from keras import Input, Model, layers

    from shared.layers.carried import CarryState

    steps = Input((None, 4))
    layer = getattr(layers, kind)(
        units, return_sequences=True, return_state=True, seed=1, dropout=0.0
    )
    return Model(steps, CarryState(layer, streams)(steps))


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("kind", ["SimpleRNN", "LSTM", "GRU"])
def test_short_batches_read_as_one_text(kind, compiled):
    model = build(kind)
    if compiled:
        from shared.kernels.choice import apply_kernel

        apply_kernel(model, "compiled")
    x = np.random.default_rng(0).normal(size=(3, 12, 4)).astype("float32")
    whole = np.asarray(model(x, training=False))
    parts = [np.asarray(model(x[:, k : k + 4], training=True)) for k in (0, 4, 8)]
    assert np.concatenate(parts, axis=1) == pytest.approx(whole, abs=1e-6)
    # outside of the training, nothing is carried, and any batch can be read
    alone = np.asarray(model(x[:1, 4:8], training=False))
    assert alone == pytest.approx(np.asarray(model(x[:, 4:8]))[:1], abs=1e-6)
    assert np.abs(alone - whole[:1, 4:8]).max() > 1e-3
    after = np.asarray(model(x[:, :4], training=True))
    assert np.abs(after - whole[:, :4]).max() > 1e-3  # goes on, and does not start


def test_the_gradient_ends_at_the_batch():
    """A gradient through the carried state would add a term for the batch before."""
    import_keras()
    import tensorflow as tf

    model = build("GRU")
    first, second = (tf.random.stateless_normal((3, 4, 4), [k, 0]) for k in (0, 1))
    with tf.GradientTape() as tape:
        tape.watch(first)
        model(first, training=True)
        loss = tf.reduce_sum(model(second, training=True))
    assert tape.gradient(loss, first) is None


def test_it_is_saved_and_loaded(tmp_path):
    import keras

    model = build("LSTM")
    x = np.random.default_rng(0).normal(size=(3, 4, 4)).astype("float32")
    model(x, training=True)
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras")
    assert np.asarray(again(x)) == pytest.approx(np.asarray(model(x)), abs=1e-6)
    assert again.layers[-1].streams == 3
