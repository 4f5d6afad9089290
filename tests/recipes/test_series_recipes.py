"""Weather and generated tasks through their real entry points, on small data."""

import contextlib
import csv
import dataclasses
import json

import keras
import numpy as np
import pytest

from shared.commands.recipe import main
from shared.core.flags import parse, resolve_config
from shared.core.roles import READ_BY_BASELINES, Role, list_flags, read_settings
from shared.data.splits import Examples
from shared.inference.generation import ngram_distance, run_freely, write_texts
from shared.layers.ensemble import EnsembleConfig
from shared.runs.reader import find_runs, read_predictions
from shared.training.config import TrainingConfig
from tests.helpers import PROJECT
from tests.recipes.training_runs import (
    PUBLISHED,
    SMALL_SERIES,
    TWO_EPOCHS,
    compare_with_stored,
    group,
    load,
    mark_slow,
)
from tests.recipes.training_runs import train_series as train
from tests.undrawn import leave_undrawn

MEMORY = ["memory_gru", "memory_lstm", "memory_simple_rnn"]
GENERATED = [
    "sine_gru", "sine_next_step_gru", "scratch_gru", "vowel_gru", "sum_gru", *MEMORY
]  # fmt: skip
NO_KERAS_LAYER = {"weather_dense", "scratch_gru"}
TOLERANCE = 1e-4  # relative; processors round differently: moves of 1e-7 were seen
STORED = PROJECT / "tests" / "recipes" / "stored_series_losses.json"

# The book's settings of the whole family, and what each recipe changes.
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
        "ensemble_size": 4, "reads": "both", "output_dropout": 0.5,
        "return_sequences": True, "optimizer": "adam", "epochs": 3,
        "global_clipnorm": 1.0,
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


WEATHER = sorted(CHANGES)
# The networks of the others are like one of these.
OWN_NETWORK = ["weather_best", "weather_stacked_gru", "weather_conv1d_gru",
               "sine_next_step_gru", "scratch_gru", "vowel_gru", "sum_gru",
               "memory_lstm"]  # fmt: skip
# Every kind of picture. The others are drawn in the same way.
DRAWN = {"weather_gru", "sine_next_step_gru", "scratch_gru", "series_linear"}


@pytest.fixture
def shared_run(shared_runs):
    """Return a function: recipe -> its run of two epochs, shared by all tests."""

    def train_once(recipe):
        with contextlib.nullcontext() if recipe in DRAWN else leave_undrawn():
            return shared_runs.train(train, recipe, *TWO_EPOCHS)

    return train_once


@pytest.fixture(scope="session")
def load_data(long_weather_folder):
    """Return a function: recipe -> its data at its defaults, and its config."""
    loaded = {}

    def load_once(recipe):
        module = load(recipe)
        config = module.Config()
        if recipe in WEATHER:
            weather = dataclasses.replace(config.weather, data_dir=long_weather_folder)
            config = resolve_config(dataclasses.replace(config, weather=weather))
        key = config.weather if recipe in WEATHER else recipe
        if key not in loaded:
            loaded[key] = module.load_data(config)
        return loaded[key], config

    return load_once


def test_both_families_are_complete():
    assert len(WEATHER) >= 7
    assert set(WEATHER) | set(GENERATED) == set(PARAMETERS)
    assert {*WEATHER, *GENERATED} <= set(PUBLISHED)


@pytest.mark.parametrize("recipe", WEATHER)
def test_defaults_are_the_setting_of_the_book(recipe):
    settings = read_settings(load(recipe).Config()).values
    expected = FAMILY | CHANGES[recipe]
    assert {name: settings.get(name) for name in expected} == expected


@pytest.mark.parametrize("recipe", [*WEATHER, *GENERATED])
def test_parameters_are_those_of_the_textbook(recipe, load_data):
    data, config = load_data(recipe)
    model = load(recipe).build_model(config, data)
    assert model.count_params() == PARAMETERS[recipe]


@pytest.mark.parametrize("recipe", mark_slow([*WEATHER, *GENERATED], OWN_NETWORK))
def test_two_updates_change_every_weight_array(recipe, load_data):
    """Two, since weather-best begins with an output of 0, whatever the GRU says."""
    data, config = load_data(recipe)
    model = load(recipe).build_model(config, data)
    model.compile("sgd", data.task.loss)
    before = [np.array(weight) for weight in model.trainable_weights]
    assert len(before) >= 4
    inputs = data.train.inputs
    inputs = inputs.cut(slice(0, 8)) if recipe in WEATHER else inputs[:8]
    for _ in range(2):
        model.train_on_batch(inputs, data.train.targets[:8])
    for old, weight in zip(before, model.trainable_weights, strict=True):
        assert not np.array_equal(old, np.array(weight)), weight.path


@pytest.mark.parametrize("recipe", group([*WEATHER, *GENERATED]))
def test_a_run_leaves_everything(recipe, shared_run):
    shared = shared_run(recipe)
    run = shared.run
    assert run.state == "finished"
    names = {"config.json", "history.csv", "summary.json", "curves.png", "best.keras"}
    names |= {"predictions.npz", "checkpoint.npz"}
    if recipe not in NO_KERAS_LAYER:
        names |= {"kernels.json"}
    if recipe in WEATHER:
        names |= {"forecast.png", "error_by_hour.png", "latest.npz"}
    if recipe == "sine_next_step_gru":
        names |= {"free_run.csv", "free_run.png"}
    if recipe == "scratch_gru":
        names |= {f"keras_comparison.{ending}" for ending in ("csv", "png", "txt")}
    if recipe == "vowel_gru":
        names |= {"next_vowel.csv", "generated.txt", "ngrams.csv"}
    assert {path.name for path in run.path.iterdir()} == names
    metric = run.score.metric
    assert run.summary["best"][f"val_{metric}"] == min(run.history[f"val_{metric}"])
    for baseline in run.summary["baselines"]:
        assert baseline["name"] in shared.output
        assert set(baseline["test"]) >= {"loss", metric}
    if recipe in WEATHER:
        assert run.score.unit == "deg C"
        assert "mae (deg C)" in shared.output


@pytest.mark.parametrize("recipe", group([*WEATHER, *GENERATED]))
def test_predictions_give_the_recorded_score(recipe, shared_run):
    run = shared_run(recipe).run
    stored = read_predictions(run)
    metric = run.score.metric

    def measure(predictions):
        return run.task.measure(metric, stored["targets"], predictions).mean()

    recorded = run.summary["test"]["best"][f"test_{metric}"]
    assert measure(stored["predictions"]) == pytest.approx(recorded, rel=1e-4)
    for baseline in run.summary["baselines"]:
        if f"baseline {baseline['name']}" in stored:
            reached = measure(stored[f"baseline {baseline['name']}"])
            recorded = baseline["test"][metric]
            assert reached == pytest.approx(recorded, rel=1e-3, abs=1e-9)
    if recipe in WEATHER:
        assert len(stored["times"]) == len(stored["targets"])
        assert (np.diff(stored["times"]) > np.timedelta64(0)).all()


@pytest.mark.parametrize(
    "recipe",
    group(n for n in PUBLISHED if n.startswith("weather") or n in SMALL_SERIES),
)
def test_losses_are_those_stored(recipe, shared_run, request, capsys):
    """Two epochs with a fixed seed; `make update-stored` stores new ones."""
    run = shared_run(recipe).run
    losses = run.history["loss"] + run.history["val_loss"]
    update = request.config.getoption("--update-stored")
    line = compare_with_stored(STORED, recipe, losses, update, rel=TOLERANCE)
    if line:
        with capsys.disabled():
            print(f"\n{line}")


def test_losses_of_all_recipes_of_the_tables_are_stored():
    assert {*WEATHER, *GENERATED} <= set(json.loads(STORED.read_text()))


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(("reads", "sees"), [("target", 0), ("both", 1), ("all", 2)])
def test_networks_start_from_the_latest_value_and_read_their_columns(
    reads, sees, reverse, load_data
):
    splits, config = load_data("weather_best")
    short = {
        part: dataclasses.replace(
            examples, inputs=dataclasses.replace(examples.inputs, steps=6)
        )
        for part, examples in (("train", splits.train), ("test", splits.test))
    }
    splits = dataclasses.replace(splits, **short)
    weather = dataclasses.replace(config.weather, reverse=reverse)
    config = dataclasses.replace(
        config, weather=weather, reads=reads, ensemble=EnsembleConfig(2)
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


@pytest.mark.xdist_group("weather_gru")
def test_the_saved_forecast_is_in_degrees(shared_run):
    path = shared_run("weather_gru").run.path
    model = keras.models.load_model(path / "best.keras")
    # If all inputs are their means, the forecast is about the mean temperature.
    windows = np.zeros((1, 21, FEATURES), np.float32)
    assert float(model.predict(windows, verbose=0)[0, 0]) == pytest.approx(10, abs=4)


@pytest.mark.parametrize(
    "recipe", mark_slow(WEATHER, ["weather_bidirectional_gru", "weather_dense"])
)
def test_a_recipe_trains_with_reversed_time(recipe, tmp_path, undrawn):
    flags = ["--epochs", "1", "--reverse"]
    if recipe not in NO_KERAS_LAYER:  # variants of the layer train, too
        flags += LAYER_VARIANT
    run = train(recipe, tmp_path, *flags)
    assert run.state == "finished"
    assert run.config["changed"]["reverse"] is True
    if recipe not in NO_KERAS_LAYER:
        assert run.config["changed"]["kernel_regularizer"] == "l2:0.01"


@pytest.mark.parametrize("recipe", WEATHER)
def test_reversed_time_is_a_flag_of_all(recipe):
    """That of weather-gru reads reversed windows, as the next test shows."""
    config = resolve_config(parse(load(recipe).Config, ["--reverse"], "x.py", ""))
    assert read_settings(config).values["reverse"] is True
    assert config.weather.reverse is True


def test_a_reversed_network_reads_reversed_windows(load_data):
    # The same weights on reversed windows give the same as go_backwards.
    splits, config = load_data("weather_gru")
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


LAYER_VARIANT = ["--return-sequences", "--implementation", "1",
                 "--kernel-regularizer", "l2:0.01"]  # fmt: skip


UNROLLED = ["--unroll", "--dropout", "0.2", "--schedule", "cosine"]
FAST = {("vowel_gru", "--return-sequences")}


@pytest.mark.parametrize(
    ("recipe", "flags"),
    [
        pytest.param(
            recipe,
            flags,
            marks=[] if (recipe, flags[0]) in FAST else pytest.mark.slow,
            id=" ".join([recipe, *flags]),
        )
        for recipe in sorted({*GENERATED} - NO_KERAS_LAYER - {*MEMORY})
        for flags in (LAYER_VARIANT, UNROLLED)
    ],
)
def test_variants_of_the_layer_train(recipe, flags, tmp_path, undrawn):
    """Those of weather train with reversed time. Unrolling them takes too long."""
    fewer = [] if recipe == "sum_gru" else ["--lookback", "3"]
    run = train(recipe, tmp_path, "--epochs", "1", *fewer, *flags)
    assert run.state == "finished"


BAD_FLAGS = {
    ("weather_dense", "--units", "0"): "--units 0",
    ("weather_conv1d_gru", "--lookback", "18"): "at least 19 steps",
    ("weather_conv1d_gru", "--filters", "0"): "--filters 0",
    ("weather_stacked_gru", "--upper-units", "0"): "--upper-units 0",
    ("weather_bidirectional_gru", "--go-backwards"): "reads in both directions",
    ("weather_gru", "--train-share", "0.8"): "leave a part of the rows for the test",
    ("weather_gru", "--target", "T"): "--target 'T'",
    ("weather_gru", "--lookback", "300"): "too short",
    ("weather_best", "--target", "wv (m/s)"): "starts from the latest value",
    ("weather_best", "--output-dropout", "1"): "--output-dropout 1",
    ("weather_best", "--ensemble-size", "0"): "--ensemble-size 0",
    ("sine_gru", "--points", "100"): "the three parts need 220",
    ("sine_next_step_gru", "--delay", "2"): "the free run needs the next sample",
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


def test_the_cosine_schedule_falls_to_nearly_nothing(tmp_path, undrawn):
    flags = ["--epochs", "4", "--schedule", "cosine", "--learning-rate", "0.1"]
    run = train("sum_gru", tmp_path, *flags)
    expected = [0.1 * (1 + np.cos(np.pi * k / 4)) / 2 for k in range(4)]
    assert run.history["learning_rate"] == pytest.approx(expected)
    assert isinstance(load("sum_gru").Config().training, TrainingConfig)


@pytest.mark.xdist_group("weather_gru")
def test_two_seeds_of_a_forecast_see_the_same_data_in_another_order(
    shared_run, tmp_path
):
    first = shared_run("weather_gru").run
    with leave_undrawn():
        again = train("weather_gru", tmp_path, "--epochs", "2")
        other = train("weather_gru", tmp_path, "--epochs", "1", "--seed", "1")
    assert first.history["loss"] == again.history["loss"]
    assert first.history["loss"][:1] != other.history["loss"]
    stored = [read_predictions(run)["targets"] for run in (first, other)]
    assert np.array_equal(*stored)


def test_a_network_that_sees_the_target_is_called_a_leak(
    tmp_path, undrawn, capsys, monkeypatch
):
    from recipes import sum_gru
    from shared.data.generated.sums import make_sums

    def leak(config, seed):
        """Make the best achievable error worse than the network's."""
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
    assert run.summary["leak_check"]["leak"] is True
    assert "LEAK" in capsys.readouterr().out


def test_the_vowels_print_what_they_expect(tmp_path, undrawn, capsys):
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
    output = capsys.readouterr().out
    assert "after uou: a " in output
    assert "Distance of their n-grams" in output


def test_the_free_run_reads_its_own_output():
    inputs = keras.Input((3, 1))
    outputs = keras.layers.Lambda(lambda x: x[:, 0] + x[:, 2])(inputs)
    model = keras.Model(inputs, outputs)
    forecast = run_freely(model, np.array([1.0, 2.0, 3.0]), 4)
    assert forecast.tolist() == [4, 6, 9, 13]  # 1+3, 2+4, 3+6, 4+9


def test_texts_are_drawn_from_what_the_network_says():
    from shared.data.generated.vowels import VowelSource

    # This network always predicts the next vowel of the alphabet.
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


def test_every_data_flag_decides_which_baselines_belong_to_a_run():
    from shared.data.generated.memory_tasks import MemoryConfig
    from shared.data.generated.sine import SineConfig
    from shared.data.generated.sums import SumsConfig
    from shared.data.generated.vowels import VowelsConfig
    from shared.data.imdb.reviews import ReviewsConfig
    from shared.data.weather.dataset import WeatherConfig

    # Only the network reads these otherwise; the baselines do not change.
    network_only = {"padding", "mask", "batching", "embedding_size", "reverse"}
    network_only |= {"embedding_gradient"}
    found = set()
    for recipe in [*WEATHER, *GENERATED, "imdb_gru"]:
        config = load(recipe).Config()
        for field in dataclasses.fields(config):
            part = getattr(config, field.name)
            if not isinstance(
                part,
                ReviewsConfig | SineConfig | SumsConfig | VowelsConfig | WeatherConfig
                | MemoryConfig,
            ):  # fmt: skip
                continue
            found.add(type(part))
            for flag in list_flags(part):
                decides = flag.role in READ_BY_BASELINES | {Role.SOURCE}
                assert decides != (flag.name in network_only), flag
    assert len(found) == 6


def test_a_short_stretch_of_the_real_weather(
    real_weather, tmp_path, undrawn, no_network
):
    module = load("weather_gru")
    flags = ["--data", "jena-2020", "--data-dir", str(real_weather), "--limit", "6000",
             "--lookback", "24", "--stride", "6", "--epochs", "2", "--units", "8",
             "--results-dir", str(tmp_path)]  # fmt: skip
    main(module.Config, module.run, flags)
    (run,) = find_runs(tmp_path)
    assert run.data == "jena-2020-limit-6000"
    assert run.history["mae"][1] < run.history["mae"][0]
    baselines = {
        baseline["name"]: baseline["test"]["mae"]
        for baseline in run.summary["baselines"]
    }
    assert 0.5 < baselines["value of 24 hours ago"] < 6
    assert 0.5 < run.summary["test"]["best"]["test_mae"] < 10
