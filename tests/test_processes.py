"""Whole programs as users start them: same seed, Ctrl-C, kill, make, real reviews."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time

import pytest
from conftest import PROJECT, make_reviews, run_python, write_npz

from shared.runs import find_runs, read_run

SMALL = ["--units", "3", "--embedding-size", "5", "--length", "7", "--vocabulary", "31"]


def command(tmp_path, *flags):
    if not (tmp_path / "imdb.npz").exists():
        write_npz(tmp_path / "imdb.npz", make_reviews(200))
    places = ["--data-dir", str(tmp_path), "--results-dir", str(tmp_path / "runs")]
    return ["recipes/imdb_gru.py", *SMALL, *places, *flags]


def test_two_processes_with_one_seed_give_the_same_history(tmp_path):
    for _ in range(2):
        done = run_python(*command(tmp_path, "--epochs", "2", "--seed", "7"))
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
    first, second = (run.history for run in find_runs(tmp_path / "runs"))
    del first["seconds"], second["seconds"]
    assert first == second


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGKILL"])
def test_a_run_stopped_in_mid_epoch_leaves_a_readable_folder(tmp_path, name):
    program = command(tmp_path, "--epochs", "100000", "--batch-size", "2")
    process = subprocess.Popen(
        [sys.executable, *program], cwd=PROJECT, stdout=subprocess.PIPE, text=True
    )
    for line in process.stdout:
        if "epoch 2 of" in line:
            break
    time.sleep(0.05)
    os.kill(process.pid, getattr(signal, name))
    rest = process.stdout.read()
    process.wait(60)
    (run,) = find_runs(tmp_path / "runs")
    assert run.state == "interrupted"
    assert len(run.history["epoch"]) >= 2
    assert run.summary["epochs"] == len(run.history["epoch"])
    assert "the model of epoch" in run.summary["holds"]
    assert "epochs 1 to" in run.summary["note"] + run.summary["holds"]
    import keras

    keras.models.load_model(run.path / "best.keras")
    if name == "SIGKILL":
        assert process.returncode == -signal.SIGKILL
        assert "interrupted" in run.summary["note"]
    else:
        assert process.returncode == 130
        assert "Interrupted: the folder holds" in rest
        assert (run.path / "curves.png").is_file()
        assert not list(run.path.glob(".*"))


def test_nohup_outlives_a_closed_terminal(tmp_path):
    program = shlex.join([sys.executable, *command(tmp_path, "--epochs", "4")])
    process = subprocess.Popen(
        ["sh", "-c", f"trap '' HUP; exec {program}"],
        cwd=PROJECT, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    for line in process.stdout:
        if "epoch 1 of" in line:
            break
    os.kill(process.pid, signal.SIGHUP)
    process.stdout.read()
    assert process.wait(60) == 0
    (run,) = find_runs(tmp_path / "runs")
    assert run.state == "finished"


@pytest.mark.skipif(not shutil.which("make"), reason="needs make")
def test_make_help_lists_every_recipe_and_target():
    done = subprocess.run(["make", "help"], cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 0
    recipes = list((PROJECT / "recipes").glob("[a-z]*.py"))
    assert len(recipes) >= 6
    for path in recipes:
        name = path.stem.replace("_", "-")
        (line,) = [
            x for x in done.stdout.splitlines() if x.strip().startswith(name + " ")
        ]
        assert line.rstrip().endswith("?")
    for target in ("compare", "test", "lint", "setup"):
        assert f"\n  {target} " in done.stdout


@pytest.fixture(scope="module")
def sample_run(tmp_path_factory):
    """A real `make imdb-gru` without file or network: the sample, all defaults."""
    if not shutil.which("make"):
        pytest.skip("needs make")
    root = tmp_path_factory.mktemp("sample")
    environment = {k: v for k, v in os.environ.items() if k != "RNN_RECIPES_DATA"} | {
        "RNN_RECIPES_CACHE": str(root / "cache"),
        "KERAS_HOME": str(root / "keras"),
        # Nobody answers there, so this machine has no network.
        "https_proxy": "http://127.0.0.1:9",
    }
    done = subprocess.run(
        ["make", "imdb-gru", f"ARGS=--results-dir {root / 'runs'}"],
        cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=900,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (run,) = find_runs(root / "runs")
    return run, done.stdout


def test_make_goes_on_with_the_sample_and_says_so(sample_run):
    run, told = sample_run
    assert "The IMDB reviews are not to be had here" in told
    assert run.state == "finished"
    assert run.data == "imdb-sample"
    for name in ("config.json", "summary.json", "history.csv"):
        assert "imdb-sample" in (run.path / name).read_text()
    assert str(run.path) in told
    # The network reads what the bars cannot.
    assert run.summary["test"]["best"]["test_accuracy"] > 0.95
    for bar in run.summary["bars"]:
        assert bar["test"]["accuracy"] < 0.85


def test_2000_real_reviews_beat_the_majority_class(tmp_path, real_data):
    flags = ["--limit", "2000", "--epochs", "4", "--length", "120", "--mask",
             "--batch-size", "32", "--optimizer", "adam", "--learning-rate", "0.003",
             "--data", "imdb"]  # fmt: skip
    places = ["--data-dir", str(real_data), "--results-dir", str(tmp_path / "runs")]
    done = run_python("recipes/imdb_gru.py", *flags, *places)
    assert done.returncode == 0, done.stderr
    (run,) = find_runs(tmp_path / "runs")
    assert run.data == "imdb-limit-2000"
    reached = run.summary["test"]["best"]["test_accuracy"]
    majority = run.summary["bars"][0]["test"]["accuracy"]
    assert majority == 0.5
    # 2,000 test reviews: a standard error of 1.1 points, so 15 points are no luck.
    assert reached > majority + 0.15


def test_a_run_is_not_lost_when_its_folder_is_looked_at_meanwhile(tmp_path):
    program = command(tmp_path, "--epochs", "3")
    process = subprocess.Popen(
        [sys.executable, *program], cwd=PROJECT, stdout=subprocess.PIPE, text=True
    )
    states = set()
    while process.poll() is None:
        for run in find_runs(tmp_path / "runs"):
            states.add(read_run(run.path).state)
    process.stdout.read()
    assert process.returncode == 0
    (run,) = find_runs(tmp_path / "runs")
    assert run.state == "finished"
    assert "running" in states
    assert "interrupted" not in states
    assert json.loads((run.path / "summary.json").read_text())["epochs"] == 3
