"""The first minutes of a user: set-up, wrong names, and what to do after a run."""

import subprocess
import threading
from pathlib import Path

import pytest

from shared.commands import next_steps
from shared.commands.help import main as show_help
from shared.commands.help import suggest
from shared.commands.install import Progress
from shared.commands.install import main as install
from shared.commands.next_steps import (
    describe_real_reviews,
    find_sibling,
    list_next_steps,
)
from shared.core import waiting
from shared.core.errors import UserError
from shared.core.text import shorten_path, wrap
from shared.runs.groups import expand_globs
from tests.inference.forecasts import copy_run
from tests.recipes.own_texts import train_texts
from tests.recipes.own_writings import train_writer
from tests.recipes.training_runs import TWO_EPOCHS, train_reviews, train_series

pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.mark.parametrize(
    ("target", "meant"),
    [
        ("imdb-gruu", "imdb-gru"),
        ("IMDB_LSMT", "imdb-lstm"),
        ("compar", "compare"),
        ("weather-x", "weather-best"),
    ],
)
def test_a_wrong_target_suggests_the_right_one(target, meant, capsys):
    assert meant in suggest(target).partition("Perhaps you meant")[2]
    with pytest.raises(SystemExit) as ended:
        show_help([target])
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith(f"error: {target}: no such target. ")


def test_a_target_like_no_other_suggests_none():
    assert suggest("qqqq") == "qqqq: no such target. make help lists all."


def test_the_set_up_counts_packages_and_megabytes():
    progress = Progress()
    lines = [
        "Collecting keras (from -r requirements.txt (line 1))",
        "  Downloading keras-3.15.0-py3-none-any.whl.metadata (6.3 kB)",
        "Downloading keras-3.15.0-py3-none-any.whl (1.5 MB)",
        "Collecting tensorflow",
        "Using cached tensorflow-2.21.0.whl (600.5 MB)",
        "WARNING: something",
    ]
    for line in lines:
        progress.read(line + "\n")
    assert progress.describe() == "finding and downloading 2 packages, 602 MB, 0 s"
    progress.read("Installing collected packages: a, b, c\n")
    assert progress.describe() == "installing 3 packages, 602 MB, 0 s"


def test_what_pip_says_is_shown_if_it_fails(tmp_path, capsys):
    (tmp_path / "r.txt").write_text("no-such-file-at-all.whl\n")
    with pytest.raises(SystemExit) as ended:
        install(["-r", str(tmp_path / "r.txt")])
    assert ended.value.code == 1
    assert "no-such-file-at-all.whl" in capsys.readouterr().err


def test_nothing_is_said_where_nothing_is_to_do(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("shared.commands.install.QUIET", 600)  # a slow machine says so
    (tmp_path / "r.txt").write_text("numpy\n")
    install(["-r", str(tmp_path / "r.txt")])
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("recipe", "sibling"),
    [("imdb-gru", "imdb-lstm"), ("imdb-best", "imdb-gru"), ("sum-gru", ""),
     ("series-linear", "series-gru"), ("mine-gru", "")],
)  # fmt: skip
def test_a_recipe_is_compared_with_one_of_its_family(recipe, sibling):
    assert find_sibling(recipe) == sibling


@pytest.mark.parametrize(
    ("train", "recipe", "use"),
    [
        pytest.param(*case, marks=pytest.mark.xdist_group(case[1]))
        for case in (
            (train_texts, "text_gru", 'make predict RUN={path} TEXT="..."'),
            (train_writer, "writer_gru", "make generate RUN={path}"),
            (train_series, "sine_gru", "make predict RUN={path}"),
            (train_series, "sum_gru", ""),
        )
    ],
)
def test_a_run_ends_with_what_to_do_next(train, recipe, use, shared_runs):
    run = shared_runs.train(train, recipe, *TWO_EPOCHS).run
    lines = list_next_steps(run, run.path.parents[1])
    assert f"Curves:  {run.path / 'curves.png'}" in lines
    last = lines[-1].partition(":")[2].strip()
    assert last == use.format(path=run.path) if use else "predict" not in last


def test_a_sample_says_what_it_does_not_teach(shared_runs):
    flags = ["--data", "sample", "--limit", "40", "--epochs", "1"]
    run = shared_runs.train(train_reviews, "imdb_gru", *flags).run
    (first, *_) = list_next_steps(run, run.path.parents[1])
    said = " ".join(first.split())
    assert said == describe_real_reviews("imdb-gru")
    assert max(map(len, first.splitlines())) <= 80


@pytest.mark.parametrize(
    ("recipe", "sentence"),
    [
        ("mine-gru", "the linear model is better than mine-gru: 90.0 against 88.1 %"),
        ("imdb-top", "imdb-top is better than the linear model: 92.0 against 91.2 %"),
    ],
)
def test_the_published_scores_say_which_is_better(
    recipe, sentence, tmp_path, monkeypatch
):
    table = tmp_path / "runs.csv"
    table.write_text(
        'run,seed,test_best,"test of linear model, uni- and bigrams"\n'
        "mine-gru,0,0.88,0.9\nmine-gru,1,0.882,0.9\nimdb-top,0,0.92,0.9117\n"
    )
    monkeypatch.setattr(next_steps, "PROJECT", tmp_path)
    monkeypatch.setattr(next_steps, "PUBLISHED", table)
    assert sentence in describe_real_reviews(recipe)


def test_a_recipe_without_published_scores_says_less(monkeypatch, tmp_path):
    assert describe_real_reviews("mine-gru") == ""
    monkeypatch.setattr(next_steps, "PUBLISHED", tmp_path / "none.csv")
    assert describe_real_reviews("imdb-gru") == ""


def test_pip_compiles_only_where_python_would_not(tmp_path, monkeypatch):
    commands = []
    real = subprocess.Popen

    def spy(command, **others):
        commands.append(command)
        return real(command, **others)

    monkeypatch.setattr(subprocess, "Popen", spy)
    (tmp_path / "r.txt").write_text("numpy\n")
    for value in ("", "1"):
        monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", value)
        install(["-r", str(tmp_path / "r.txt")])
    assert ["--no-compile" in command for command in commands] == [True, False]


def test_slow_work_is_announced_and_quick_work_is_not(monkeypatch, capsys):
    monkeypatch.setattr(waiting, "QUIET", 0.05)
    with waiting.say_while("quick"):
        pass
    assert capsys.readouterr().out == ""
    shown = threading.Event()
    monkeypatch.setattr(
        "builtins.print", lambda text, **_: (said.append(text), shown.set())
    )
    said = []
    with waiting.say_while("slow", after=0.01):
        while len(said) < 2:
            shown.wait(10)
            shown.clear()
    assert said[:2] == ["slow", "  0 s so far"]


@pytest.mark.xdist_group("sum_gru")
def test_patterns_name_recipes_and_folders(shared_runs, tmp_path):
    run = shared_runs.train(train_series, "sum_gru", *TWO_EPOCHS).run
    copied = copy_run(run, tmp_path)
    root = copied.path.parents[1]
    assert expand_globs(["su*-gru"], root) == ["sum-gru"]
    assert expand_globs([f"{root}/*/*-seed?"], root) == [str(copied.path)]
    assert expand_globs(["sum-gru", str(copied.path)], root) == [
        "sum-gru", str(copied.path)
    ]  # fmt: skip
    with pytest.raises(UserError, match="there are: sum-gru"):
        expand_globs(["imdb-*"], root)


def test_a_long_epoch_is_not_silent_in_a_pipe(capsys):
    from shared.training.recorder import ProgressLine

    line = ProgressLine(3)
    line.set_params({"steps": 25})
    line.on_epoch_begin(0)
    line.on_train_batch_end(3, {"loss": 0.5})
    assert capsys.readouterr().out == "", "a quick epoch is one line"
    line.pause = 0
    line.on_train_batch_end(4, {"loss": 0.5})
    assert capsys.readouterr().out == "  epoch 1 of 3: batch 5 of 25, loss 0.5000\n"


def test_lines_fit_and_paths_are_short(tmp_path, monkeypatch):
    url = "https://example.org/" + "x" * 60
    text = wrap(f"no download from {url}: Connection refused", "  ")
    assert text == f"  no download from\n    {url}:\n    Connection refused"
    monkeypatch.chdir(tmp_path)
    assert str(shorten_path(tmp_path / "a" / "b")) == str(Path("a", "b"))
    assert shorten_path(tmp_path.parent) == tmp_path.parent
