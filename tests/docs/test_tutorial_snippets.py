"""docs/tutorial-snippets.md says what Keras does with the tutorials' snippets today."""

import keras
import numpy as np
import pytest
from keras import layers

from tests.helpers import PROJECT

PAGE = (PROJECT / "docs" / "tutorial-snippets.md").read_text(encoding="utf-8")


def build(loss, steps=10, features=1):
    model = keras.Sequential(
        [keras.Input((steps, features)), layers.SimpleRNN(2), layers.Dense(1)]
    )
    model.compile(loss=loss)
    return model


def check_refused(message, call):
    """Check that a call is refused with a message that the page quotes."""
    assert f"`ValueError: {message}`" in PAGE
    with pytest.raises(ValueError) as caught:
        call()
    assert message in str(caught.value)


def test_names_that_keras_refuses():
    check_refused("Argument(s) not recognized", lambda: keras.optimizers.Adam(lr=0.01))
    check_refused(
        "Unrecognized keyword arguments",
        lambda: layers.GRU(4, recurrent_dopout=0.2),
    )


def test_ten_targets_do_not_meet_one_output():
    with pytest.raises(ValueError, match="must have the same shape"):
        build("binary_crossentropy").fit(
            np.zeros((4, 10, 1)), np.ones((4, 10)), verbose=0
        )


def test_a_hundred_windows_do_not_meet_a_thousand_targets():
    check_refused(
        "Data cardinality is ambiguous",
        lambda: build("mse", features=5).fit(
            np.zeros((100, 10, 5)), np.zeros(1000), verbose=0
        ),
    )


def test_padding_cuts_and_pads_at_the_front():
    padded = keras.utils.pad_sequences([[1, 2, 3], [4]], maxlen=2)
    assert padded.tolist() == [[2, 3], [0, 4]]


def test_defaults_of_the_layers():
    for layer in (layers.GRU(4), layers.LSTM(4)):
        assert layer.get_config()["recurrent_activation"] == "sigmoid"
        assert layer.get_config()["activation"] == "tanh"
    gru, lstm = layers.GRU(4), layers.LSTM(4)
    for layer in (gru, lstm):
        layer.build((None, 3, 2))
    assert not np.asarray(gru.cell.bias).any()
    bias = np.asarray(lstm.cell.bias)
    assert bias[4:8].tolist() == [1] * 4  # the forget gate
    assert bias.sum() == 4
    assert layers.Embedding(3, 2).mask_zero is False


def test_keras_takes_any_implementation():
    word = layers.GRU(2, implementation="CuDNN")
    assert word(np.zeros((1, 3, 1), np.float32)).shape == (1, 2)
    with pytest.raises(ValueError, match="implementation"):
        layers.SimpleRNN(2, implementation=1)


def test_dropout_drops_inputs():
    """With a kernel of 1 and no recurrence, the output is the scaled input or 0."""
    layer = layers.SimpleRNN(
        1, activation="linear", kernel_initializer="ones",
        recurrent_initializer="zeros", dropout=0.5, seed=1,
    )  # fmt: skip
    outputs = np.asarray(layer(np.ones((64, 1, 1), np.float32), training=True))
    assert sorted(set(outputs.ravel().tolist())) == [0, 2]


def test_uniform_weights_saturate_the_state():
    random = np.random.default_rng(0)
    read, kernel = random.random((100, 32)), random.random((64, 32))
    recurrent, bias = random.random((64, 64)), random.random(64)
    state, states = np.zeros(64), []
    for inputs in read:
        state = np.tanh(kernel @ inputs + recurrent @ state + bias)
        states.append(state)
    assert np.min(states) > 0.99
