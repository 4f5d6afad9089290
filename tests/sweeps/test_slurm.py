"""Trials as jobs of Slurm: the same task as on Ray, here in processes of submitit."""

import importlib.util
from collections import Counter

import pytest

from shared.core.errors import UserError
from shared.core.files import hash_file
from shared.studies.sweep.__main__ import main
from shared.sweeps import slurm_pool
from shared.sweeps.data_files import DataFile
from shared.sweeps.slurm_pool import SlurmOptions, parse_sbatch, run_on_slurm
from shared.sweeps.trial import Trial
from shared.sweeps.workers import Worker

RECIPE = """
import sys
from pathlib import Path

place = Path(sys.argv[sys.argv.index("--results-dir") + 1]) / "sum-gru" / "run"
if "--units" in sys.argv:
    sys.exit("error: --units 4: too many")
place.mkdir(parents=True)
(place / "config.json").write_text(" ".join(sys.argv[1:]))
print(f"epoch 1 of 1, loss 1\\nSaved in {place}")
"""


def test_options_of_sbatch():
    assert parse_sbatch(["partition=short", "--mail-user=a=b", "time=30"]) == {
        "partition": "short", "mail_user": "a=b", "time": "30",
    }  # fmt: skip
    for text in ("partition", "=short", "time=1:00:00", "a b=c"):
        with pytest.raises(UserError, match="--slurm"):
            parse_sbatch([text])


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--on", "slurm", "--prune", "--search", "random"], "--prune with --on slurm"),
        (["--on", "slurm", "--num-cpus", "0.5"], "takes a whole number"),
        (["--on", "slurm", "--slurm", "short"], "takes NAME=VALUE"),
        (["--slurm", "partition=short"], "belongs to --on slurm"),
        (["--on", "slurm", "--address", "auto"], "belongs to --on ray"),
    ],
)
def test_bad_input_is_one_line(flags, message, tmp_path, capsys):
    refuse(flags, message, tmp_path, capsys)


@pytest.mark.parametrize(
    ("has_submitit", "message"),
    [(False, "pip install -r requirements-slurm.txt"), (True, "no sbatch")],
)
def test_without_slurm_one_line_says_so(
    has_submitit, message, tmp_path, monkeypatch, capsys
):
    real = importlib.util.find_spec
    spec = real("json") if has_submitit else None
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda n, *r: spec if n == "submitit" else real(n)
    )
    monkeypatch.setattr(slurm_pool.shutil, "which", lambda name: None)
    refuse(["--on", "slurm"], message, tmp_path, capsys)


def refuse(flags, message, tmp_path, capsys):
    with pytest.raises(SystemExit) as exit_:
        main(["sum-gru", *flags, "--to", str(tmp_path / "to"),
              "--results-dir", str(tmp_path)])  # fmt: skip
    assert exit_.value.code == 2
    errors = capsys.readouterr().err
    assert message in errors
    assert errors.count("\n") == 1
    assert not (tmp_path / "to").exists()


def test_each_trial_is_a_job_and_its_run_comes_home(tmp_path, monkeypatch):
    pytest.importorskip("submitit")
    (tmp_path / "project" / "recipes").mkdir(parents=True)
    (tmp_path / "project" / "recipes" / "sum_gru.py").write_text(RECIPE)
    monkeypatch.setattr(slurm_pool, "PROJECT", tmp_path / "project")
    monkeypatch.setattr(slurm_pool, "PAUSE", 0.1)
    data = tmp_path / "sales.csv"
    data.write_text("1")
    file = DataFile(data, hash_file(data), "data_dir", True, hash_file(data))
    labels = ["first", "fails", "second"]
    workers = [Worker(k, [], label=label) for k, label in enumerate(labels)]
    trials = [
        Trial("sum-gru", {"units": 4} if k == 1 else {}, k, label)
        for k, label in enumerate(labels)
    ]
    lines = []
    run_on_slurm(
        zip(workers, trials, strict=True),
        SlurmOptions(most=2, logs=tmp_path / "logs", executor="local"),
        tmp_path / "runs", lambda worker, line: lines.append((worker.label, line)),
        {"sum-gru": file},
    )  # fmt: skip
    assert [worker.status for worker in workers] == [0, 1, 0]
    assert workers[1].tail[-1] == "error: --units 4: too many"
    runs = sorted((tmp_path / "runs" / "sum-gru").iterdir())
    assert [run.name.split("Z-")[1][:5] for run in runs] == ["seed0", "seed2"]
    assert f"--data-dir {tmp_path}" in (runs[0] / "config.json").read_text()
    assert Counter(label for label, line in lines if not line) == Counter(labels)
    assert not list((tmp_path / "runs").glob(".sweep-*"))


def test_a_job_that_slurm_ends_is_a_failure_in_one_line(tmp_path):
    pytest.importorskip("submitit")
    data = tmp_path / "sales.csv"
    data.write_text("1")
    gone = DataFile(data, "0" * 64, "data_dir", True, "0" * 64)
    worker = Worker(0, [], label="one")
    trial = Trial("sum-gru", {}, 0, "one")
    run_on_slurm(
        [(worker, trial)],
        SlurmOptions(logs=tmp_path / "logs", executor="local"),
        tmp_path / "runs", lambda worker, line: None, {"sum-gru": gone},
    )  # fmt: skip
    assert worker.status == 1
    assert "this node does not see the data file" in worker.tail[-1]
    assert not list((tmp_path / "runs").iterdir())
