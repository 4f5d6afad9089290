"""Many seeds with one command: parsed, trained side by side, stopped together."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from conftest import PROJECT, run_python

from shared.environment import THREADS
from shared.errors import UserError
from shared.flags import drop_flags
from shared.runs import find_runs
from shared.seeds import choose_threads, parse_seeds

RECIPE = ["recipes/sum_gru.py", "--units", "3", "--train-windows", "64",
          "--validation-windows", "32", "--test-windows", "32"]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("0-4", [0, 1, 2, 3, 4]), ("7", [7]), ("0-1, 5", [0, 1, 5]), ("3,1", [3, 1])],
)
def test_seeds_are_numbers_and_ranges(text, seeds):
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize(
    "text", ["", "a", "3-1", "-1", "1,,2", "0-2,1", "0-5000", "1.5"]
)
def test_other_seeds_are_refused(text):
    with pytest.raises(UserError, match="--seeds"):
        parse_seeds(text)


def test_flags_of_the_whole_are_not_passed_on():
    flags = ["--seeds", "0-4", "--units", "3", "--jobs=2", "--mask", "--threads", "1"]
    kept = drop_flags(flags, ["--seeds", "--jobs", "--threads"])
    assert kept == ["--units", "3", "--mask"]


def test_jobs_share_the_cores(monkeypatch):
    monkeypatch.setattr("shared.seeds.count_cores", lambda: 8)
    assert [choose_threads(jobs) for jobs in (1, 2, 3, 20)] == [8, 4, 2, 1]


def test_every_seed_gets_a_run_and_they_are_told_together(tmp_path):
    flags = ["--epochs", "2", "--seeds", "0-1,5", "--jobs", "2"]
    done = run_python(*RECIPE, *flags, "--results-dir", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    runs = find_runs(tmp_path)
    assert sorted(run.seed for run in runs) == [0, 1, 5]
    assert {run.state for run in runs} == {"finished"}
    for seed in (0, 1, 5):
        assert f"seed {seed}: epoch 2 of 2, val_mse" in done.stdout
    assert "mean ± standard deviation over n seeds" in done.stdout
    asked = {run.seed: run.config["device"]["threads_asked"] for run in runs}
    shared, alone = str(choose_threads(2)), str(choose_threads(1))
    assert asked == {0: shared, 1: shared, 5: alone}  # the last had all for itself
    alone = run_python(
        *RECIPE, "--epochs", "2", "--seed", "5", "--results-dir", str(tmp_path / "one")
    )
    assert alone.returncode == 0
    (one,) = find_runs(tmp_path / "one")
    (among,) = [run for run in runs if run.seed == 5]
    assert one.history["val_loss"] == among.history["val_loss"]  # cores move nothing


def test_threads_are_limited_before_tensorflow_starts(tmp_path):
    code = (
        "from shared.backend import limit_threads; limit_threads(1)\n"
        "import os, tensorflow as tf\n"
        "from shared.environment import count_threads\n"
        "assert count_threads() == 1\n"
        "tf.matmul(tf.ones((600, 600)), tf.ones((600, 600)))\n"
        "print(len(os.listdir('/proc/self/task')))\n"
    )
    if not os.path.isdir("/proc/self/task"):  # noqa: PTH112
        pytest.skip("counts threads in /proc")
    one = int(run_python("-c", code).stdout)
    code = code.replace("limit_threads(1)", "limit_threads(4)").replace("== 1", "== 4")
    assert one < int(run_python("-c", code).stdout)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--seeds", "0-x"], "takes numbers and ranges"),
        (["--seeds", "0-1", "--seed", "0"], "leave one of the two away"),
        (["--seeds", "0-1", "--jobs", "2", "--kernel", "auto"], "disturb the measure"),
        (["--jobs", "2"], "one training is one job"),
        (["--seeds", "0-1", "--jobs", "0"], "--jobs 0"),
        (["--threads", "0"], "--threads 0"),
        (["--seeds", "0-1", "--units", "0"], "--units 0"),
    ],
)
def test_wrong_flags_are_refused_before_anything_starts(flags, message, tmp_path):
    done = run_python(*RECIPE, *flags, "--results-dir", str(tmp_path / "runs"))
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.glob("runs/*"))


def test_a_seed_that_fails_is_named_and_the_others_go_on(tmp_path):
    """The data are only looked for by the workers."""
    flags = ["--data", "imdb", "--data-dir", str(tmp_path / "none"), "--seeds", "0-1"]
    done = run_python(
        "recipes/imdb_gru.py", *flags, "--results-dir", str(tmp_path / "r")
    )
    assert done.returncode == 2
    assert done.stderr.count("stopped with status 2: error:") == 2
    assert "none" in done.stderr


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_stopping_the_whole_stops_every_seed(name, tmp_path):
    flags = ["--epochs", "100000", "--seeds", "0-5", "--jobs", "2"]
    process = subprocess.Popen(
        [sys.executable, *RECIPE, *flags, "--results-dir", str(tmp_path)],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        text=True,
    )
    seen = set()
    for line in process.stdout:
        if "epoch 2 of" in line:
            seen.add(line.split(":")[0])
        if len(seen) == 2:
            break
    os.kill(process.pid, getattr(signal, name))
    rest = process.stdout.read()
    assert process.wait(60) == 130
    assert "Interrupted" in rest
    for _ in range(50):
        runs = find_runs(tmp_path)
        if all(run.state != "running" for run in runs):
            break
        time.sleep(0.1)
    assert [run.state for run in runs] == ["interrupted"] * 2
    assert all(json.loads((r.path / "summary.json").read_text())["best"] for r in runs)
    assert THREADS not in os.environ
