"""Every recipe through its real entry point, on small data in the real format."""

import ast
import csv
import dataclasses
import importlib
import json
import typing
import zipfile

import keras
import numpy as np
import pytest
from conftest import PROJECT, RECIPES, make_reviews, run_python, write_npz

from shared.cli import main
from shared.errors import UserError
from shared.flags import list_settings, settle
from shared.help import list_recipes
from shared.metrics import TITLES
from shared.runs import find_runs
from shared.training import TrainingConfig

BOTH_WAYS = {"imdb_bidirectional_lstm", "imdb_best"}
IMDB = [name for name in RECIPES if name.startswith("imdb")]
FEWER = {"imdb_best": ["--members", "1", "--pairs", "50"]}
TOLERANCE = 1e-4
STORED = PROJECT / "tests" / "stored_losses.json"
# Five distinct odd sizes, so that a swapped axis fails.
SMALL = ["--units", "3", "--embedding-size", "5", "--length", "7", "--vocabulary", "31"]

# The tutorial setting of the whole family, and what each recipe changes.
FAMILY = {
    "vocabulary": 10_000, "length": 500, "keep": "end", "padding": "left",
    "mask": False, "embedding_size": 32, "validation_share": 0.2, "units": 32,
    "optimizer": "rmsprop", "learning_rate": 0.001, "batch_size": 128, "epochs": 10,
    "dropout": 0.0, "recurrent_dropout": 0.0, "activation": "tanh", "patience": None,
    "batching": "bucketed",
}  # fmt: skip
CHANGES = {
    "imdb_simple_rnn": {},
    "imdb_lstm": {},
    "imdb_gru": {},
    "imdb_stacked_simple_rnn": {},
    "imdb_bidirectional_lstm": {},
    "imdb_gru_dropout": {
        "units": 64, "dropout": 0.2, "recurrent_dropout": 0.2, "optimizer": "adam",
        "batch_size": 32, "epochs": 5,
    },
    "imdb_best": {
        "vocabulary": 30_000, "padding": "right", "embedding_size": 64, "units": 64,
        "dropout": 0.5, "optimizer": "adam", "batch_size": 64, "epochs": 3,
        "schedule": "cosine", "output_dropout": 0.5,
        "embedding_gradient": "dense", "return_sequences": True, "pooling": "max",
        "pairs": 100_000, "vectors": "neighbours", "radius": 5.0, "members": 3,
    },
}  # fmt: skip
# Weights by the textbook: embedding 10,000 x 32, layers, and 33 (65) of the classifier.
PARAMETERS = {
    "imdb_simple_rnn": 320_000 + (32 * 32 + 32 * 32 + 32) + 33,
    "imdb_lstm": 320_000 + 4 * (32 * 32 + 32 * 32 + 32) + 33,
    "imdb_gru": 320_000 + 3 * (32 * 32 + 32 * 32 + 2 * 32) + 33,
    "imdb_stacked_simple_rnn": 320_000 + 4 * (32 * 32 + 32 * 32 + 32) + 33,
    "imdb_bidirectional_lstm": 320_000 + 2 * 4 * (32 * 32 + 32 * 32 + 32) + 65,
    "imdb_gru_dropout": 320_000 + 3 * (32 * 64 + 64 * 64 + 2 * 64) + 65,
    # Three times: words, pairs and the shared vector; scale and shift; both directions.
    "imdb_best": 3
    * (64 * 130_001 + 2 * 64 + 2 * 3 * (64 * 64 + 64 * 64 + 2 * 64) + 129),
}


def load(recipe):
    return importlib.import_module(f"recipes.{recipe}")


def train(recipe, tmp_path, *flags):
    """Run a recipe's main on small reviews; return its run."""
    if not (tmp_path / "imdb.npz").exists():
        write_npz(tmp_path / "imdb.npz", make_reviews(100))
    module = load(recipe)
    before = {run.path for run in find_runs(tmp_path / "runs")}
    places = ["--data-dir", str(tmp_path), "--results-dir", str(tmp_path / "runs")]
    fewer = FEWER.get(recipe, [])
    main(module.Config, module.run, [*SMALL, *fewer, *places, *flags])
    (run,) = [r for r in find_runs(tmp_path / "runs") if r.path not in before]
    return run


def test_the_family_is_complete():
    assert set(IMDB) == set(CHANGES)


@pytest.mark.parametrize("recipe", IMDB)
def test_defaults_are_the_tutorial_setting(recipe):
    settings = list_settings(load(recipe).Config())
    expected = FAMILY | CHANGES[recipe]
    assert {name: settings[name] for name in expected} == expected


@pytest.mark.parametrize("recipe", IMDB)
def test_parameters_are_those_of_the_textbook(recipe):
    module = load(recipe)
    assert module.build_model(module.Config()).count_params() == PARAMETERS[recipe]


@pytest.mark.parametrize("recipe", IMDB)
def test_a_run_leaves_everything(recipe, tmp_path, capsys):
    run = train(recipe, tmp_path, "--epochs", "2", "--batch-size", "16")
    assert run.state == "finished"
    names = {"config.json", "history.csv", "summary.json", "curves.png", "best.keras"}
    names |= {"predictions.npz", "kernels.json"}
    assert {path.name for path in run.path.iterdir()} == names
    assert (run.recipe, run.data) == (recipe.replace("_", "-"), "imdb")
    assert run.history["epoch"] == [1, 2]
    scheduled = run.config["settings"]["schedule"] == "cosine"
    assert list(run.history) == [
        "epoch", "accuracy", "loss", "val_accuracy", "val_loss",
        *(["learning_rate"] if scheduled else []), "seconds",
    ]  # fmt: skip
    assert set(run.summary["test"]["best"]) == {"test_accuracy", "test_loss"}
    assert [bar["name"] for bar in run.summary["bars"]] == [
        "majority class", "linear model, uni- and bigrams",
    ]  # fmt: skip
    best = max(run.history["val_accuracy"])
    assert run.summary["best"]["val_accuracy"] == best
    told = capsys.readouterr().out
    assert "best epoch" in told
    assert "majority class" in told
    assert "First finished run" in told
    assert str(run.path) in told.replace("\n", "")


@pytest.mark.parametrize("recipe", IMDB)
def test_the_saved_model_gives_the_recorded_score(recipe, tmp_path):
    run = train(recipe, tmp_path, "--epochs", "2", "--batch-size", "16")
    from shared.data.imdb import load_reviews

    config = load(recipe).Config()
    reviews = dataclasses.replace(
        config.reviews, data_dir=tmp_path, length=7, vocabulary=31, embedding_size=5
    )
    test = load_reviews(reviews, seed=0).test
    model = keras.models.load_model(run.path / "best.keras")
    positive = np.asarray(model.predict(test.inputs, verbose=0))[:, 0]
    accuracy = np.mean((positive > 0.5) == (test.targets > 0.5))
    assert accuracy == pytest.approx(run.summary["test"]["best"]["test_accuracy"])


@pytest.mark.parametrize("recipe", IMDB)
def test_one_update_changes_every_weight_array(recipe):
    module = load(recipe)
    config = module.Config()
    reviews = dataclasses.replace(config.reviews, length=7, vocabulary=31)
    model = module.build_model(dataclasses.replace(config, reviews=reviews))
    model.compile("sgd", "binary_crossentropy")
    before = [np.array(weight) for weight in model.trainable_weights]
    assert len(before) >= 6
    word_ids = np.random.default_rng(0).integers(1, 31, (9, 7))
    model.train_on_batch(word_ids, np.arange(9) % 2)
    for old, weight in zip(before, model.trainable_weights, strict=True):
        assert not np.array_equal(old, np.array(weight)), weight.path


@pytest.mark.parametrize("recipe", IMDB)
def test_variants_of_the_layer_train(recipe, tmp_path):
    flags = ["--epochs", "1", "--return-sequences", "--mask", "--padding", "right"]
    assert train(recipe, tmp_path, *flags).state == "finished"
    flags = ["--epochs", "1", "--unroll", "--dropout", "0.2", "--keep", "start",
             "--batching", "fixed"]  # fmt: skip
    if "rnn" not in recipe:
        flags += ["--implementation", "1", "--kernel-regularizer", "l2:0.01"]
    if recipe == "imdb_best":
        flags += ["--radius", "0"]  # else four unrolled layers are traced
    assert train(recipe, tmp_path, *flags).state == "finished"


@pytest.mark.parametrize("recipe", IMDB)
def test_backwards_reading_is_a_flag_or_refused(recipe, tmp_path, capsys):
    if recipe in BOTH_WAYS:
        with pytest.raises(SystemExit):
            train(recipe, tmp_path, "--epochs", "1", "--go-backwards")
        assert "reads both ways" in capsys.readouterr().err
    else:
        flags = ["--go-backwards"]
        if "stacked" in recipe:
            with pytest.raises(SystemExit):
                train(recipe, tmp_path, "--epochs", "1", *flags)
            assert "take --batching fixed --no-mask" in capsys.readouterr().err
            flags += ["--batching", "fixed"]
        run = train(recipe, tmp_path, "--epochs", "1", *flags)
        assert run.config["changed"]["go_backwards"] is True


FLAGS = [
    {},
    {"go_backwards": True},
    {"return_sequences": True},
    {"go_backwards": True, "return_sequences": True},
    {"unroll": True, "return_sequences": True},
]


def change_layer(config, **changes):
    """Return a config with flags of its recurrent layer changed."""
    (name,) = {"gru", "lstm", "simple_rnn"} & {
        f.name for f in dataclasses.fields(config)
    }
    layer = dataclasses.replace(getattr(config, name), **changes)
    return dataclasses.replace(config, **{name: layer})


@pytest.mark.parametrize("padding", ["left", "right"])
@pytest.mark.parametrize("flags", FLAGS, ids=lambda flags: "+".join(flags) or "plain")
@pytest.mark.parametrize("recipe", IMDB)
def test_masked_padding_never_moves_the_output(recipe, flags, padding):
    module = load(recipe)
    config = module.Config()
    reviews = {"mask": True, "vocabulary": 31, "embedding_size": 5, "padding": padding,
               "batching": "fixed"}  # fmt: skip
    config = change_layer(config, units=3, **flags)

    def predict(word_ids):
        sized = dataclasses.replace(config.reviews, length=word_ids.shape[1], **reviews)
        settled = settle(dataclasses.replace(config, reviews=sized))
        keras.utils.set_random_seed(0)
        model = module.build_model(settled)
        return np.asarray(model(word_ids, training=False))

    words = np.random.default_rng(0).integers(3, 31, (4, 6))
    pad = np.zeros((4, 5), int)
    padded = np.hstack([pad, words] if padding == "left" else [words, pad])
    try:
        plain = predict(words)
    except UserError as error:
        assert flags.get("go_backwards") or (recipe in BOTH_WAYS and "unroll" in flags)
        told = ("masked padding", "reads both ways", "the wrong steps")
        assert any(words in str(error) for words in told)
        return
    assert np.ptp(plain) > 1e-4  # the output does depend on the words
    assert predict(padded) == pytest.approx(plain, abs=1e-6)


def test_a_stack_reads_backwards_as_a_whole():
    module = load("imdb_stacked_simple_rnn")
    config = change_layer(module.Config(), units=3)
    reviews = dataclasses.replace(config.reviews, length=6, vocabulary=31)
    config = dataclasses.replace(config, reviews=reviews)
    words = np.random.default_rng(0).integers(3, 31, (4, 6))
    outputs = []
    for backwards, ids in ((False, words), (True, words[:, ::-1])):
        keras.utils.set_random_seed(0)
        model = module.build_model(change_layer(config, go_backwards=backwards))
        outputs.append(np.asarray(model(np.ascontiguousarray(ids))))
    assert outputs[0] == pytest.approx(outputs[1], abs=1e-6)


def test_the_implementation_that_runs_is_the_one_recorded(tmp_path, capsys):
    run = train("imdb_gru_dropout", tmp_path, "--epochs", "1", "--kernel", "keras")
    assert run.config["settings"]["implementation"] == 2  # what was asked for
    (ran,) = json.loads((run.path / "kernels.json").read_text())["ran"]
    assert ran["implementation"] == 1
    assert "asked 2: recurrent dropout forces 1" in capsys.readouterr().out


def test_a_limit_marks_every_file(tmp_path):
    run = train("imdb_gru", tmp_path, "--epochs", "1", "--limit", "20")
    assert run.data == "imdb-limit-20"
    for name in ("config.json", "summary.json", "history.csv"):
        assert "imdb-limit-20" in (run.path / name).read_text()
    with zipfile.ZipFile(run.path / "best.keras") as archive:
        assert "imdb-limit-20" in archive.read("rnn-recipes.json").decode()


def test_early_stopping_stops_and_keeps_the_best(tmp_path):
    # A learning rate far too high: the first epochs cannot go on improving.
    flags = ["--epochs", "30", "--patience", "2", "--learning-rate", "1"]
    run = train("imdb_simple_rnn", tmp_path, *flags)
    epochs = len(run.history["epoch"])
    assert epochs < 30
    assert epochs - run.summary["best"]["epoch"] == 2


def test_a_loss_that_is_no_number_ends_the_run_in_order(tmp_path, capsys):
    flags = ["--epochs", "5", "--activation", "exponential", "--learning-rate", "1e9"]
    run = train("imdb_simple_rnn", tmp_path, *flags, "--optimizer", "sgd")
    assert run.state == "finished"
    assert len(run.history["epoch"]) < 5
    assert "no number" in capsys.readouterr().out
    assert run.summary["best"] is None
    assert run.summary["test"] is None
    assert "no epoch had a valid score" in run.summary["note"].lower()


def test_the_place_among_earlier_runs_is_told(tmp_path, capsys):
    train("imdb_gru", tmp_path, "--epochs", "1")
    capsys.readouterr()
    train("imdb_gru", tmp_path, "--epochs", "1", "--seed", "1")
    assert "of 2 finished runs of imdb-gru on imdb" in capsys.readouterr().out


def test_metrics_are_one_vocabulary(tmp_path):
    run = train("imdb_gru", tmp_path, "--epochs", "1")
    metrics = {name.removeprefix("val_") for name in run.history} - {"epoch", "seconds"}
    assert metrics <= set(TITLES)


def test_losses_are_those_stored(tmp_path, request):
    """Two epochs with a fixed seed; `make update-stored` writes them anew."""
    found = {}
    for recipe in IMDB:
        run = train(recipe, tmp_path, "--epochs", "2", "--batch-size", "16")
        found[recipe] = run.history["loss"] + run.history["val_loss"]
    if request.config.getoption("--update-stored"):
        STORED.write_text(json.dumps(found, indent=1) + "\n")
    stored = json.loads(STORED.read_text())
    assert set(stored) == set(found)
    for recipe, losses in found.items():
        assert losses == pytest.approx(stored[recipe], abs=TOLERANCE), recipe


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_has_the_shape_of_a_recipe(recipe):
    text = (PROJECT / "recipes" / f"{recipe}.py").read_text()
    tree = ast.parse(text)
    assert len(text.splitlines()) <= 110
    assert ast.get_docstring(tree).partition("\n")[0].endswith("?")
    functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert functions == ["build_model", "run"]
    module = load(recipe)
    assert dataclasses.is_dataclass(module.Config)
    assert "training" in typing.get_type_hints(module.Config)
    assert isinstance(module.Config().training, TrainingConfig)


def list_imports(path):
    """Return the first name of every module that a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").partition(".")[0])
    return names


def test_shared_never_imports_recipes():
    paths = sorted((PROJECT / "shared").rglob("*.py"))
    assert len(paths) >= 20
    for path in paths:
        assert "recipes" not in list_imports(path), path


def test_recipes_never_import_each_other():
    for recipe in RECIPES:
        imports = list_imports(PROJECT / "recipes" / f"{recipe}.py")
        assert "shared" in imports
        assert "recipes" not in imports


@pytest.mark.parametrize(
    "module",
    [
        "runs",
        "groups",
        "plots",
        "figures",
        "tables",
        "compare",
        "horizon.__main__",
        "reference.__main__",
        "report.__main__",
        "report.serve",
        "report.events",
    ],
)
def test_what_reads_run_folders_never_imports_keras(module):
    program = (
        f"import sys, shared.{module}\n"
        "heavy = {'tensorflow', 'keras', 'sklearn'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = run_python("-c", program)
    assert done.returncode == 0, done.stderr


def test_every_recipe_is_in_the_readme():
    readme = (PROJECT / "README.md").read_text()
    listed = list_recipes()
    assert len(listed) >= 6
    for name in listed:
        assert f"`{name}`" in readme


def test_stored_curves_are_valid_csv(tmp_path):
    run = train("imdb_lstm", tmp_path, "--epochs", "3")
    with (run.path / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert all(float(row["seconds"]) > 0 for row in rows)
