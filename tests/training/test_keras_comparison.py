"""The NumPy GRU trains as Keras' GRU does, from the same weights."""

import csv
import dataclasses
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from recipes import scratch_gru
from shared.cells.numpy_layer import NumpyGRU
from shared.commands.recipe import main
from shared.data.generated.sine import make_sine
from shared.inference.load_model import load_model
from shared.runs.reader import find_runs, read_predictions
from shared.training.config import build_optimizer
from shared.training.fit import fit_quietly
from shared.training.keras_comparison import (
    fit_keras_twin,
    negate_update_gate,
    write_comparison_with_keras,
)

SIZES = {"points": 300, "train_points": 90, "validation_points": 70, "test_points": 60}
# On losses of about 1. Measured over the 30 epochs of the recipe: 2e-8, 3e-17.
BOUNDS = {"float32": 1e-6, "float64": 1e-14}


@pytest.fixture(autouse=True)
def _usual_numbers():
    yield
    keras.config.set_floatx("float32")


@pytest.mark.parametrize(
    "flags",
    [["--update-gate", "writes", "--no-reset-after"], ["--dtype", "float64"]],
    ids=" ".join,
)
def test_both_curves_are_the_same(flags, tmp_path, capsys, monkeypatch):
    arguments = ["--units", "3", "--epochs", "4", "--results-dir", str(tmp_path)]
    for name, size in SIZES.items():
        arguments += [f"--{name.replace('_', '-')}", str(size)]
    main(scratch_gru.Config, scratch_gru.run, [*arguments, *flags])
    (run,) = find_runs(tmp_path)
    with (run.path / "keras_comparison.csv").open() as file:
        rows = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
    bound = BOUNDS[run.config["settings"]["dtype"]]
    for row in rows:
        names = ("loss", "val_loss")
        differences = [abs(row[name] - row[f"library_{name}"]) for name in names]
        assert row["difference"] == max(differences)
        assert row["difference"] <= bound
    assert rows[0]["loss"] - rows[-1]["loss"] > 1000 * bound  # it did learn
    assert [row["loss"] for row in rows] == run.history["loss"]
    sentence = (run.path / "keras_comparison.txt").read_text()
    assert sentence in capsys.readouterr().out
    assert f"{max(row['difference'] for row in rows):.1e}" in sentence

    # Load the model as in a process that has not imported the layer.
    monkeypatch.delitem(sys.modules, "shared.cells.numpy_layer")
    monkeypatch.delattr("shared.cells.numpy_layer")
    monkeypatch.delitem(keras.saving.get_custom_objects(), "rnn_recipes>ScratchGRU")
    model = load_model(run.path)
    sine = dataclasses.replace(scratch_gru.Config().sine, **SIZES)
    found = model.predict(make_sine(sine, 0).test.inputs, verbose=0)[:, 0]
    stored = read_predictions(run)["predictions"]
    assert found == pytest.approx(stored, abs=1e-6)


def test_a_wrong_gradient_is_seen(monkeypatch):
    config = scratch_gru.Config()
    sine = dataclasses.replace(config.sine, **SIZES)
    training = dataclasses.replace(config.training, epochs=2)
    data = make_sine(sine, 0)
    model = scratch_gru.build_model(config, data)
    keras_gru = keras.layers.GRU(**config.gru.arguments(in_numpy=False), name="gru")
    twin = scratch_gru._build_network(config, keras_gru)
    for network in (model, twin):
        network.compile(build_optimizer(training), "mse")
    backward = NumpyGRU._backward

    def lose_a_gradient(self, *arrays):
        d_inputs, d_kernel, *rest = backward(self, *arrays)
        d_kernel[:, : self.units] = 0  # of the update gate
        return [d_inputs, d_kernel, *rest]

    monkeypatch.setattr(NumpyGRU, "_backward", lose_a_gradient)
    theirs = fit_keras_twin(model, twin, data, training)
    ours = fit_quietly(model, data, training)
    difference = np.abs(np.subtract(ours["val_loss"], theirs["val_loss"])).max()
    assert difference > 10 * BOUNDS["float32"]


@pytest.mark.parametrize(
    "flags",
    [
        {},
        {"use_bias": False, "activation": "relu"},
        {"reset_after": False, "recurrent_activation": "tanh"},
    ],
    ids=str,
)
def test_the_layer_computes_what_keras_computes(flags):
    inputs = np.random.default_rng(0).normal(size=(5, 7, 3))
    ours = NumpyGRU(4, dtype="float64", **flags)
    theirs = keras.layers.GRU(4, dtype="float64", **flags)
    ours.build(inputs.shape)
    theirs.build(inputs.shape)
    random = np.random.default_rng(1)
    weights = [random.normal(0, 0.5, w.shape) for w in theirs.get_weights()]
    found = []
    for layer in (ours, theirs):
        layer.set_weights(weights)
        x = tf.constant(inputs)
        with tf.GradientTape() as tape:
            tape.watch(x)
            state = layer(x)
            loss = tf.reduce_sum(state**2)
        variables = [weight.value for weight in layer.trainable_variables]
        found.append([state, *tape.gradient(loss, [x, *variables])])
    assert len(found[0]) == 5 - ("use_bias" in flags)
    for one, other in zip(*found, strict=True):
        assert np.abs(one - other).max() < 1e-12


def test_the_first_weights_are_drawn_as_keras_draws_them():
    drawn = []
    for kind in (NumpyGRU, keras.layers.GRU):
        keras.utils.set_random_seed(1)
        layer = kind(4)
        layer.build((None, 7, 3))
        drawn.append(layer.get_weights())
    for one, other in zip(*drawn, strict=True):
        assert np.array_equal(one, other)


def test_negating_twice_gives_the_first_weights():
    weights = [np.arange(12.0).reshape(2, 6) + 1, np.ones(6)]
    negated = negate_update_gate(weights, units=2)
    assert negated[0].tolist() == [[-1, -2, 3, 4, 5, 6], [-7, -8, 9, 10, 11, 12]]
    assert negated[1].tolist() == [-1, -1, 1, 1, 1, 1]
    again = negate_update_gate(negated, units=2)
    assert all(np.array_equal(a, b) for a, b in zip(again, weights, strict=True))


class Folder:
    """Keeps what is written."""

    def __init__(self):
        self.tables, self.texts = {}, {}
        self.write_table = self.tables.__setitem__
        self.write_text = self.texts.__setitem__


def test_only_epochs_that_both_have_are_compared():
    """Ours stopped after two epochs of three, and the second has no number."""
    folder, none = Folder(), float("nan")
    ours = [{"loss": 3.0, "val_loss": 2.0}, {"loss": 1.5, "val_loss": none}]
    theirs = {"loss": [3.5, 1.0, 1.0], "val_loss": [2.25, none, none]}
    write_comparison_with_keras(ours, theirs, folder)
    first, second = folder.tables["keras_comparison"]
    assert first == {
        "epoch": 1, "loss": 3, "val_loss": 2, "library_loss": 3.5,
        "library_val_loss": 2.25, "difference": 0.5,
    }  # fmt: skip
    assert np.isnan(second["difference"])
    assert "at most 5.0e-01 (epoch 1 of 2" in folder.texts["keras_comparison"]
    folder = Folder()
    write_comparison_with_keras([ours[1]], {"loss": [none], "val_loss": [none]}, folder)
    assert folder.texts == {}
