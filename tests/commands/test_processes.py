"""Whole programs as users start them: same seed, Ctrl-C, kill, make, real reviews."""

import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from recipes import imdb_gru
from shared.commands.recipe import main
from shared.core.environment import THREADS, count_threads
from shared.runs.reader import Run, find_runs, read_run
from tests.helpers import PROJECT, make_reviews, write_npz
from tests.helpers import start as start_program
from tests.recipes.training_runs import mark_slow

SMALL = ["--units", "3", "--embedding-size", "5", "--length", "7", "--vocabulary", "31"]


@pytest.fixture(scope="module")
def reviews(tmp_path_factory):
    """A folder with 200 small reviews."""
    folder = tmp_path_factory.mktemp("reviews")
    write_npz(folder / "imdb.npz", make_reviews(200))
    return folder


def command(reviews, results, *flags):
    places = ["--data-dir", str(reviews), "--results-dir", str(results)]
    return [sys.executable, "recipes/imdb_gru.py", *SMALL, *places, *flags]


def count_threads_of(process):
    """Threads of a process; 0 after its end, or on a system without /proc."""
    with contextlib.suppress(OSError):
        return len(list(Path(f"/proc/{process.pid}/task").iterdir()))
    return 0


@dataclass
class Process:
    """A training that has ended, and what was seen meanwhile."""

    status: int
    run: Run
    errors: str
    threads: int
    states: set[str]


@pytest.fixture(scope="module")
def same_seed(reviews, tmp_path_factory):
    """Two trainings with one seed.

    The first runs under nohup on four cores, and its terminal closes. The second runs
    on one core, and this process reads its folder all the time.
    """
    root = tmp_path_factory.mktemp("same_seed")
    environment = os.environ | {
        "RNN_RECIPES_CACHE": str(root / "cache"), "KERAS_HOME": str(root / "keras")
    }  # fmt: skip

    def start(name, *flags, prefix=""):
        results = root / name
        program = command(reviews, results, "--epochs", "4", "--seed", "7", *flags)
        with (root / f"{name}.txt").open("w") as errors:
            process = start_program(
                ["sh", "-c", f"{prefix} exec {shlex.join(program)}"],
                env=environment, stdout=subprocess.PIPE, stderr=errors, text=True,
            )  # fmt: skip
        return process, results

    def finish(process, results, threads, states):
        process.stdout.read()
        status = process.wait(60)
        (run,) = find_runs(results)
        errors = (root / f"{results.name}.txt").read_text()
        return Process(status, run, errors, threads, states)

    process, results = start("nohup", "--threads", "4", prefix="trap '' HUP;")
    for line in process.stdout:
        if "epoch 1 of" in line:
            break
    threads = count_threads_of(process)
    os.kill(process.pid, signal.SIGHUP)
    nohup = finish(process, results, threads, set())

    process, results = start("watched", "--threads", "1")
    threads, states = 0, set()
    while process.poll() is None:
        threads = max(threads, count_threads_of(process))
        for run in find_runs(results):
            states.add(read_run(run.path).state)
        time.sleep(0.02)
    return nohup, finish(process, results, threads, states)


@pytest.mark.xdist_group("same seed")
def test_two_processes_with_one_seed_give_the_same_history(same_seed):
    histories = []
    for process in same_seed:
        assert process.status == 0, process.errors
        assert process.errors == ""
        histories.append(dict(process.run.history))
        del histories[-1]["seconds"]
    assert histories[0] == histories[1]


@pytest.mark.xdist_group("same seed")
def test_nohup_outlives_a_closed_terminal(same_seed):
    nohup, _ = same_seed
    assert nohup.status == 0
    assert nohup.run.state == "finished"


@pytest.mark.xdist_group("same seed")
def test_reading_a_run_folder_during_training_does_not_lose_the_run(same_seed):
    _, watched = same_seed
    assert watched.status == 0
    assert watched.run.state == "finished"
    assert "running" in watched.states
    assert "interrupted" not in watched.states
    summary = json.loads((watched.run.path / "summary.json").read_text())
    assert summary["epochs"] == 4


@pytest.mark.xdist_group("same seed")
def test_threads_are_limited_before_tensorflow_starts(same_seed, monkeypatch):
    for process, threads in zip(same_seed, (4, 1), strict=True):
        assert process.run.config["device"]["threads_asked"] == str(threads)
        monkeypatch.setenv(THREADS, str(threads))
        assert count_threads() == threads
    four, one = same_seed
    if not four.threads:
        pytest.skip("counts threads in /proc")
    assert 0 < one.threads < four.threads


def check_stopped(run):
    assert run.state == "interrupted"
    assert len(run.history["epoch"]) >= 2
    assert run.summary["epochs"] == len(run.history["epoch"])
    assert "the model of epoch" in run.summary["holds"]
    assert "epochs 1 to" in run.summary["note"] + run.summary["holds"]
    import keras

    keras.models.load_model(run.path / "best.keras")


def test_ctrl_c_in_mid_epoch_ends_a_run_in_order(tmp_path, reviews, capsys):
    """In this process. Others that are stopped: make test-slow."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    ended = threading.Event()

    def interrupt():
        while not ended.wait(0.02):
            runs = find_runs(tmp_path)
            if runs and len(runs[0].history.get("epoch", [])) >= 2:
                os.kill(os.getpid(), signal.SIGINT)
                return

    flags = [*SMALL, "--epochs", "100000", "--batch-size", "2", "--data-dir",
             str(reviews), "--results-dir", str(tmp_path)]  # fmt: skip
    thread = threading.Thread(target=interrupt)
    try:
        thread.start()
        with pytest.raises(SystemExit) as end:
            main(imdb_gru.Config, imdb_gru.run, flags)
    finally:
        ended.set()
        thread.join()
        signal.signal(signal.SIGINT, before)
    assert end.value.code == 130
    (run,) = find_runs(tmp_path)
    check_stopped(run)
    assert "Interrupted: the folder holds" in capsys.readouterr().out
    assert (run.path / "curves.png").is_file()
    assert not list(run.path.glob(".*"))


@pytest.mark.parametrize(
    "name", mark_slow(["SIGINT", "SIGTERM", "SIGKILL"], ["SIGKILL"])
)
def test_a_run_stopped_in_mid_epoch_leaves_a_readable_folder(tmp_path, reviews, name):
    flags = ["--epochs", "100000", "--batch-size", "2"]
    # A script's background process ignores Ctrl-C. A kill must still end it in order.
    process = start_program(
        command(reviews, tmp_path / "runs", *flags),
        ignore=("SIGINT",) if name == "SIGTERM" else (),
        stdout=subprocess.PIPE,
        text=True,
    )
    for line in process.stdout:
        if "epoch 2 of" in line:
            break
    time.sleep(0.05)
    os.kill(process.pid, getattr(signal, name))
    rest = process.stdout.read()
    process.wait(60)
    (run,) = find_runs(tmp_path / "runs")
    check_stopped(run)
    if name == "SIGKILL":
        assert process.returncode == -signal.SIGKILL
        assert "interrupted" in run.summary["note"]
    else:
        assert process.returncode == 130
        assert "Interrupted: the folder holds" in rest
        assert (run.path / "curves.png").is_file()
        assert not list(run.path.glob(".*"))


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
        # Nothing answers at this address, so the process has no network.
        "https_proxy": "http://127.0.0.1:9",
    }
    done = subprocess.run(
        ["make", "imdb-gru", f"ARGS=--results-dir {root / 'runs'}"],
        cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=900,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (run,) = find_runs(root / "runs")
    return run, done.stdout


def test_make_takes_the_sample_without_data_and_says_so(sample_run):
    run, text = sample_run
    assert "No IMDB reviews found" in text
    assert run.state == "finished"
    assert run.data == "imdb-sample"
    for name in ("config.json", "summary.json", "history.csv"):
        assert "imdb-sample" in (run.path / name).read_text()
    assert str(run.path) in text
    # The network reads what the baselines cannot.
    assert run.summary["test"]["best"]["test_accuracy"] > 0.95
    for baseline in run.summary["baselines"]:
        assert baseline["test"]["accuracy"] < 0.85


@pytest.mark.slow
def test_2000_real_reviews_beat_the_majority_class(tmp_path, real_data):
    flags = ["--limit", "2000", "--epochs", "4", "--length", "120", "--mask",
             "--batch-size", "32", "--optimizer", "adam", "--learning-rate", "0.003",
             "--data", "imdb"]  # fmt: skip
    places = ["--data-dir", str(real_data), "--results-dir", str(tmp_path / "runs")]
    main(imdb_gru.Config, imdb_gru.run, [*flags, *places])
    (run,) = find_runs(tmp_path / "runs")
    assert run.data == "imdb-limit-2000"
    reached = run.summary["test"]["best"]["test_accuracy"]
    majority = run.summary["baselines"][0]["test"]["accuracy"]
    assert majority == 0.5
    # 2,000 test reviews have a standard error of 1.1 points, so 15 are no accident.
    assert reached > majority + 0.15
