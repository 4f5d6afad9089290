"""Many seeds with one command: parsed, trained at the same time, stopped together."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from recipes import imdb_gru, sum_gru
from shared.commands.recipe import main
from shared.core.environment import THREADS
from shared.core.errors import UserError
from shared.core.flags import drop_flags
from shared.runs.reader import find_runs
from shared.sweeps.seeds import parse_seeds
from shared.sweeps.workers import Worker, choose_threads, run_workers
from tests.helpers import start

SMALL = ["--units", "3", "--train-windows", "64", "--validation-windows", "32",
         "--test-windows", "32"]  # fmt: skip


def train(*flags):
    """Run sum-gru; with --seeds this process trains nothing itself."""
    main(sum_gru.Config, sum_gru.run, [*SMALL, *flags])


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


def test_flags_of_the_whole_sweep_are_not_passed_on():
    flags = ["--seeds", "0-4", "--units", "3", "--jobs=2", "--mask", "--threads", "1"]
    kept = drop_flags(flags, ["--seeds", "--workers", "--threads"])
    assert kept == ["--units", "3", "--mask"]


def test_workers_share_the_cores(monkeypatch):
    monkeypatch.setattr("shared.sweeps.workers.count_cores", lambda: 8)
    assert [choose_threads(workers) for workers in (1, 2, 3, 20)] == [8, 4, 2, 1]


def test_every_seed_gets_a_run_and_one_table_shows_them(tmp_path, capsys):
    flags = ["--epochs", "2", "--seeds", "0,5", "--workers", "2"]
    train(*flags, "--results-dir", str(tmp_path))
    text, errors = capsys.readouterr()
    assert errors == ""
    runs = find_runs(tmp_path)
    assert sorted(run.seed for run in runs) == [0, 5]
    assert {run.state for run in runs} == {"finished"}
    for seed in (0, 5):
        assert f"seed {seed}: epoch 2 of 2, loss" in text
    assert "mean ± standard deviation over n seeds" in text
    threads = {run.config["device"]["threads_asked"] for run in runs}
    assert threads == {str(choose_threads(2))}
    train("--epochs", "2", "--seed", "5", "--results-dir", str(tmp_path / "only"))
    (one,) = find_runs(tmp_path / "only")
    (among,) = [run for run in runs if run.seed == 5]
    assert one.history["val_loss"] == among.history["val_loss"]


def test_the_last_training_has_the_cores_that_would_be_idle():
    code = "import sys; print(sys.argv[-1])"
    workers = [Worker(seed, [sys.executable, "-c", code]) for seed in range(3)]
    run_workers(workers, 2, None, lambda *_: None)
    shared, alone = str(choose_threads(2)), str(choose_threads(1))
    assert [worker.tail[-1] for worker in workers] == [shared, shared, alone]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--seeds", "0-x"], "takes numbers and ranges"),
        (["--seeds", "0-1", "--seed", "0"], "omit one of the two"),
        (
            ["--seeds", "0-1", "--workers", "2", "--kernel", "auto"],
            "disturb the measurement",
        ),
        (["--workers", "2"], "one training takes one worker"),
        (["--seeds", "0-1", "--workers", "0"], "--workers 0"),
        (["--threads", "0"], "--threads 0"),
        (["--seeds", "0-1", "--units", "0"], "--units 0"),
    ],
)
def test_wrong_flags_are_refused_before_anything_starts(
    flags, message, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr("shared.sweeps.workers.subprocess.Popen", None)
    with pytest.raises(SystemExit) as exit_:
        train(*flags, "--results-dir", str(tmp_path / "runs"))
    assert exit_.value.code == 2
    errors = capsys.readouterr().err
    assert message in errors
    assert errors.count("\n") == 1
    assert not list(tmp_path.glob("runs/*"))


@pytest.mark.slow
def test_a_seed_that_fails_is_named_and_the_others_continue(tmp_path, capsys):
    """Only the workers look for the data."""
    flags = ["--data", "imdb", "--data-dir", str(tmp_path / "none"), "--seeds", "0-1",
             "--results-dir", str(tmp_path / "r")]  # fmt: skip
    with pytest.raises(SystemExit) as exit_:
        main(imdb_gru.Config, imdb_gru.run, flags)
    assert exit_.value.code == 2
    errors = capsys.readouterr().err
    assert errors.count("stopped with status 2: error:") == 2
    assert "none" in errors


WORKER = """
import os, time
from shared.core.signals import end_with_parent
end_with_parent()
print("epoch 1 of 2, process", os.getpid(), flush=True)
time.sleep(60)
"""
PARENT = """
import sys
from shared.core.signals import kill_as_interrupt
from shared.sweeps.workers import Worker, run_workers
workers = [Worker(seed, [sys.executable, "-c", sys.argv[1]]) for seed in (0, 1)]
with kill_as_interrupt():
    run_workers(workers, 2, 1, lambda worker, line: print(line.strip(), flush=True))
"""


def is_alive(process_id):
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{process_id}/stat")  # nobody may collect a dead orphan
    return not stat.exists() or stat.read_text().split()[2] != "Z"


@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM"])
def test_workers_end_with_their_parent(name):
    process = start(
        [sys.executable, "-c", PARENT, WORKER], stdout=subprocess.PIPE, text=True
    )
    workers = [int(process.stdout.readline().split()[-1]) for _ in range(2)]
    assert all(map(is_alive, workers))
    os.kill(process.pid, getattr(signal, name))
    process.wait(60)
    for _ in range(200):
        if not any(map(is_alive, workers)):
            break
        time.sleep(0.05)
    assert not any(map(is_alive, workers))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_stopping_the_whole_sweep_stops_every_seed(name, tmp_path):
    # A named kernel: the first process then needs no TensorFlow.
    flags = ["--epochs", "100000", "--seeds", "0-5", "--workers", "2",
             "--kernel", "keras", "--results-dir", str(tmp_path)]  # fmt: skip
    process = start(
        [sys.executable, "recipes/sum_gru.py", *SMALL, *flags],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
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
