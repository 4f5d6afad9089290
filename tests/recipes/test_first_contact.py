"""The first minutes of a user: set-up, wrong names, and what to do after a run."""

import subprocess
import sys
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
from shared.commands.pip_settings import read_settings, translate
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


def test_the_set_up_counts_what_uv_does():
    progress = Progress()
    progress.read("Using Python 3.11.7 environment at: .venv\n")
    progress.read("Resolved nothing that counts\n")
    progress.read("Resolved 64 packages in 987ms\n")
    progress.read("Downloading tensorflow (545.9MiB)\n")
    progress.read("Downloading keras (2.3MiB)\n")
    assert progress.describe() == "finding and downloading 64 packages, 0 s"
    progress.read(" Downloaded tensorflow\n")
    assert progress.describe() == "finding and downloading 64 packages, 572 MB, 0 s"
    progress.read("Prepared 2 packages in 36.89s\n")
    assert progress.describe() == "installing 64 packages, 572 MB, 0 s"
    progress.read("Installed 63 packages in 2.23s\n")
    assert progress.describe() == "installing 63 packages, 572 MB, 0 s"


def test_pip_installs_where_uv_cannot(tmp_path, capsys, monkeypatch):
    ran = []

    def follow(command, progress, variables):
        ran.append(command[0])
        progress.start_installing(1)
        return (1, ["uv says so\n"]) if command[0] == "uv" else (0, [])

    monkeypatch.setattr("shared.commands.install.read_settings", lambda: ([], {}))
    monkeypatch.setattr("shared.commands.install._find_uv", lambda: "uv")
    monkeypatch.setattr("shared.commands.install._follow", follow)
    install(["-r", "requirements.txt"])
    assert ran == ["uv", sys.executable]
    shown = capsys.readouterr()
    assert shown.out.splitlines()[-1].startswith("  installing 1 package, ")
    assert shown.err == ""


@pytest.mark.parametrize("missing", ["settings", "uv"])
def test_pip_installs_without_uv_or_with_settings_of_its_own(monkeypatch, missing):
    ran = []

    def follow(command, progress, variables):
        ran.append(command[0])
        return 0, []

    settings = None if missing == "settings" else ([], {})
    monkeypatch.setattr("shared.commands.install.read_settings", lambda: settings)
    uv = None if missing == "uv" else "uv"
    monkeypatch.setattr("shared.commands.install._find_uv", lambda: uv)
    monkeypatch.setattr("shared.commands.install._follow", follow)
    install(["-r", "requirements.txt"])
    assert ran == [sys.executable]


@pytest.mark.parametrize(
    ("listed", "flags", "variables"),
    [
        ("", [], {}),
        (
            "global.index-url='https://mirror.example/simple'\n"
            "global.trusted-host='mirror.example'",
            ["--default-index", "https://mirror.example/simple",
             "--allow-insecure-host", "mirror.example"],
            {},
        ),
        (
            "global.extra-index-url='file:///a https://b.example'",
            ["--extra-index-url", "file:///a", "--extra-index-url",
             "https://b.example"],
            {},
        ),
        (  # a variable is stronger than a section, and that is stronger than global
            ":env:.find-links='/c'\nglobal.find-links='/a'\ninstall.find-links='/b'",
            ["--find-links", "/c"],
            {},
        ),
        ("global.no-index='true'\nglobal.no-cache-dir='0'", ["--no-index"], {}),
        (
            "global.cert='/a.crt'\nglobal.proxy='http://p.example:3128'\n"
            "global.timeout='60'\nglobal.retries='3'",
            [],
            {"SSL_CERT_FILE": "/a.crt", "UV_HTTP_TIMEOUT": "60",
             "HTTPS_PROXY": "http://p.example:3128",
             "HTTP_PROXY": "http://p.example:3128"},
        ),
        ("download.no-binary=':all:'", [], {}),  # of another command
    ],
)  # fmt: skip
def test_settings_of_pip_are_those_of_uv(listed, flags, variables):
    assert translate(listed) == (flags, variables)


@pytest.mark.parametrize("name", ["no-binary", "target", "require-hashes", "new"])
def test_uv_is_not_used_with_a_setting_that_it_may_not_know(name):
    assert translate(f"global.{name}='x'") is None


def test_settings_in_another_form_are_left_to_pip(monkeypatch):
    def run(command, **_):
        return subprocess.CompletedProcess(command, 0, "global.index-url=https://a\n")

    monkeypatch.setattr("shared.commands.pip_settings.subprocess.run", run)
    assert read_settings() is None


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


@pytest.mark.parametrize(
    ("uv", "flag", "expected"),
    [("uv", "--compile-bytecode", [False, True]),
     (None, "--no-compile", [True, False])],
)  # fmt: skip
def test_modules_are_compiled_only_where_python_would_not(
    uv, flag, expected, monkeypatch
):
    commands = []

    def follow(command, progress, variables):
        commands.append(command)
        return 0, []

    monkeypatch.setattr("shared.commands.install.read_settings", lambda: ([], {}))
    monkeypatch.setattr("shared.commands.install._find_uv", lambda: uv)
    monkeypatch.setattr("shared.commands.install._follow", follow)
    for value in ("", "1"):
        monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", value)
        install(["-r", "requirements.txt"])
    assert [flag in command for command in commands] == expected


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
