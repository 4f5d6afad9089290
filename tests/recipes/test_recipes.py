"""Every recipe through its real entry point, on small data in the real format."""

import ast
import contextlib
import csv
import dataclasses
import inspect
import json
import shutil
import typing
import zipfile

import keras
import numpy as np
import pytest

from shared.core.errors import UserError
from shared.core.flags import resolve_config
from shared.core.recipes import list_recipes
from shared.core.roles import list_flags, read_settings
from shared.data.imdb.reviews import load_reviews
from shared.layers.ensemble import EnsembleConfig
from shared.tasks.score import TITLES
from shared.training.config import TrainingConfig
from tests.helpers import PROJECT, RECIPES, run_python
from tests.recipes.training_runs import (
    PUBLISHED,
    compare_with_stored,
    group,
    load,
    mark_slow,
)
from tests.recipes.training_runs import train_reviews as train
from tests.undrawn import leave_undrawn

BOTH_WAYS = {"imdb_bidirectional_lstm", "imdb_best"}
TOLERANCE = 1e-4  # processors round differently: moves of 1e-7 were seen
STORED = PROJECT / "tests" / "recipes" / "stored_losses.json"
TWO_EPOCHS = ["--epochs", "2", "--batch-size", "16"]

# The tutorials' settings of the whole family, and what each recipe changes.
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
        "bigrams": 100_000, "vectors": "neighbours", "adversarial_epsilon": 5.0,
        "ensemble_size": 3,
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
    # Three times: words, bigrams, the shared vector; scale and shift; two directions.
    "imdb_best": 3
    * (64 * 130_001 + 2 * 64 + 2 * 3 * (64 * 64 + 64 * 64 + 2 * 64) + 129),
}


IMDB = sorted(CHANGES)


@pytest.fixture
def shared_run(shared_runs):
    """Return a function: recipe -> its run of two epochs, shared by all tests."""

    def train_once(recipe):
        drawn = recipe == "imdb_gru"  # all have the same picture
        with contextlib.nullcontext() if drawn else leave_undrawn():
            return shared_runs.train(train, recipe, *TWO_EPOCHS)

    return train_once


def test_the_family_is_complete():
    assert len(IMDB) >= 7
    assert set(IMDB) == set(PARAMETERS)
    assert set(IMDB) <= set(PUBLISHED)


@pytest.mark.parametrize("recipe", IMDB)
def test_defaults_are_the_tutorial_setting(recipe):
    settings = read_settings(load(recipe).Config()).values
    expected = FAMILY | CHANGES[recipe]
    assert {name: settings[name] for name in expected} == expected


@pytest.mark.parametrize("recipe", IMDB)
def test_parameters_are_those_of_the_textbook(recipe, reviews_folder):
    module = load(recipe)
    config = module.Config()
    reviews = dataclasses.replace(config.reviews, data_dir=reviews_folder)
    config = dataclasses.replace(config, reviews=reviews)
    model = module.build_model(config, module.load_data(config))
    assert model.count_params() == PARAMETERS[recipe]


@pytest.mark.parametrize("recipe", group(IMDB))
def test_a_run_leaves_everything(recipe, shared_run):
    shared = shared_run(recipe)
    run = shared.run
    assert run.state == "finished"
    names = {"config.json", "history.csv", "summary.json", "curves.png", "best.keras"}
    names |= {"predictions.npz", "kernels.json", "checkpoint.npz"}
    assert {path.name for path in run.path.iterdir()} == names
    assert (run.recipe, run.data) == (recipe.replace("_", "-"), "imdb")
    assert run.history["epoch"] == [1, 2]
    scheduled = run.config["settings"]["schedule"] == "cosine"
    assert list(run.history) == [
        "epoch", "accuracy", "loss", "val_accuracy", "val_loss",
        *(["learning_rate"] if scheduled else []), "seconds",
    ]  # fmt: skip
    assert set(run.summary["test"]["best"]) == {"test_accuracy", "test_loss"}
    assert [baseline["name"] for baseline in run.summary["baselines"]] == [
        "majority class", "linear model, uni- and bigrams",
    ]  # fmt: skip
    best = max(run.history["val_accuracy"])
    assert run.summary["best"]["val_accuracy"] == best
    assert "best epoch" in shared.output
    assert "majority class" in shared.output
    assert "First finished run" in shared.output
    assert str(run.path) in shared.output.replace("\n", "")


@pytest.mark.parametrize("recipe", group(IMDB))
def test_the_saved_model_gives_the_recorded_score(recipe, shared_run):
    shared = shared_run(recipe)
    config = load(recipe).Config()
    sizes = {"length": 7, "vocabulary": 31, "embedding_size": 5}
    reviews = dataclasses.replace(config.reviews, data_dir=shared.folder, **sizes)
    test = load_reviews(reviews, seed=0).test
    model = keras.models.load_model(shared.run.path / "best.keras")
    positive = np.asarray(model.predict(test.inputs, verbose=0))[:, 0]
    accuracy = np.mean((positive > 0.5) == (test.targets > 0.5))
    recorded = shared.run.summary["test"]["best"]["test_accuracy"]
    assert accuracy == pytest.approx(recorded)


@pytest.mark.parametrize(
    "recipe", group(name for name in PUBLISHED if name.startswith("imdb"))
)
def test_losses_are_those_stored(recipe, shared_run, request, capsys):
    """Two epochs with a fixed seed; `make update-stored` stores new ones."""
    run = shared_run(recipe).run
    losses = run.history["loss"] + run.history["val_loss"]
    update = request.config.getoption("--update-stored")
    line = compare_with_stored(STORED, recipe, losses, update, abs=TOLERANCE)
    if line:
        with capsys.disabled():
            print(f"\n{line}")


def test_losses_of_all_recipes_of_the_tables_are_stored():
    assert set(IMDB) <= set(json.loads(STORED.read_text()))


def test_an_update_stores_what_is_missing_or_differs_and_nothing_else(tmp_path):
    path = tmp_path / "stored.json"
    numbers = {"kept": [0.6931471805599453, 1e-09], "moved": [0.5, 0.25]}
    text = json.dumps(numbers, indent=1) + "\n"
    path.write_text(text)

    def update(recipe, losses):
        return compare_with_stored(path, recipe, losses, update=True, abs=1e-4)

    assert update("kept", [0.6931471, 2e-9]) is None
    assert path.read_text() == text
    assert "moved [0.5, 0.25] -> [0.5, 0.26]" in update("moved", [0.5, 0.26])
    assert path.read_text() == text.replace("0.25", "0.26")
    assert "new None -> [1.5]" in update("new", [1.5])
    assert json.loads(path.read_text()) == {
        "kept": numbers["kept"], "moved": [0.5, 0.26], "new": [1.5],
    }  # fmt: skip
    compare_with_stored(path, "new", [1.50001], update=False, abs=1e-4)
    with pytest.raises(AssertionError):
        compare_with_stored(path, "new", [1.6], update=False, abs=1e-4)
    with pytest.raises(pytest.skip.Exception):
        compare_with_stored(path, "private", [1.6], update=False, abs=1e-4)


def test_writing_stored_losses_changes_no_byte():
    files = list(STORED.parent.glob("stored_*losses.json"))
    assert len(files) >= 3
    for file in files:
        text = file.read_text()
        assert json.dumps(json.loads(text), indent=1) + "\n" == text, file


@pytest.mark.parametrize("recipe", IMDB)
def test_one_update_changes_every_weight_array(recipe, reviews_folder):
    module = load(recipe)
    config = module.Config()
    reviews = dataclasses.replace(
        config.reviews, length=7, vocabulary=31, data_dir=reviews_folder
    )
    config = dataclasses.replace(config, reviews=reviews)
    if recipe == "imdb_best":  # the adversarial step has tests of its own
        features = dataclasses.replace(
            config.word_features, adversarial_epsilon=0.0, bigrams=50
        )
        ensemble = EnsembleConfig(2)
        config = dataclasses.replace(config, word_features=features, ensemble=ensemble)
    model = module.build_model(config, module.load_data(config))
    model.compile("sgd", "binary_crossentropy")
    before = [np.array(weight) for weight in model.trainable_weights]
    assert len(before) >= 6
    word_ids = np.random.default_rng(0).integers(1, 31, (9, 7))
    model.train_on_batch(word_ids, np.arange(9) % 2)
    for old, weight in zip(before, model.trainable_weights, strict=True):
        assert not np.array_equal(old, np.array(weight)), weight.path


@pytest.mark.parametrize("recipe", mark_slow(IMDB, ["imdb_bidirectional_lstm"]))
def test_the_layer_trains_with_a_mask_and_all_steps(recipe, tmp_path, undrawn):
    flags = ["--epochs", "1", "--return-sequences", "--mask", "--padding", "right"]
    assert train(recipe, tmp_path, *flags).state == "finished"


@pytest.mark.parametrize("recipe", mark_slow(IMDB, ["imdb_gru_dropout"]))
def test_the_layer_trains_unrolled_with_dropout(recipe, tmp_path, undrawn):
    flags = ["--epochs", "1", "--unroll", "--dropout", "0.2", "--keep", "start",
             "--batching", "fixed", "--length", "3"]  # fmt: skip
    if "rnn" not in recipe:
        flags += ["--implementation", "1", "--kernel-regularizer", "l2:0.01"]
    if recipe == "imdb_best":
        flags += ["--adversarial-epsilon", "0"]  # else TensorFlow traces four layers
    assert train(recipe, tmp_path, *flags).state == "finished"


@pytest.mark.parametrize(
    "recipe", mark_slow(IMDB, [*BOTH_WAYS, "imdb_gru", "imdb_stacked_simple_rnn"])
)
def test_reading_backwards_is_a_flag_or_refused(recipe, tmp_path, undrawn, capsys):
    if recipe in BOTH_WAYS:
        with pytest.raises(SystemExit):
            train(recipe, tmp_path, "--epochs", "1", "--go-backwards")
        assert "reads in both directions" in capsys.readouterr().err
    else:
        flags = ["--go-backwards"]
        if "stacked" in recipe:
            with pytest.raises(SystemExit):
                train(recipe, tmp_path, "--epochs", "1", *flags)
            assert "Use --batching fixed --no-mask" in capsys.readouterr().err
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
def test_masked_padding_never_moves_the_output(recipe, flags, padding, small_reviews):
    module = load(recipe)
    config = module.Config()
    reviews = {"mask": True, "vocabulary": 31, "embedding_size": 5, "padding": padding,
               "batching": "fixed"}  # fmt: skip
    config = change_layer(config, units=3, **flags)
    if recipe == "imdb_best":  # its networks are alike
        config = dataclasses.replace(config, ensemble=EnsembleConfig(1))

    def predict(word_ids):
        sized = dataclasses.replace(config.reviews, length=word_ids.shape[1], **reviews)
        resolved = resolve_config(dataclasses.replace(config, reviews=sized))
        keras.utils.set_random_seed(0)
        model = module.build_model(resolved, small_reviews)
        return np.asarray(model(word_ids, training=False))

    words = np.random.default_rng(0).integers(3, 31, (4, 6))
    pad = np.zeros((4, 5), int)
    padded = np.hstack([pad, words] if padding == "left" else [words, pad])
    try:
        plain = predict(words)
    except UserError as error:
        assert flags.get("go_backwards") or (recipe in BOTH_WAYS and "unroll" in flags)
        reasons = ("masked padding", "reads in both directions", "the wrong steps")
        assert any(reason in str(error) for reason in reasons)
        return
    assert np.ptp(plain) > 1e-4  # the output does depend on the words
    assert predict(padded) == pytest.approx(plain, abs=1e-6)


def test_a_stack_reads_backwards_as_a_whole(small_reviews):
    module = load("imdb_stacked_simple_rnn")
    config = change_layer(module.Config(), units=3)
    reviews = dataclasses.replace(config.reviews, length=6, vocabulary=31)
    config = dataclasses.replace(config, reviews=reviews)
    words = np.random.default_rng(0).integers(3, 31, (4, 6))
    outputs = []
    for backwards, ids in ((False, words), (True, words[:, ::-1])):
        keras.utils.set_random_seed(0)
        changed = change_layer(config, go_backwards=backwards)
        model = module.build_model(changed, small_reviews)
        outputs.append(np.asarray(model(np.ascontiguousarray(ids))))
    assert outputs[0] == pytest.approx(outputs[1], abs=1e-6)


def test_the_implementation_that_runs_is_the_one_recorded(tmp_path, undrawn, capsys):
    run = train("imdb_gru_dropout", tmp_path, "--epochs", "1", "--kernel", "keras")
    assert run.config["settings"]["implementation"] == 2  # the requested one
    (ran,) = json.loads((run.path / "kernels.json").read_text())["ran"]
    assert ran["implementation"] == 1
    assert "requested 2: recurrent dropout forces 1" in capsys.readouterr().out


def test_a_limit_marks_every_file(tmp_path, undrawn):
    run = train("imdb_gru", tmp_path, "--epochs", "1", "--limit", "20")
    assert run.data == "imdb-limit-20"
    for name in ("config.json", "summary.json", "history.csv"):
        assert "imdb-limit-20" in (run.path / name).read_text()
    with zipfile.ZipFile(run.path / "best.keras") as archive:
        assert "imdb-limit-20" in archive.read("rnn-recipes.json").decode()


def test_early_stopping_stops_and_keeps_the_best(tmp_path, undrawn):
    # With this learning rate the first epochs cannot improve for long.
    flags = ["--epochs", "30", "--patience", "2", "--learning-rate", "1"]
    run = train("imdb_simple_rnn", tmp_path, *flags)
    epochs = len(run.history["epoch"])
    assert epochs < 30
    assert epochs - run.summary["best"]["epoch"] == 2


def test_a_loss_that_is_not_a_number_ends_the_run_in_order(tmp_path, capsys):
    flags = ["--epochs", "5", "--activation", "exponential", "--learning-rate", "1e9"]
    run = train("imdb_simple_rnn", tmp_path, *flags, "--optimizer", "sgd")
    assert run.state == "finished"
    assert len(run.history["epoch"]) < 5
    assert "not a number" in capsys.readouterr().out
    assert run.summary["best"] is None
    assert run.summary["test"] is None
    assert "no epoch had a valid score" in run.summary["note"].lower()


@pytest.mark.xdist_group("imdb_gru")
def test_a_run_prints_its_place_among_earlier_runs(shared_run, tmp_path, capsys):
    shutil.copytree(shared_run("imdb_gru").folder, tmp_path, dirs_exist_ok=True)
    capsys.readouterr()
    train("imdb_gru", tmp_path, *TWO_EPOCHS, "--seed", "1")
    assert "of 2 finished runs of imdb-gru on imdb" in capsys.readouterr().out


@pytest.mark.parametrize("recipe", group(IMDB))
def test_metrics_are_one_vocabulary(recipe, shared_run):
    names = {name.removeprefix("val_") for name in shared_run(recipe).run.history}
    assert names - {"epoch", "seconds", "learning_rate"} <= set(TITLES)


@pytest.mark.parametrize("recipe", group(IMDB))
def test_stored_curves_are_valid_csv(recipe, shared_run):
    with (shared_run(recipe).run.path / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert all(float(row["seconds"]) > 0 for row in rows)


@pytest.mark.xdist_group("imdb_gru")
def test_tests_of_one_group_share_a_process(request):
    """Otherwise both processes of `make test` train each shared run."""
    if not getattr(request.config, "workerinput", None):
        pytest.skip("runs in one process")
    assert request.node.nodeid.endswith("@imdb_gru")


ARGUMENTS = {
    "load_data": ["config"],
    "build_model": ["config", "data"],
    "run": ["config", "folder"],
}


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_has_three_functions_and_a_role_for_every_flag(recipe):
    """Private recipes too: the studies call these functions."""
    module = load(recipe)
    for name, arguments in ARGUMENTS.items():
        assert list(inspect.signature(getattr(module, name)).parameters) == arguments
    assert dataclasses.is_dataclass(module.Config)
    assert len(list(list_flags(module.Config()))) >= 1  # refuses a flag without a role
    info = list_recipes()[recipe.replace("_", "-")]
    assert info.varies == module.VARIES
    assert info.reference == module.REFERENCE


@pytest.mark.parametrize("recipe", PUBLISHED)
def test_a_published_recipe_has_the_shape_of_a_recipe(recipe):
    text = (PROJECT / "recipes" / f"{recipe}.py").read_text()
    tree = ast.parse(text)
    assert len(text.splitlines()) <= 125
    assert ast.get_docstring(tree).partition("\n")[0].endswith("?")
    functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert [name for name in functions if not name.startswith("_")] == list(ARGUMENTS)
    constants = {
        node.targets[0].id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
    }
    varies = constants["VARIES"]
    assert isinstance(ast.literal_eval(varies), str)
    assert varies.lineno == varies.end_lineno
    assert ast.literal_eval(varies)
    reference = ast.literal_eval(constants["REFERENCE"])
    assert isinstance(reference, tuple)
    assert all(isinstance(flags, dict) for flags in reference)
    module = load(recipe)
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
    for recipe in PUBLISHED:
        imports = list_imports(PROJECT / "recipes" / f"{recipe}.py")
        assert "shared" in imports
        assert "recipes" not in imports


def test_what_reads_run_folders_never_imports_keras():
    rooms = {
        "core": 10, "runs": 6, "plots": 3, "compare": 6, "report": 7,
        "studies.reference": 8,
    }  # fmt: skip
    modules = ["studies.horizon.__main__", "commands.help"]
    for room, least in rooms.items():
        folder = PROJECT / "shared" / room.replace(".", "/")
        names = sorted(path.stem for path in folder.glob("[a-z_]*.py"))
        assert len(names) >= least, room
        modules += [f"{room}.{name}" for name in names if name != "__init__"]
    studies = {"backtest": "--refit", "gradient_flow": "--examples"}
    program = (
        "import importlib, sys\n"
        f"for module in {modules}:\n"
        "    importlib.import_module(f'shared.{module}')\n"
        "    heavy = {'tensorflow', 'keras', 'sklearn'} & set(sys.modules)\n"
        "    assert not heavy, (module, heavy)\n"
        f"for study in {list(studies)}:\n"  # they read runs and then import Keras
        "    path = f'shared.studies.{study}.__main__'\n"
        "    try:\n"
        "        importlib.import_module(path).main(['--help'])\n"
        "    except SystemExit as end:\n"
        "        assert not end.code\n"
        "    heavy = {'tensorflow', 'keras'} & set(sys.modules)\n"
        "    assert not heavy, (study, heavy)\n"
    )
    done = run_python("-c", program)
    assert done.returncode == 0, done.stderr
    assert all(flag in done.stdout for flag in studies.values())


def test_every_published_recipe_is_in_the_readme():
    readme = (PROJECT / "README.md").read_text()
    assert len(PUBLISHED) >= 6
    for recipe in PUBLISHED:
        assert f"`{recipe.replace('_', '-')}`" in readme
