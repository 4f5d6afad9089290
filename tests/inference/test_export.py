"""Exported networks predict as the originals do, and run without this project."""

import contextlib
import csv
import io
import json
import subprocess
import sys
from importlib import util

import keras
import numpy as np
import pytest
from keras import layers

from benchmarks.export_formats import RESULTS, VARIANTS
from shared.cells.numpy_layer import NumpyGRU
from shared.core.errors import UserError
from shared.core.recipes import list_recipes
from shared.inference.export import formats
from shared.inference.export.__main__ import TOLERANCE, main
from shared.inference.export.lookups import use_keras_lookups, use_plain_lookups
from shared.inference.export.loops import use_plain_loops
from shared.inference.export.plain import check_plain, make_plain
from shared.layers.carried import CarryState
from shared.layers.feedback import decode
from shared.layers.forecasting import WindowScale
from shared.layers.ngrams import NgramModel
from shared.layers.pooling import MaxOfSteps
from tests.inference.forecasts import copy_run
from tests.recipes.own_texts import train_texts
from tests.recipes.own_writings import train_writer
from tests.recipes.training_runs import (
    PUBLISHED,
    mark_slow,
    train_reviews,
    train_series,
)
from tests.undrawn import leave_undrawn

INSTALLED = [
    name
    for name, form in formats.FORMATS.items()
    if all(util.find_spec(package) for package in form.packages)
]
WAYS = {"imdb": train_reviews, "text": train_texts, "writer": train_writer}
FAST = ["text_gru"]
one_process = pytest.mark.xdist_group("export")  # it trains what the tests share
WORDS = {f"word{rank}": rank for rank in range(1, 31)}


def train(recipe, folder):
    (folder / "imdb_word_index.json").write_text(json.dumps(WORDS))
    way = WAYS.get(recipe.partition("_")[0], train_series)
    return way(recipe, folder, "--epochs", "1")


@pytest.fixture(scope="module")
def sum_run(tmp_path_factory):
    """A run of sum-gru; tests copy it."""
    with leave_undrawn():
        return train("sum_gru", tmp_path_factory.mktemp("sum_gru"))


@pytest.fixture
def run(sum_run, tmp_path):
    """A copy of a run that a test may export."""
    return copy_run(sum_run, tmp_path)


def run_export(run, *flags):
    """Return the status and what the command prints."""
    screen, status = io.StringIO(), 0
    with contextlib.redirect_stdout(screen), contextlib.redirect_stderr(screen):
        try:
            main([str(run.path), *flags])
        except SystemExit as exit_:
            status = exit_.code
    return status, screen.getvalue()


def list_folders(run):
    return sorted(one.name for one in (run.path / "exports").glob("*"))


@pytest.mark.parametrize("recipe", mark_slow(PUBLISHED, FAST))
def test_every_recipe_exports_to_every_format(recipe, tmp_path, undrawn):
    assert len(list_recipes()) >= 30
    run = train(recipe, tmp_path)
    for name in INSTALLED:
        status, screen = run_export(run, "--format", name)
        assert status == 0, screen
        manifest = json.loads(
            (run.path / "exports" / name / "manifest.json").read_text()
        )
        assert manifest["check"]["largest_difference"] <= 1e-5
        assert manifest["check"]["examples"] >= 9
    assert list_folders(run) == sorted(INSTALLED)


def test_the_published_table_holds_every_recipe_and_format():
    """`make bench-export` writes it; a new recipe needs a new table."""
    with (RESULTS / "export.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    found = {(row["recipe"], row["format"], row["quantize"]): row for row in rows}
    assert len(found) == len(rows) == 6 * len(PUBLISHED)
    for recipe in PUBLISHED:
        for name, quantize in VARIANTS:
            row = found[recipe.replace("_", "-"), name, quantize]
            assert not row["reason"]
            assert quantize != "none" or float(row["largest_difference"]) <= TOLERANCE
            assert int(row["bytes"]) > 1_000


@one_process
@pytest.mark.skipif("litert" not in INSTALLED, reason="needs ai-edge-litert")
@pytest.mark.parametrize(
    ("recipe", "metric"),
    [("sum_gru", "mse"), pytest.param("writer_gru", "bits", marks=pytest.mark.slow)],
)
def test_fewer_bits_say_what_accuracy_they_cost(
    recipe, metric, tmp_path, undrawn, request
):
    if recipe == "sum_gru":
        run = request.getfixturevalue("run")
    else:
        run = train(recipe, tmp_path)
    flags = ["--format", "litert", "--quantize", "float16", "--examples", "9999"]
    status, screen = run_export(run, *flags)
    assert status == 0, screen
    folder = run.path / "exports" / "litert-float16"
    checked = json.loads((folder / "manifest.json").read_text())["check"]
    assert checked["metric"].startswith(metric)
    test = run.summary["test"]["best"]
    assert checked["original"] == pytest.approx(test[f"test_{checked['metric']}"])
    assert checked["exported"] == pytest.approx(checked["original"], rel=0.02)
    assert checked["exported"] != checked["original"]
    words = f"test {checked['metric']}: {checked['original']:.5g} before, "
    assert words + f"{checked['exported']:.5g} with fewer bits" in screen


@pytest.mark.slow
def test_the_example_of_a_text_run_runs_alone(tmp_path):
    run = train("text_gru", tmp_path)
    assert run_export(run, "--format", "keras")[0] == 0
    folder = run.path / "exports" / "keras"
    code = (folder / "example.py").read_text()
    assert "shared" not in code and "recipes." not in code
    done = subprocess.run(
        [sys.executable, str(folder / "example.py"), "The food was great and lovely!"],
        capture_output=True, text=True, cwd=tmp_path, check=True,
    )  # fmt: skip
    shares = dict(line.split(": ") for line in done.stdout.splitlines())
    assert list(shares) == ["bad", "fair", "good"]
    assert sum(map(float, shares.values())) == pytest.approx(1, abs=2e-4)
    from shared.inference.text_predict import predict_texts

    ours = predict_texts(run, None, "The food was great and lovely!")
    for name, share in zip(ours.classes, ours.probabilities[0], strict=True):
        assert float(shares[name]) == pytest.approx(float(share), abs=1e-4)


@one_process
def test_a_second_export_replaces_the_first_and_other_folders_stay(run, tmp_path):
    for _ in range(2):
        assert run_export(run, "--format", "savedmodel")[0] == 0
    assert list_folders(run) == ["savedmodel"]
    other = tmp_path / "mine"
    other.mkdir()
    (other / "notes.txt").write_text("keep")
    status, screen = run_export(run, "--to", str(other))
    assert (status, "is no export" in screen) == (2, True)
    assert [one.name for one in other.iterdir()] == ["notes.txt"]


@one_process
def test_an_export_that_predicts_otherwise_is_not_kept(run, monkeypatch):
    form = formats.FORMATS["keras"]

    def load(path):
        predict = form.load(path)
        return lambda inputs: predict(inputs) + 2e-3

    changed = formats.Format(**{**vars(form), "load": load})
    monkeypatch.setitem(formats.FORMATS, "keras", changed)
    status, screen = run_export(run, "--format", "keras")
    assert (status, "nothing was exported" in screen) == (2, True)
    assert list_folders(run) == []


@one_process
@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--format", "onnx", "--quantize", "int8"], "is for --format litert only"),
        (["--examples", "0"], "takes 1 or more"),
        (["--format", "pickle"], "keras"),
    ],
)
def test_bad_flags_are_one_line(flags, said, run):
    status, screen = run_export(run, *flags)
    assert (status, said in screen) == (2, True), screen
    assert not (run.path / "exports").exists()


@one_process
def test_bad_runs_are_one_line(run, tmp_path):
    def add_flag(config):
        config["settings"]["levels"] = 3
        config["roles"]["levels"] = config["roles"]["units"]

    damages = {
        "no model": lambda path: (path / "best.keras").unlink(),
        "half a model": lambda path: (path / "best.keras").write_bytes(
            (path / "best.keras").read_bytes()[:5_000]
        ),
        "a text as model": lambda path: (path / "best.keras").write_text("weights"),
        "not finished": lambda path: (path / "summary.json").unlink(),
        "another version": lambda path: None,
    }
    for name, damage in damages.items():
        folder = tmp_path / name.replace(" ", "-")
        change = add_flag if name == "another version" else None
        copy = copy_run(run, folder, change)
        damage(copy.path)
        status, screen = run_export(copy)
        assert (status, screen.count("error: ")) == (2, 1), (name, screen)
        assert "Traceback" not in screen and str(copy.path) in screen
        assert not list_folders(copy)


@one_process
def test_a_missing_package_is_one_line(run, monkeypatch):
    form = formats.FORMATS["onnx"]
    lacking = formats.Format(**{**vars(form), "packages": ("no_such_package",)})
    monkeypatch.setitem(formats.FORMATS, "onnx", lacking)
    status, screen = run_export(run, "--format", "onnx")
    assert (status, "requirements-export.txt" in screen) == (2, True)


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def compare(model, inputs, change):
    changed = change(model)
    expected = model.predict(inputs, verbose=0)
    assert changed.predict(inputs, verbose=0) == pytest.approx(expected, abs=1e-6)
    return changed


def make_reader(*parts):
    """Return a model of ids with padding: an embedding, then some layers."""
    ids = keras.Input((None,), dtype="int32")
    states = layers.Embedding(11, 5, mask_zero=True)(ids)
    for part in parts:
        states = part(states)
    return keras.Model(ids, states)


IDS = np.array([[0, 0, 3, 4, 0], [1, 2, 3, 4, 5], [0, 0, 0, 0, 7]], "int32")
STACKS = {
    "last state": lambda: [layers.GRU(3)],
    "all states": lambda: [layers.SimpleRNN(3, return_sequences=True), layers.LSTM(4)],
    "backwards": lambda: [layers.GRU(3, go_backwards=True)],
    "both": lambda: [layers.Bidirectional(layers.LSTM(3)), layers.Dense(2)],
    "both, all": lambda: [
        layers.Bidirectional(layers.GRU(3, return_sequences=True), merge_mode="sum"),
        layers.GRU(2, reset_after=False),
    ],
}


@pytest.mark.parametrize("name", STACKS)
def test_a_plain_loop_computes_what_keras_computes(name):
    compare(make_reader(*STACKS[name]()), IDS, use_plain_loops)


def test_pooling_without_the_suite_skips_the_padding():
    model = make_reader(layers.GRU(3, return_sequences=True), MaxOfSteps())
    check_plain(compare(model, IDS, make_plain))
    with pytest.raises(UserError, match="MaxOfSteps"):
        check_plain(model)


@pytest.mark.parametrize("gate", ["keeps", "writes"])
def test_the_numpy_gru_becomes_keras_gru(gate):
    inputs = keras.Input((7, 2))
    model = keras.Model(inputs, NumpyGRU(3, update_gate=gate)(inputs))
    model.set_weights([draw(*w.shape, seed=k) for k, w in enumerate(model.weights)])
    check_plain(compare(model, draw(5, 7, 2), make_plain))


def test_a_search_finds_what_a_hash_table_finds():
    inputs = keras.Input((None,), dtype="int64")
    lookup = layers.IntegerLookup(max_tokens=9, vocabulary_dtype="int64")
    lookup.set_vocabulary([70, 3, 10**12, 5])
    model = keras.Model(inputs, lookup(inputs))
    codes = np.array([[3, 4, 5, 70], [10**12, 71, -1, 0]])
    expected = [[2, 0, 4, 1], [3, 0, 0, 0]]
    assert model.predict(codes, verbose=0).tolist() == expected
    assert use_plain_lookups(model).predict(codes, verbose=0).tolist() == expected


@pytest.mark.parametrize("first", [0, 3])
@pytest.mark.parametrize("classes", [1, 3])
def test_a_search_gives_the_probabilities_of_the_n_grams(classes, first, tmp_path):
    ids = keras.Input((None,), dtype="int32")
    ngrams = NgramModel(12, longest=2, num_ngrams=7, num_models=classes, first=first)
    model = keras.Model(ids, ngrams(ids))
    # Tokens 4 and 5, and the pairs 4 5, 5 4 and 7 7; a code has ids plus one as digits.
    # Among the first tokens: 7 7 and 5.
    codes = [-8 * 12 - 8, -6, 5, 6, 5 * 12 + 6, 6 * 12 + 5, 8 * 12 + 8]
    ngrams.set_model(codes, draw(7, classes), draw(classes, seed=1))
    texts = np.array([[0, 1, 4, 5, 4, 5], [1, 7, 7, 2, 9, 4], [0, 0, 0, 0, 0, 1]])
    compare(model, texts.astype("int32"), use_plain_lookups)
    compare(model, texts.astype("int32"), use_keras_lookups)
    plain = use_keras_lookups(model)
    check_plain(plain)
    plain.save(tmp_path / "plain.keras")
    loaded = keras.saving.load_model(tmp_path / "plain.keras", safe_mode=True)
    compare(model, texts.astype("int32"), lambda _: loaded)


@pytest.mark.parametrize("name", INSTALLED)
def test_every_format_knows_the_first_tokens(name, tmp_path):
    ids = keras.Input((6,), dtype="int32")
    ngrams = NgramModel(12, longest=2, num_ngrams=2, num_models=3, first=2)
    model = keras.Model(ids, ngrams(ids))
    ngrams.set_model([-6, -5], 5 * draw(2, 3), draw(3, seed=1))  # tokens 5 and 4
    texts = np.array([[0, 1, 4, 5, 7, 7], [1, 7, 7, 5, 4, 4]], np.int32)
    expected = model.predict(texts, verbose=0)
    assert np.abs(expected[0] - expected[1]).max() > 0.1  # none in the second text
    plain = use_keras_lookups if name == "keras" else use_plain_lookups
    path = tmp_path / formats.FORMATS[name].file
    formats.write(name, plain(model), path, "none")
    found = formats.FORMATS[name].load(path)([texts])
    assert found == pytest.approx(expected, abs=1e-6)


def test_a_decoder_and_carried_states_become_plain():
    inputs = keras.Input((7, 2))
    states = CarryState(layers.LSTM(3, return_sequences=True, return_state=True), 4)
    memory = layers.GRU(3)(states(inputs))
    forecast = decode(memory, None, horizon=4, outputs=2)
    scale = WindowScale()(inputs)
    model = keras.Model(inputs, forecast * scale)
    model.set_weights([draw(*weight.shape) for weight in model.weights])
    check_plain(compare(model, draw(5, 7, 2), make_plain))
