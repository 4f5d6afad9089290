"""The command line: quick help, one clear line for a bad input, nothing lost."""

import importlib
import json
import subprocess
import sys

import pytest

from recipes import imdb_gru, imdb_simple_rnn
from shared.commands.recipe import main
from shared.core.errors import UserError, format_flag
from shared.core.flags import list_names, parse, resolve_config
from shared.core.recipes import list_recipes
from shared.core.roles import read_settings
from tests.helpers import PROJECT, RECIPES, run_python


def test_there_are_recipes():
    assert len(RECIPES) >= 6


HELP = """
import contextlib, io, json, runpy, sys
pages = {}
for recipe in sys.argv[1:]:
    sys.argv = [f"{recipe}.py", "--help"]
    with contextlib.redirect_stdout(io.StringIO()) as page:
        try:
            runpy.run_path(f"recipes/{recipe}.py", run_name="__main__")
        except SystemExit as exit_:
            assert not exit_.code, recipe
    heavy = {"tensorflow", "keras", "matplotlib", "sklearn"} & set(sys.modules)
    assert not heavy, (recipe, heavy)
    pages[recipe] = page.getvalue()
print(json.dumps(pages))
"""


@pytest.fixture(scope="module")
def help_pages():
    """The help of every recipe, from one process."""
    done = run_python("-c", HELP, *RECIPES)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.xdist_group("help pages")
@pytest.mark.parametrize("recipe", RECIPES)
def test_help_needs_neither_keras_nor_data(recipe, help_pages):
    config = importlib.import_module(f"recipes.{recipe}").Config
    flags = {format_flag(name) for name in list_names(config)}
    if list_recipes()[recipe.replace("_", "-")].reference:
        flags |= {"--units", "--implementation", "--cudnn", "--epochs", "--limit"}
    if recipe in ("weather_dense", "scratch_gru"):  # no recurrent layer of Keras
        flags -= {"--implementation", "--cudnn"}
    if not recipe.startswith(("imdb", "weather")):
        flags.discard("--limit")  # other flags set the size of generated data
    for flag in flags:
        assert flag in help_pages[recipe]


BAD_INPUTS = [
    (["--units", "0"], "at least 1 unit"),
    (["--units", "many"], "--units: 'many' is not a whole number."),
    (["--limit", "many"], "--limit: 'many' is not a whole number."),
    (["--dropout", "much"], "--dropout: 'much' is not a number."),
    (["--epochs"], "--epochs"),
    (["--unitz", "3"], "Perhaps you meant --units"),
    (["surplus"], "surplus"),
    (["--implementation", "3"], "('1', '2')"),
    (["--cudnn", "maybe"], "('auto', 'on', 'off')"),
    (["--cudnn", "on", "--recurrent-dropout", "0.2"], "--recurrent-dropout"),
    (["--cudnn", "on", "--mask"], "--padding right"),
    (["--validation-share", "1"], "below 1"),
    (["--validation-share", "0"], "above 0"),
    (["--vocabulary", "3"], "at least 5"),
    (["--length", "0"], "at least 1 token"),
    (["--embedding-size", "0"], "--embedding-size"),
    (["--limit", "1"], "at least 2"),
    (["--epochs", "0"], "--epochs 0"),
    (["--batch-size", "0"], "--batch-size 0"),
    (["--patience", "0"], "--patience 0"),
    (["--learning-rate", "0"], "--learning-rate 0"),
    (["--learning-rate", "nan"], "--learning-rate nan"),
    (["--seed", "-1"], "--seed -1"),
    (["--global-clipnorm", "0"], "--global-clipnorm 0.0: takes a norm above 0"),
    (["--global-clipnorm", "1"], "--embedding-gradient dense"),
    (["--stop-at", "nan"], "--stop-at nan"),
    (["--optimizer", "newton"], "rmsprop"),
    (["--keep", "middle"], "('start', 'end')"),
    (["--dropout", "1"], "below 1"),
]


@pytest.mark.parametrize(("flags", "message"), BAD_INPUTS, ids=lambda v: str(v))
def test_a_bad_input_is_one_line_and_status_2_before_any_data(
    flags, message, monkeypatch, capsys, tmp_path
):
    monkeypatch.setattr("shared.layers.recurrent.count_gpus", lambda: 1)

    def load(*_):
        raise AssertionError("data were loaded")

    monkeypatch.setattr(imdb_gru, "load_reviews", load)
    with pytest.raises(SystemExit) as exit_:
        main(imdb_gru.Config, imdb_gru.run, ["--results-dir", str(tmp_path), *flags])
    assert exit_.value.code == 2
    text = capsys.readouterr().err
    assert text.startswith("error: ")
    assert text.count("\n") <= 2
    assert message in text
    assert not list(tmp_path.glob("imdb-*"))


def test_simple_rnn_refuses_an_implementation(capsys):
    with pytest.raises(SystemExit) as exit_:
        main(imdb_simple_rnn.Config, imdb_simple_rnn.run, ["--implementation", "2"])
    assert exit_.value.code == 2
    assert "one implementation" in capsys.readouterr().err


@pytest.mark.parametrize("form", ["file", "module", "elsewhere"])
def test_every_form_of_launching_works(form, tmp_path):
    command = {
        "file": [sys.executable, "recipes/imdb_gru.py"],
        "module": [sys.executable, "-m", "recipes.imdb_gru"],
        "elsewhere": [sys.executable, str(PROJECT / "recipes" / "imdb_gru.py")],
    }[form]
    folder = tmp_path if form == "elsewhere" else PROJECT
    done = subprocess.run(
        [*command, "--units", "0"], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: --units 0")


def test_settings_are_flat_complete_and_ready_for_json():
    config = parse(imdb_gru.Config, ["--units", "7", "--data-dir", "x"], "p", "")
    settings = read_settings(config).values
    assert settings["units"] == 7
    assert settings["data_dir"] == "x"
    assert settings["optimizer"] == "rmsprop"
    assert {"cudnn", "implementation", "seed", "vocabulary", "mask"} <= set(settings)
    json.dumps(settings)


def test_resolving_defaults_changes_the_layer_and_says_so(capsys):
    flags = ["--mask", "--kernel", "keras"]
    config = resolve_config(parse(imdb_gru.Config, flags, "p", ""))
    assert config.gru.cudnn == "off"
    assert "cuDNN is turned off" in capsys.readouterr().out


def test_the_error_for_an_unknown_flag_names_the_nearest_one():
    with pytest.raises(UserError, match=r"--unit, 3.*--units"):
        parse(imdb_gru.Config, ["--unit", "3"], "imdb_gru.py", "")


def test_a_folder_that_cannot_be_written_is_an_error_at_once(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    folder = str(tmp_path / "file" / "runs")
    with pytest.raises(SystemExit) as exit_:
        main(imdb_gru.Config, imdb_gru.run, ["--results-dir", folder])
    assert exit_.value.code == 2
    text = capsys.readouterr().err
    assert "--results-dir" in text
    assert text.count("\n") == 1


def test_another_backend_is_refused():
    done = run_python("recipes/imdb_gru.py", "--data", "sample", KERAS_BACKEND="jax")
    assert done.returncode == 2
    assert done.stderr.startswith("error: KERAS_BACKEND=jax")
