"""The gradient by every state: exact, for the right weights, and in one picture."""

import csv
import dataclasses
import json
import random
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from shared.core.roles import read_settings
from shared.inference.rebuild import rebuild_run, restore_config
from shared.studies.gradient_flow.__main__ import main
from shared.studies.gradient_flow.flow_figure import draw_flows
from shared.studies.gradient_flow.state_gradients import Flow, measure_flow
from tests.helpers import PROJECT, make_reviews, write_npz
from tests.recipes.training_runs import train_reviews, train_series
from tests.undrawn import leave_undrawn

BATCH, STEPS, FEATURES, UNITS = 5, 7, 3, 4
CELLS = {"SimpleRNN": layers.SimpleRNN, "LSTM": layers.LSTM, "GRU": layers.GRU}
PRECISE = 1e-6  # the loss itself is computed in float32


def draw_examples():
    random_ = np.random.default_rng(0)
    inputs = random_.normal(size=(BATCH, STEPS, FEATURES)).astype("float32")
    inputs[0, :3] = 0  # padding on the left, right, in between, and everywhere
    inputs[1, 5:] = 0
    inputs[2, [1, 4]] = 0
    inputs[3] = 0
    return inputs, random_.normal(size=(BATCH, 2)).astype("float32")


def build(*recurrent, masked=False):
    keras.utils.set_random_seed(3)
    window = keras.Input((STEPS, FEATURES))
    memory = layers.Masking(0.0)(window) if masked else window
    for layer in recurrent:
        memory = layer(memory)
    model = keras.Model(window, layers.Dense(2)(memory))
    model.compile("sgd", "mse")
    return model


def read_steps(cell, inputs, mask, backwards=False):
    """Call a cell step by step; return its new states and outputs, both in order."""
    states = [tf.zeros((BATCH, UNITS), tf.float64)] * (
        2 if isinstance(cell, layers.LSTMCell) else 1
    )
    kept, outputs = [None] * STEPS, [None] * STEPS
    order = range(STEPS)[::-1] if backwards else range(STEPS)
    for step in order:
        _, new = cell(inputs[step], states)
        read = mask[:, step, None]
        states = [tf.where(read, *pair) for pair in zip(new, states, strict=True)]
        kept[step] = list(new)
        outputs[step] = states[0]
    return kept, outputs


def copy_cell(layer):
    """Return a float64 cell with the weights of a layer."""
    config = layer.cell.get_config() | {"dtype": "float64"}
    cell = type(layer.cell).from_config(config)
    cell.build((BATCH, layer.cell.kernel.shape[0]))
    cell.set_weights(layer.cell.get_weights())
    return cell


def expect(loss, states, tape, mask):
    """Return norms per state from gradients by the tensors themselves."""
    gradients = tape.gradient(loss, states)
    return [
        np.where(mask, np.linalg.norm(np.stack(by_step, 1), axis=2), np.nan)
        for by_step in zip(*gradients, strict=True)
    ]


def lose(model, memory, targets):
    """Return the summed loss of the examples after the last layer."""
    weights, bias = (tf.constant(w, tf.float64) for w in model.layers[-1].get_weights())
    return tf.reduce_sum(tf.reduce_mean((memory @ weights + bias - targets) ** 2, 1))


def test_a_simple_rnn_is_differentiated_as_by_hand():
    inputs, targets = draw_examples()
    layer = layers.SimpleRNN(UNITS)
    model = build(layer)
    kernel, recurrent, bias, out, out_bias = (
        w.astype("float64") for w in model.get_weights()
    )
    states = [np.zeros((BATCH, UNITS))]
    for step in range(STEPS):
        states.append(np.tanh(inputs[:, step] @ kernel + states[-1] @ recurrent + bias))
    # Squared error, mean over two outputs: the gradient by an output is its error.
    gradient = (states[-1] @ out + out_bias - targets) @ out.T
    norms = np.empty((BATCH, STEPS))
    for step in range(STEPS)[::-1]:
        norms[:, step] = np.linalg.norm(gradient, axis=1)
        gradient = (gradient * (1 - states[step + 1] ** 2)) @ recurrent.T
    (flow,) = measure_flow(model, inputs, targets, "mse")
    assert (flow.layer, flow.state, flow.backwards) == (layer.name, "h", False)
    assert flow.norms == pytest.approx(norms, rel=PRECISE)


@pytest.mark.parametrize(
    ("name", "flags", "masked"),
    [
        ("SimpleRNN", {"activation": "relu"}, True),
        ("LSTM", {}, False),
        ("LSTM", {"go_backwards": True, "dropout": 0.5}, True),
        ("GRU", {"go_backwards": True, "unroll": True}, False),
        ("GRU", {"reset_after": False, "recurrent_dropout": 0.5}, True),
    ],
    ids=str,
)
def test_gradients_are_those_by_the_states_themselves(name, flags, masked):
    inputs, targets = draw_examples()
    layer = CELLS[name](UNITS, bias_initializer="random_normal", **flags)
    model = build(layer, masked=masked)
    mask = inputs.any(axis=2) | (not masked)
    steps = tf.unstack(tf.constant(inputs, tf.float64), axis=1)
    with tf.GradientTape() as tape:
        backwards = flags.get("go_backwards", False)
        states, outputs = read_steps(copy_cell(layer), steps, mask, backwards)
        loss = lose(model, outputs[0 if backwards else -1], targets)
    expected = expect(loss, states, tape, mask)
    flows = measure_flow(model, inputs, targets, "mse")
    assert [flow.state for flow in flows] == ["h", "c"][: len(expected)]
    for flow, norms in zip(flows, expected, strict=True):
        assert flow.norms == pytest.approx(norms, rel=PRECISE, nan_ok=True)
        assert flow.backwards is flags.get("go_backwards", False)
    if masked:
        assert flows[0].lengths.tolist() == [4, 5, 5, 0, 7]


def test_both_directions_and_a_stack():
    inputs, targets = draw_examples()
    both = layers.Bidirectional(layers.GRU(UNITS, return_sequences=True))
    upper = layers.LSTM(UNITS)
    model = build(both, upper, masked=True)
    mask = inputs.any(axis=2)
    steps = tf.unstack(tf.constant(inputs, tf.float64), axis=1)
    with tf.GradientTape() as tape:
        forward, right = read_steps(copy_cell(both.forward_layer), steps, mask)
        backward, left = read_steps(copy_cell(both.backward_layer), steps, mask, True)
        joined = [tf.concat(pair, 1) for pair in zip(right, left, strict=True)]
        states, outputs = read_steps(copy_cell(upper), joined, mask)
        loss = lose(model, outputs[-1], targets)
        every = [f + b + s for f, b, s in zip(forward, backward, states, strict=True)]
    flows = measure_flow(model, inputs, targets, "mse")
    assert [(flow.layer, flow.state, flow.backwards) for flow in flows] == [
        (both.forward_layer.name, "h", False), (both.backward_layer.name, "h", True),
        (upper.name, "h", False), (upper.name, "c", False),
    ]  # fmt: skip
    for flow, norms in zip(flows, expect(loss, every, tape, mask), strict=True):
        assert flow.norms == pytest.approx(norms, rel=PRECISE, nan_ok=True)


def test_more_examples_than_a_batch_are_put_together(monkeypatch):
    inputs, targets = draw_examples()
    model = build(layers.SimpleRNN(UNITS))
    (whole,) = measure_flow(model, inputs, targets, "mse")
    monkeypatch.setattr("shared.studies.gradient_flow.state_gradients.BATCH", 3)
    (parts,) = measure_flow(model, inputs, targets, "mse")
    assert parts.norms == pytest.approx(whole.norms, rel=PRECISE)


def test_a_gradient_below_float32_is_no_zero():
    flags = {"recurrent_initializer": keras.initializers.Constant(1e-9)}
    model = build(layers.SimpleRNN(UNITS, **flags))
    (flow,) = measure_flow(model, *draw_examples(), "mse")
    assert flow.norms[4, 0] > 0
    assert flow.norms[4, 0] < np.finfo(np.float32).tiny
    assert flow.orders_lost()[4] == pytest.approx(8.4 * 6, abs=3)  # 4e-9 a step


def test_measuring_leaves_model_and_random_numbers_alone():
    inputs, targets = draw_examples()
    layer = layers.GRU(UNITS)
    model = build(layer)
    before = model.predict(inputs, verbose=0)
    drawn = random.getstate(), np.random.get_state()[1].tolist()
    measure_flow(model, inputs, targets, "mse")
    assert (random.getstate(), np.random.get_state()[1].tolist()) == drawn
    assert "inner_loop" not in vars(layer)
    assert np.array_equal(model.predict(inputs, verbose=0), before)


NAN = np.nan
NORMS = np.array([[NAN, NAN, 1e-3, 1e-1], [1e-4, NAN, 1e-2, 1e-1], [NAN] * 4])


def test_steps_are_counted_back_from_the_last_one_read():
    flow = Flow("gru", "h", NORMS)
    aged = [[1e-1, 1e-3, NAN, NAN], [1e-1, 1e-2, 1e-4, NAN], [NAN] * 4]
    assert flow.by_age == pytest.approx(np.array(aged), nan_ok=True)
    assert flow.lengths.tolist() == [2, 3, 0]
    assert flow.orders_lost() == pytest.approx([2, 3])
    backwards = dataclasses.replace(flow, backwards=True)
    assert backwards.by_age[0] == pytest.approx([1e-3, 1e-1, NAN, NAN], nan_ok=True)
    assert backwards.orders_lost() == pytest.approx([-2, -3])
    figures = flow.summarise()
    assert figures["examples"].tolist() == [2, 2, 1]
    assert figures["median"] == pytest.approx([1e-1, 5.5e-3, 1e-4])
    assert figures["mean"] == pytest.approx([1e-1, 5.5e-3, 1e-4])
    assert figures["upper_quartile"] == pytest.approx([1e-1, 7.75e-3, 1e-4])


def test_where_nothing_arrives_all_is_lost():
    flow = Flow("gru", "h", np.array([[0.0, 1e-2], [0.0, 0.0]]))
    assert flow.orders_lost().tolist() == [np.inf]
    (axis,) = draw_flows({"task": {"gru, h": {"start": flow}}}, "title").axes
    (line, *_) = axis.lines
    assert line.get_ydata()[0] == pytest.approx(5e-3)
    assert np.isnan(line.get_ydata()[1])


@pytest.fixture
def keep_first_weights(monkeypatch):
    """Remember the weights of every model when its training begins."""
    kept = []
    fit = keras.Model.fit

    def remember(model, *arguments, **more):
        kept.append(model.get_weights())
        return fit(model, *arguments, **more)

    monkeypatch.setattr(keras.Model, "fit", remember)
    return kept


@pytest.mark.parametrize(
    ("train", "recipe", "flags"),
    [
        pytest.param(
            train_reviews,
            "imdb_gru_dropout",
            ["--data", "sample", "--limit", "40"],
            marks=pytest.mark.slow,
        ),
        (train_series, "sum_gru", ["--seed", "7"]),
        (train_series, "weather_conv1d_gru", ["--skip-columns", "rho (g/m**3)"]),
    ],
)
def test_a_rebuilt_run_has_the_first_weights_of_the_run(
    train, recipe, flags, tmp_path, keep_first_weights, monkeypatch, undrawn
):
    run = train(recipe, tmp_path, "--epochs", "1", *flags)
    keras.utils.set_random_seed(99)
    monkeypatch.setenv("RNN_RECIPES_CACHE", str(tmp_path / "no baselines here"))
    rebuilt = rebuild_run(run)
    assert rebuilt.data.data == run.data
    (first,) = keep_first_weights  # nothing was trained again
    assert len(first) >= 5
    for kept, again in zip(first, rebuilt.model.get_weights(), strict=True):
        assert np.array_equal(kept, again)
    assert not list(tmp_path.glob("no baselines here/baselines/*"))


def test_a_config_comes_back_from_its_settings():
    from recipes.weather_stacked_gru import Config

    weather = dataclasses.replace(
        Config().weather, skip_columns=("OT",), data_dir=PROJECT
    )
    config = dataclasses.replace(Config(), weather=weather)
    settings = json.loads(json.dumps(read_settings(config).values))
    assert restore_config(Config(), settings) == (config, {})
    del settings["units"], settings["stride"]
    missing = {"units": 32, "stride": 1}
    assert restore_config(Config(), settings) == (config, missing)


def measure(tmp_path, *arguments):
    places = ["--results-dir", str(tmp_path / "runs"), "--to", str(tmp_path / "joint")]
    main([*map(str, arguments), *places])


def read_table(path):
    with path.open() as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_a_network_with_bigrams(tmp_path, undrawn):
    flags = ["--epochs", "1", "--batch-size", "20", "--ensemble-size", "1",
             "--adversarial-epsilon", "0"]  # fmt: skip
    run = train_reviews("imdb_best", tmp_path, *flags)
    measure(tmp_path, run.path)
    rows = read_table(run.path / "gradient_flow.csv")
    assert {row["layer"] for row in rows} == {"forward_gru_1", "backward_gru_1"}


def test_several_runs_one_of_them_older_than_a_flag_and_its_data_moved(
    tmp_path, capsys
):
    with leave_undrawn():
        lstm = train_reviews("imdb_lstm", tmp_path, "--epochs", "1")
        sums = train_series("sum_gru", tmp_path, "--epochs", "1")
    older = lstm.path.with_name("2020-02-02T00-00-00Z-seed5")
    shutil.copytree(lstm.path, older)
    for name in ("config.json", "summary.json"):
        text = (older / name).read_text().replace('"seed": 0', '"seed": 5')
        (older / name).write_text(text)
    config = json.loads((lstm.path / "config.json").read_text())
    for facts in ("settings", "roles"):
        del config[facts]["embedding_gradient"]
    (lstm.path / "config.json").write_text(json.dumps(config))
    moved = tmp_path / "moved"
    moved.mkdir()
    (tmp_path / "imdb.npz").rename(moved / "imdb.npz")
    capsys.readouterr()
    names = ["imdb-lstm", sums.path, "--name", "both", "--data-dir", moved]
    measure(tmp_path, *names, "--examples", "9")
    printed = capsys.readouterr().out
    assert "--embedding-gradient sparse" in printed
    assert "Medians of 9 validation examples" in printed
    assert not (older / "gradient_flow.csv").exists()
    assert (lstm.path / "gradient_flow.png").stat().st_size > 10_000
    rows = read_table(lstm.path / "gradient_flow.csv")
    assert {(r["state"], r["weights"]) for r in rows} == {
        (state, weights) for state in "hc" for weights in ("start", "trained")
    }
    assert [r["steps_back"] for r in rows[:3]] == ["0", "1", "2"]
    assert rows[0]["examples"] == "9"
    joint = read_table(tmp_path / "joint" / "both.csv")
    assert {row["data"] for row in joint} == {"imdb", sums.data}
    assert len(joint) == len(rows) + 2 * 4  # four steps of sums, at both weights
    assert (tmp_path / "joint" / "both.png").stat().st_size > 10_000


def test_what_cannot_be_measured_is_one_line(tmp_path, undrawn, capsys):
    write_npz(tmp_path / "imdb.npz", make_reviews(100))
    run = train_reviews("imdb_gru", tmp_path, "--epochs", "1")
    dense = train_series("weather_dense", tmp_path, "--epochs", "1")

    def refuse(*arguments):
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            measure(tmp_path, *arguments)
        assert end.value.code == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        return error

    def change(name, edit):
        """Copy the run and edit its config."""
        path = tmp_path / "runs" / run.recipe / name
        shutil.copytree(run.path, path)
        config = json.loads((path / "config.json").read_text())
        edit(config)
        (path / "config.json").write_text(json.dumps(config))
        return path

    assert "Name recipes or run folders" in refuse()
    assert "imdb-gruu: no such run folder" in refuse("imdb-gruu")
    assert "--examples 0" in refuse("imdb-gru", "--examples", "0")
    assert "weather-dense has no recurrent layer" in refuse(dense.path, run.path)

    def add_flag(config):
        config["settings"]["spin"] = 3
        config["roles"]["spin"] = "model"

    path = change("newer", add_flag)
    assert "--spin, which this version" in refuse(run.path, path)
    path = change("other", lambda config: config["settings"].update(units=9))
    assert "builds another model now" in refuse(path)
    gone = tmp_path / "gone"
    path = change("gone", lambda c: c["settings"].update(data_dir=str(gone)))
    assert "--data-dir" in refuse(path)
    (run.path / "best.keras").rename(run.path / "kept")
    assert "not the model of a run" in refuse(run.path)
    (run.path / "kept").rename(run.path / "best.keras")
    texts = {run.path / n: "" for n in ("config.json", "summary.json")}
    for file in texts:
        texts[file] = file.read_text()
        file.write_text(texts[file].replace('"imdb-gru"', '"imdb-gone"'))
    assert "the recipe imdb-gone no longer exists" in refuse(run.path)
    for file, text in texts.items():
        file.write_text(text)
    write_npz(tmp_path / "imdb.npz", make_reviews(100, seed=1))
    assert "was trained on imdb (SHA-256 " in refuse(run.path)
    assert not list((tmp_path / "runs").rglob("gradient_flow.*"))
