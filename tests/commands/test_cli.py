"""The command line: quick help, one clear line for a bad input, nothing lost."""

import errno
import importlib
import json
import subprocess
import sys

import pytest

from recipes import imdb_best, imdb_gru, imdb_simple_rnn
from shared.commands.recipe import main
from shared.core.errors import UserError, format_flag
from shared.core.files import check_place
from shared.core.flags import list_names, one_line_errors, parse, resolve_config
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
    if recipe in ("weather_dense", "scratch_gru", "series_linear"):
        flags -= {"--implementation", "--cudnn"}  # no recurrent layer of Keras
    if recipe == "series_linear":
        flags.discard("--units")
    if not recipe.startswith(("imdb", "weather", "series", "text", "writer")):
        flags.discard("--limit")  # other flags set the size of generated data
    for flag in flags:
        assert flag in help_pages[recipe]


BAD_INPUTS = [
    (["--units", "0"], "at least 1 unit"),
    (["--units", "many"], "--units: 'many' is not a whole number."),
    (["--units", "1_0"], "--units: '1_0' is not a whole number."),
    (["--units", "99999999999999999999"], "--units: '99999999999999999999' is too"),
    (["--units", "9" * 5000], "is too large"),
    (["--units", "100000000"], "--units 100000000: needs an array of"),
    (["--vocabulary", "1000000", "--embedding-size", "1000000"], "needs an array of"),
    (["--threads", "100000000"], "--threads 100000000: takes at most 1,024"),
    (["--kernel", "9" * 5000], "Expected one of"),
    (["--data-dir", ""], "--data-dir: the value is empty"),
    (["--data-dir="], "--data-dir: the value is empty"),
    (["--data-dir", "a\0b"], "has a control character"),
    (["--data-dir", "\x1b[31m"], "has a control character"),
    (["--data-dir", "\udcff"], "not UTF-8"),
    (["--data-dir", "~nobody-of-this-name/x"], "no such home folder"),
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
    assert len(text) < 1100
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


@pytest.mark.parametrize("more", [[], ["--seeds", "0-1"]], ids=["run", "seeds"])
@pytest.mark.parametrize("place", ["file", "file/runs", "link", "loop", "a" * 5000, ""])
def test_a_folder_that_cannot_be_written_is_an_error_at_once(
    place, more, tmp_path, capsys, monkeypatch
):
    def load(*_):
        raise AssertionError("data were loaded")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(imdb_gru, "load_reviews", load)
    monkeypatch.setattr("shared.sweeps.workers.subprocess.Popen", load)
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere" / "x")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    before = sorted(tmp_path.iterdir())
    flags = ["--kernel", "keras", "--results-dir", place, *more]
    with pytest.raises(SystemExit) as exit_:
        main(imdb_gru.Config, imdb_gru.run, flags)
    assert exit_.value.code == 2
    text = capsys.readouterr().err
    assert "--results-dir" in text
    assert text.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before


def test_a_file_system_that_takes_no_files_is_an_error_at_once(tmp_path, monkeypatch):
    """As a read-only checkout: the folder exists already."""

    def refuse(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system", "/some/part")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    with pytest.raises(OSError, match="Read-only") as error:
        check_place(tmp_path)
    assert error.value.filename == str(tmp_path)


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (KeyboardInterrupt(), 130, "Interrupted."),
        (MemoryError("Unable to allocate 9 TiB"), 2, "Unable to allocate 9 TiB"),
        (FileNotFoundError(2, "No such file", "/proc/x"), 2, "/proc/x: No such file"),
        (OSError(errno.ENOSPC, "No space left"), 2, "No space left"),
        (OSError(errno.ENOTCONN, "Not connected"), 2, "error: Not connected."),
        (UserError("x" * 50_000), 2, "xxx"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_no_program_can_repair_is_one_line(error, status, message, capsys):
    with pytest.raises(SystemExit) as exit_, one_line_errors("--to"):
        raise error
    assert exit_.value.code == status
    text = capsys.readouterr().err
    assert message in text
    assert text.count("\n") == 1
    assert len(text) < 1100


def test_a_fault_of_the_suite_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError), one_line_errors("--to"):
        raise ZeroDivisionError


def test_a_very_large_ensemble_is_refused(capsys):
    with pytest.raises(SystemExit) as exit_:
        main(imdb_best.Config, imdb_best.run, ["--ensemble-size", "100000000"])
    assert exit_.value.code == 2
    assert "takes at most 100." in capsys.readouterr().err


def test_another_backend_is_refused():
    done = run_python("recipes/imdb_gru.py", "--data", "sample", KERAS_BACKEND="jax")
    assert done.returncode == 2
    assert done.stderr.startswith("error: KERAS_BACKEND=jax")
