"""Weather and generated tasks through their real entry points, on small data."""

import csv
import dataclasses
import importlib
import inspect
import json

import keras
import numpy as np
import pytest
from conftest import PROJECT, RECIPES
from test_weather import FILE, make_rows, write

from shared.cli import main
from shared.data.splits import Examples
from shared.flags import list_settings, settle
from shared.groups import BAR_SETTINGS, NO_EXPERIMENT
from shared.members import MembersConfig
from shared.runs import find_runs, read_predictions
from shared.training import TrainingConfig

WEATHER = [name for name in RECIPES if name.startswith("weather")]
MEMORY = ["memory_gru", "memory_lstm", "memory_simple_rnn"]
GENERATED = [
    "sine_gru", "sine_next_step_gru", "scratch_gru", "vowel_gru", "sum_gru", *MEMORY
]  # fmt: skip
NO_KERAS_LAYER = {"weather_dense", "scratch_gru"}
TOLERANCE = 1e-4
STORED = PROJECT / "tests" / "stored_series_losses.json"

SINE = ["--points", "300", "--train-points", "90", "--validation-points", "70",
        "--test-points", "60"]  # fmt: skip
SMALL = {
    "sine_gru": [*SINE, "--lookback", "5", "--frequency", "9.167"],
    "sine_next_step_gru": SINE,
    "scratch_gru": SINE,
    "vowel_gru": ["--train-vowels", "300", "--validation-vowels", "70",
                  "--test-vowels", "200", "--lookback", "4"],
    "sum_gru": ["--train-windows", "90", "--validation-windows", "20",
                "--test-windows", "30", "--steps", "4", "--features", "2"],
}  # fmt: skip
for name in MEMORY:
    SMALL[name] = ["--lag", "7", "--train-sequences", "90", "--test-sequences", "30"]
for name in WEATHER:
    SMALL[name] = ["--lookback", "21", "--sampling", "2", "--delay", "5"]
SMALL["weather_best"] += ["--members", "2"]

# The book's setting of the whole family, and what each recipe changes.
FAMILY = {
    "lookback": 120, "sampling": 6, "delay": 24, "target": "T (degC)", "stride": 1,
    "train_share": 0.5, "validation_share": 0.25, "reverse": False, "units": 32,
    "dropout": 0.0, "recurrent_dropout": 0.0, "optimizer": "rmsprop",
    "learning_rate": 0.001, "batch_size": 128, "epochs": 10, "schedule": "constant",
}  # fmt: skip
HEAVY = {"dropout": 0.1, "recurrent_dropout": 0.5}
CHANGES = {
    "weather_dense": {"units": 16, "dropout": None, "recurrent_dropout": None},
    "weather_gru": {},
    "weather_gru_dropout": {"dropout": 0.2, "recurrent_dropout": 0.2},
    "weather_stacked_gru": HEAVY | {"upper_units": 64, "upper_activation": "relu"},
    "weather_conv1d_gru": HEAVY | {"filters": 32},
    "weather_bidirectional_gru": {},
    "weather_best": {
        "lookback": 80, "sampling": 18, "delay": 8, "calendar": "none",
        "members": 4, "reads": "both", "output_dropout": 0.5,
        "return_sequences": True, "optimizer": "adam", "epochs": 3, "clip": 1.0,
    },
}  # fmt: skip


def count_gru(inputs, units):
    return 3 * (inputs * units + units * units + 2 * units)


# Weights by the textbook, for 15 columns (the wind as two vectors) and 4 waves of the
# calendar.
FEATURES = 19
PARAMETERS = {
    "weather_dense": (120 * FEATURES * 16 + 16) + 17,
    "weather_gru": count_gru(FEATURES, 32) + 33,
    "weather_gru_dropout": count_gru(FEATURES, 32) + 33,
    "weather_stacked_gru": count_gru(FEATURES, 32) + count_gru(32, 64) + 65,
    "weather_conv1d_gru": (5 * FEATURES * 32 + 32) + (5 * 32 * 32 + 32)
    + count_gru(32, 32) + 33,
    "weather_bidirectional_gru": 2 * count_gru(FEATURES, 32) + 65,
    "weather_best": 2 * (count_gru(1, 32) + count_gru(FEATURES - 4, 32)) + 4 * 33,
    "sine_gru": count_gru(1, 32) + 33,
    "sine_next_step_gru": count_gru(1, 20) + 21,
    "scratch_gru": count_gru(1, 20) + 21,
    "vowel_gru": count_gru(5, 32) + 5 * 33,
    "sum_gru": count_gru(5, 64) + 65,
    "memory_gru": count_gru(2, 32) + 33,
    "memory_lstm": 4 * (2 * 32 + 32 * 32 + 32) + 33,
    "memory_simple_rnn": (2 * 32 + 32 * 32 + 32) + 33,
}  # fmt: skip


def load(recipe):
    return importlib.import_module(f"recipes.{recipe}")


def train(recipe, tmp_path, *flags):
    """Run a recipe's main on small data; return its run."""
    module = load(recipe)
    before = {run.path for run in find_runs(tmp_path / "runs")}
    flags = [*SMALL[recipe], "--units", "3", "--results-dir", str(tmp_path / "runs"),
             "--batch-size", "32", *flags]  # fmt: skip
    if recipe in WEATHER:
        if not (tmp_path / FILE).exists():
            write(tmp_path / FILE, make_rows(400))
        flags += ["--data-dir", str(tmp_path)]
    main(module.Config, module.run, flags)
    (run,) = [r for r in find_runs(tmp_path / "runs") if r.path not in before]
    return run


def load_splits(recipe, tmp_path, **changes):
    """Return the splits that a recipe would train on, and its settled config."""
    from shared.data.memory import make_memory
    from shared.data.sine import make_sine
    from shared.data.sums import make_sums
    from shared.data.vowels import make_vowels
    from shared.data.weather import load_weather

    config = load(recipe).Config()
    if recipe in WEATHER:
        write(tmp_path / FILE, make_rows(6_800))  # a window of eleven days in each part
        weather = dataclasses.replace(config.weather, data_dir=tmp_path)
        config = settle(dataclasses.replace(config, weather=weather))
        return load_weather(config.weather), config
    make = {"sine": make_sine, "vowels": make_vowels, "sums": make_sums}
    make["memory"] = make_memory
    (part,) = {field.name for field in dataclasses.fields(config)} & set(make)
    return make[part](getattr(config, part), 0), config


def build(recipe, splits, config):
    module = load(recipe)
    takes_splits = "splits" in inspect.signature(module.build_model).parameters
    return module.build_model(config, *([splits] if takes_splits else []))


def test_both_families_are_complete():
    assert set(WEATHER) == set(CHANGES)
    assert set(WEATHER) | set(GENERATED) == set(PARAMETERS)
    imdb = {name for name in RECIPES if name.startswith("imdb")}
    assert set(RECIPES) == imdb | set(WEATHER) | set(GENERATED)


@pytest.mark.parametrize("recipe", WEATHER)
def test_defaults_are_the_setting_of_the_book(recipe):
    settings = list_settings(load(recipe).Config())
    expected = FAMILY | CHANGES[recipe]
    assert {name: settings.get(name) for name in expected} == expected


@pytest.mark.parametrize("recipe", [*WEATHER, *GENERATED])
def test_parameters_are_those_of_the_textbook(recipe, tmp_path):
    model = build(recipe, *load_splits(recipe, tmp_path))
    assert model.count_params() == PARAMETERS[recipe]


@pytest.mark.parametrize("recipe", [*WEATHER, *GENERATED])
def test_two_updates_change_every_weight_array(recipe, tmp_path):
    """Two, since weather-best begins with an output of 0, whatever the GRU says."""
    splits, config = load_splits(recipe, tmp_path)
    model = build(recipe, splits, config)
    loss = "mse" if recipe != "vowel_gru" else "sparse_categorical_crossentropy"
    model.compile("sgd", loss)
    before = [np.array(weight) for weight in model.trainable_weights]
    assert len(before) >= 4
    inputs = splits.train.inputs
    inputs = inputs.cut(slice(0, 8)) if recipe in WEATHER else inputs[:8]
    for _ in range(2):
        model.train_on_batch(inputs, splits.train.targets[:8])
    for old, weight in zip(before, model.trainable_weights, strict=True):
        assert not np.array_equal(old, np.array(weight)), weight.path


@pytest.mark.parametrize("recipe", [*WEATHER, *GENERATED])
def test_a_run_leaves_everything(recipe, tmp_path, capsys):
    run = train(recipe, tmp_path, "--epochs", "2")
    assert run.state == "finished"
    names = {"config.json", "history.csv", "summary.json", "curves.png", "best.keras"}
    names |= {"predictions.npz"}
    if recipe not in NO_KERAS_LAYER:
        names |= {"kernels.json"}
    if recipe in WEATHER:
        names |= {"forecast.png", "error_by_hour.png"}
    if recipe == "sine_next_step_gru":
        names |= {"free_run.csv", "free_run.png"}
    if recipe == "scratch_gru":
        names |= {"beside.csv", "beside.png", "beside.txt"}
    if recipe == "vowel_gru":
        names |= {"next_vowel.csv", "generated.txt", "ngrams.csv"}
    assert {path.name for path in run.path.iterdir()} == names
    metric = run.summary["score"]["metric"]
    assert run.summary["best"][f"val_{metric}"] == min(run.history[f"val_{metric}"])
    told = capsys.readouterr().out
    for bar in run.summary["bars"]:
        assert bar["name"] in told
        assert set(bar["test"]) >= {"loss", metric}
    if recipe in WEATHER:
        assert run.summary["score"]["unit"] == "deg C"
        assert "mae (deg C)" in told


@pytest.mark.parametrize("recipe", [*WEATHER, *GENERATED])
def test_predictions_give_the_recorded_score(recipe, tmp_path):
    from shared.metrics import measure

    run = train(recipe, tmp_path, "--epochs", "2")
    stored = read_predictions(run.path)
    metric = run.summary["score"]["metric"]
    scores = measure(metric, stored["targets"], stored["predictions"])
    expected = run.summary["test"]["best"][f"test_{metric}"]
    assert scores.mean() == pytest.approx(expected, rel=1e-4)
    for bar in run.summary["bars"]:
        if f"bar {bar['name']}" in stored:
            predictions = stored[f"bar {bar['name']}"]
            reached = measure(metric, stored["targets"], predictions).mean()
            assert reached == pytest.approx(bar["test"][metric], rel=1e-3, abs=1e-9)
    if recipe in WEATHER:
        assert len(stored["times"]) == len(stored["targets"])
        assert (np.diff(stored["times"]) > np.timedelta64(0)).all()


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(("reads", "sees"), [("target", 0), ("both", 1), ("all", 2)])
def test_members_start_from_the_latest_value_and_read_their_columns(
    reads, sees, reverse, tmp_path
):
    splits, config = load_splits("weather_best", tmp_path)
    weather = dataclasses.replace(config.weather, reverse=reverse)
    config = dataclasses.replace(
        config, weather=weather, reads=reads, several=MembersConfig(2)
    )
    model = load("weather_best").build_model(config, splits)
    inputs = dataclasses.replace(splits.test.inputs, reverse=reverse)
    windows = inputs.cut(slice(0, 5))
    rows = inputs.starts[:5] + (inputs.steps - 1) * inputs.sampling
    assert np.asarray(model(windows))[:, 0] == pytest.approx(
        splits.target[rows], abs=1e-3
    )
    model.set_weights([weight + 0.1 for weight in model.get_weights()])
    names = [model.get_layer(f"degrees_{n}").output for n in (1, 2)]
    each = keras.Model(model.input, names)
    before = [np.asarray(degrees) for degrees in each(windows)]
    other = splits.find_column("p (mbar)")
    windows[:, 3, other] += 1
    after = [np.asarray(degrees) for degrees in each(windows)]
    moved = [not np.allclose(*pair) for pair in zip(before, after, strict=True)]
    assert sum(moved) == sees


def test_the_saved_forecast_is_in_degrees(tmp_path):
    run = train("weather_gru", tmp_path, "--epochs", "1")
    model = keras.models.load_model(run.path / "best.keras")
    # Standardised inputs of nothing but means: about the mean temperature.
    windows = np.zeros((1, 21, FEATURES), np.float32)
    assert float(model.predict(windows, verbose=0)[0, 0]) == pytest.approx(10, abs=4)


@pytest.mark.parametrize("recipe", WEATHER)
def test_reversed_time_is_a_flag_of_all(recipe, tmp_path):
    run = train(recipe, tmp_path, "--epochs", "1", "--reverse")
    assert run.config["changed"]["reverse"] is True


def test_a_reversed_network_sees_reversed_windows(tmp_path):
    # The same weights on windows turned round give the same as go_backwards.
    splits, config = load_splits("weather_gru", tmp_path)
    inputs = splits.test.inputs
    outputs = []
    for backwards, reverse in ((False, True), (True, False)):
        gru = dataclasses.replace(config.gru, go_backwards=backwards)
        keras.utils.set_random_seed(0)
        changed = dataclasses.replace(config, gru=gru)
        model = load("weather_gru").build_model(changed, splits)
        windows = dataclasses.replace(inputs, reverse=reverse).cut(slice(0, 5))
        outputs.append(np.asarray(model(windows)))
    assert outputs[0] == pytest.approx(outputs[1], abs=1e-5)


@pytest.mark.parametrize(
    "recipe", sorted({*WEATHER, *GENERATED} - NO_KERAS_LAYER - {*MEMORY})
)
def test_variants_of_the_layer_train(recipe, tmp_path):
    flags = ["--return-sequences", "--implementation", "1"]
    flags += ["--kernel-regularizer", "l2:0.01"]
    assert train(recipe, tmp_path, "--epochs", "1", *flags).state == "finished"
    if recipe in GENERATED:  # unrolling the others takes the tests too long
        flags = ["--unroll", "--dropout", "0.2", "--schedule", "cosine"]
        assert train(recipe, tmp_path, "--epochs", "1", *flags).state == "finished"


BAD_FLAGS = {
    ("weather_dense", "--units", "0"): "--units 0",
    ("weather_conv1d_gru", "--lookback", "18"): "at least 19 steps",
    ("weather_conv1d_gru", "--filters", "0"): "--filters 0",
    ("weather_stacked_gru", "--upper-units", "0"): "--upper-units 0",
    ("weather_bidirectional_gru", "--go-backwards"): "reads both ways",
    ("weather_gru", "--train-share", "0.8"): "leave a part of the rows for the test",
    ("weather_gru", "--target", "T"): "--target 'T'",
    ("weather_gru", "--lookback", "300"): "too short",
    ("weather_best", "--target", "wv (m/s)"): "starts from the latest value",
    ("weather_best", "--output-dropout", "1"): "--output-dropout 1",
    ("weather_best", "--members", "0"): "--members 0",
    ("sine_gru", "--points", "100"): "the three parts ask for 220",
    ("sine_next_step_gru", "--delay", "2"): "running freely needs the next sample",
    ("scratch_gru", "--jit", "on"): "--jit on",
    ("scratch_gru", "--units", "0"): "--units 0",
    ("scratch_gru", "--update-gate", "writes", "--recurrent-activation", "tanh"): (
        "only with sigmoid gates"
    ),
    ("vowel_gru", "--order", "7"): "--order 7",
    ("sum_gru", "--steps", "0"): "--steps 0",
    ("memory_gru", "--lag", "3"): "--lag 3",
    ("memory_lstm", "--symbols", "1"): "--symbols 1",
    ("memory_lstm", "--return-sequences"): "needs no memory",
    ("memory_simple_rnn", "--go-backwards"): "needs no memory",
}


@pytest.mark.parametrize("case", BAD_FLAGS, ids=" ".join)
def test_a_bad_flag_is_one_line_and_leaves_nothing(case, tmp_path, capsys):
    recipe, *flags = case
    with pytest.raises(SystemExit) as exit_:
        train(recipe, tmp_path, *flags)
    assert exit_.value.code == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert BAD_FLAGS[case] in line
    assert find_runs(tmp_path / "runs") == []


def test_the_cosine_schedule_falls_to_nearly_nothing(tmp_path):
    flags = ["--epochs", "4", "--schedule", "cosine", "--learning-rate", "0.1"]
    run = train("sum_gru", tmp_path, *flags)
    expected = [0.1 * (1 + np.cos(np.pi * k / 4)) / 2 for k in range(4)]
    assert run.history["learning_rate"] == pytest.approx(expected)
    assert isinstance(load("sum_gru").Config().training, TrainingConfig)


def test_two_seeds_of_a_forecast_see_the_same_data_and_another_order(tmp_path):
    first = train("weather_gru", tmp_path, "--epochs", "1")
    again = train("weather_gru", tmp_path, "--epochs", "1")
    other = train("weather_gru", tmp_path, "--epochs", "1", "--seed", "1")
    assert first.history["loss"] == again.history["loss"]
    assert first.history["loss"] != other.history["loss"]
    stored = [read_predictions(run.path)["targets"] for run in (first, other)]
    assert np.array_equal(*stored)


def test_a_network_that_sees_the_target_is_called_a_leak(tmp_path, capsys, monkeypatch):
    from recipes import sum_gru
    from shared.data.sums import make_sums

    def leak(config, seed):
        """Hand the target to the network, and noise on it to the floor."""
        splits = make_sums(config, seed)
        random = np.random.default_rng(0)

        def blur(part):
            blurred = part.targets + random.normal(0, 3, len(part)).astype(np.float32)
            return Examples(part.inputs, part.targets, best_possible=blurred)

        parts = {p: blur(getattr(splits, p)) for p in ("train", "validation", "test")}
        return dataclasses.replace(splits, **parts)

    monkeypatch.setattr(sum_gru, "make_sums", leak)
    flags = ["--epochs", "8", "--units", "8", "--learning-rate", "0.02"]
    run = train("sum_gru", tmp_path, "--train-windows", "600", *flags)
    assert run.summary["floor_check"]["leak"] is True
    assert "LEAK" in capsys.readouterr().out


def test_the_vowels_tell_what_they_expect(tmp_path, capsys):
    run = train("vowel_gru", tmp_path, "--epochs", "1", "--test-vowels", "3000")
    with (run.path / "next_vowel.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["context"] for row in rows] == ["uou"] * 5 + ["ioi"] * 5
    for context in ("uou", "ioi"):
        for column in ("network", "source"):
            shares = [float(r[column]) for r in rows if r["context"] == context]
            assert sum(shares) == pytest.approx(1, abs=1e-3)
    text = (run.path / "generated.txt").read_text()
    assert set(text) == set("aeiou\n")
    assert len(text.split()) == 100
    with (run.path / "ngrams.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["n"] for row in rows] == ["1", "2", "3", "4"]
    assert all(0 <= float(row["generated"]) <= 1 for row in rows)
    told = capsys.readouterr().out
    assert "after uou: a " in told
    assert "Distance of their n-grams" in told


def test_the_free_run_feeds_on_its_own_output(tmp_path):
    from shared.generation import run_freely

    inputs = keras.Input((3, 1))
    outputs = keras.layers.Lambda(lambda x: x[:, 0] + x[:, 2])(inputs)
    model = keras.Model(inputs, outputs)
    forecast = run_freely(model, np.array([1.0, 2.0, 3.0]), 4)
    assert forecast.tolist() == [4, 6, 9, 13]  # 1+3, 2+4, 3+6, 4+9


def test_texts_are_drawn_from_what_the_network_says():
    from shared.data.vowels import VowelSource
    from shared.generation import ngram_distance, write_texts

    # A network that always goes on to the next vowel of the alphabet.
    inputs = keras.Input((None, 5))
    following = keras.layers.Lambda(lambda x: keras.ops.roll(x[:, -1], 1, axis=-1))
    model = keras.Model(inputs, following(inputs))
    windows = np.eye(5, dtype=np.float32)[[[0, 1]]]
    texts = write_texts(model, windows, np.random.default_rng(0))
    assert texts.shape == (100, 200)
    assert texts[0, :6].tolist() == [2, 3, 4, 0, 1, 2]
    turning = VowelSource(np.roll(np.eye(5), 1, axis=1))
    assert ngram_distance(texts, turning, 3) == pytest.approx(0, abs=0.01)
    even = VowelSource(np.full((5, 5), 0.2))
    assert ngram_distance(texts, even, 2) == pytest.approx(0.8)  # 5 pairs of 25


def test_every_data_setting_decides_which_bars_are_meant():
    from shared.data.imdb import ReviewsConfig
    from shared.data.memory import MemoryConfig
    from shared.data.sine import SineConfig
    from shared.data.sums import SumsConfig
    from shared.data.vowels import VowelsConfig
    from shared.data.weather import WeatherConfig

    # What the network alone sees otherwise: the bars stay what they are.
    network_only = {"padding", "mask", "batching", "embedding_size", "reverse"}
    network_only |= {"embedding_gradient"}
    for config in (
        ReviewsConfig, SineConfig, SumsConfig, VowelsConfig, WeatherConfig, MemoryConfig
    ):  # fmt: skip
        names = {field.name for field in dataclasses.fields(config)}
        assert names <= set(BAR_SETTINGS) | NO_EXPERIMENT | network_only, config


def test_losses_are_those_stored(tmp_path, request):
    """Two epochs with a fixed seed; `make update-stored` writes them anew."""
    found = {}
    for recipe in [*WEATHER, *GENERATED]:
        run = train(recipe, tmp_path, "--epochs", "2")
        found[recipe] = run.history["loss"] + run.history["val_loss"]
    if request.config.getoption("--update-stored"):
        STORED.write_text(json.dumps(found, indent=1) + "\n")
    stored = json.loads(STORED.read_text())
    assert set(stored) == set(found)
    for recipe, losses in found.items():
        assert losses == pytest.approx(stored[recipe], rel=TOLERANCE), recipe


def test_a_short_stretch_of_the_real_weather(real_weather, tmp_path, no_network):
    module = load("weather_gru")
    flags = ["--data", "jena-2020", "--data-dir", str(real_weather), "--limit", "6000",
             "--lookback", "24", "--stride", "6", "--epochs", "2", "--units", "8",
             "--results-dir", str(tmp_path)]  # fmt: skip
    main(module.Config, module.run, flags)
    (run,) = find_runs(tmp_path)
    assert run.data == "jena-2020-limit-6000"
    assert run.history["mae"][1] < run.history["mae"][0]
    bars = {bar["name"]: bar["test"]["mae"] for bar in run.summary["bars"]}
    assert 0.5 < bars["value of 24 hours ago"] < 6
    assert 0.5 < run.summary["test"]["best"]["test_mae"] < 10
