"""The run folder: whole files, honest states, no collisions."""

import json
import multiprocessing
import zipfile
from datetime import datetime
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from shared.baselines.baseline import Baseline
from shared.core.errors import UserError
from shared.core.files import write_text, write_whole
from shared.data.splits import Examples, Splits
from shared.runs import writer
from shared.runs.reader import MODEL_FACTS, find_runs, read_run
from shared.runs.writer import RunFolder
from shared.tasks.score import ACCURACY, Score
from tests.helpers import make_settings

SCORES = {"accuracy": 0.5, "loss": 0.7}
BASELINES = [Baseline("majority class", validation=SCORES, test=SCORES)]


def make_model(metrics=("accuracy",)):
    inputs = keras.Input((2,))
    model = keras.Model(inputs, keras.layers.Dense(1)(inputs))
    model.compile("sgd", "mse", metrics=list(metrics))
    return model


def open_folder(root, data="imdb-sample", seed=0, recipe="imdb-gru"):
    part = Examples(np.zeros((4, 2)), np.zeros(4))
    is_sample = "sample" in data
    splits = Splits(data, part, part, part, {"origin": "test"}, is_sample=is_sample)
    settings = make_settings(seed=seed, units=3)
    folder = RunFolder(recipe, settings, {}, "python x.py", root)
    folder.open(splits, BASELINES, make_model())
    return folder


def row(epoch, accuracy=0.6):
    values = {"accuracy": 0.7, "loss": 0.5, "val_accuracy": accuracy, "val_loss": 0.6}
    return {"epoch": epoch, **values, "seconds": 1.5}


def test_nothing_is_on_disk_before_it_opens(tmp_path):
    RunFolder("imdb-gru", make_settings(seed=0), {}, "", tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_every_file_says_what_the_run_was_trained_on(tmp_path):
    folder = open_folder(tmp_path, data="imdb-limit-20")
    folder.write_progress([row(1)], row(1))
    folder.write_model(make_model(), epoch=1, restore={})
    folder.close("finished")
    for name in ("config.json", "summary.json"):
        assert json.loads((folder.path / name).read_text())["data"] == "imdb-limit-20"
    assert (folder.path / "history.csv").read_text().splitlines() == [
        "epoch,accuracy,loss,val_accuracy,val_loss,seconds,data",
        "1,0.7,0.5,0.6,0.6,1.5,imdb-limit-20",
    ]
    with zipfile.ZipFile(folder.path / "best.keras") as archive:
        facts = json.loads(archive.read(MODEL_FACTS))
    assert facts["data"] == "imdb-limit-20"
    assert facts["settings"]["units"] == 3
    assert facts["epoch"] == 1
    assert keras.models.load_model(folder.path / "best.keras").count_params() == 3


def test_config_records_where_the_numbers_come_from(tmp_path):
    folder = open_folder(tmp_path)
    config = json.loads((folder.path / "config.json").read_text())
    assert config["versions"]["keras"] == keras.__version__
    assert config["device"]["cores"] >= 1
    assert config["command"] == "python x.py"
    assert config["data_facts"]["examples"] == {"train": 4, "validation": 4, "test": 4}
    assert "commit" in config["code"]
    assert config["jit_compile"] in (True, False)
    folder.close("finished")


def test_an_open_folder_reads_as_running_and_then_as_it_ended(tmp_path):
    folder = open_folder(tmp_path)
    assert read_run(folder.path).state == "running"
    folder.write_progress([row(1)], row(1))
    assert (
        json.loads((folder.path / "summary.json").read_text())["state"] == "unfinished"
    )
    folder.close("interrupted", "Stopped by Ctrl-C or a kill.")
    run = read_run(folder.path)
    assert run.state == "interrupted"
    assert run.summary["holds"] == "epochs 1 to 1, the model of epoch 1"
    assert [path.name for path in tmp_path.glob("*/.*")] == []
    assert (folder.path / ".lock").exists()  # pictures may follow
    folder.release()
    assert not (folder.path / ".lock").exists()


@pytest.mark.parametrize("function", ["describe_environment", "reset_peak_memory"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_a_stop_while_opening_leaves_no_half_folder(
    tmp_path, monkeypatch, function, error
):
    def stop():
        raise error

    monkeypatch.setattr(writer, function, stop)
    with pytest.raises(error):
        open_folder(tmp_path)
    for path in tmp_path.glob("*/*"):  # either none, or a whole one
        assert read_run(path).state in ("running", "interrupted")
    assert not list(tmp_path.glob("*/.opening*"))


def test_a_folder_that_is_just_being_opened_is_not_listed(tmp_path):
    folder = open_folder(tmp_path)
    folder.path.rename(folder.path.with_name(".opening-x"))
    assert find_runs(tmp_path) == []


def _die_while_open(root):
    import os

    folder = open_folder(root)
    folder.write_progress([row(1), row(2)], row(2))
    folder.write_model(make_model(), epoch=3, restore={})  # newer than the summary
    os._exit(9)


def test_a_folder_whose_process_died_reads_as_interrupted(tmp_path):
    process = multiprocessing.get_context("fork").Process(
        target=_die_while_open, args=(tmp_path,)
    )
    process.start()
    process.join(60)
    assert process.exitcode == 9
    (run,) = find_runs(tmp_path)
    assert run.state == "interrupted"
    assert run.history["epoch"] == [1, 2]
    assert "interrupted and holds epochs 1 to 2" in run.summary["note"]
    assert run.summary["holds"] == "epochs 1 to 2, the model of epoch 3"


def test_runs_of_the_same_second_do_not_collide(tmp_path, monkeypatch):
    moment = SimpleNamespace(
        now=lambda zone: datetime(2026, 1, 2, 3, 4, 5, tzinfo=zone)
    )
    monkeypatch.setattr(writer, "datetime", moment)
    folders = [open_folder(tmp_path) for _ in range(3)]
    names = [folder.path.name for folder in folders]
    assert names == [
        "2026-01-02T03-04-05Z-seed0",
        "2026-01-02T03-04-05Z-seed0-2",
        "2026-01-02T03-04-05Z-seed0-3",
    ]
    for folder in folders:
        folder.close("finished")
    assert len(find_runs(tmp_path)) == 3


def test_nan_becomes_null_and_json_stays_json(tmp_path):
    folder = open_folder(tmp_path)
    folder.write_progress([row(1) | {"loss": float("nan")}], None)
    folder.close("finished", test=None)
    text = (folder.path / "summary.json").read_text()
    assert json.loads(text)["last"]["loss"] is None
    assert "NaN" not in text


def test_a_folder_without_a_run_is_skipped_and_named(tmp_path):
    (tmp_path / "imdb-gru" / "x").mkdir(parents=True)
    (tmp_path / "imdb-gru" / "x" / "summary.json").write_text("{")
    assert find_runs(tmp_path) == []
    with pytest.raises(UserError, match="not a run folder"):
        read_run(tmp_path / "imdb-gru" / "x")


def test_a_failed_write_leaves_the_old_file_whole(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")

    def fail(part):
        part.write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_whole(path, fail)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_scores_know_which_direction_is_better():
    assert ACCURACY.is_better(0.8, 0.7)
    assert not ACCURACY.is_better(0.7, 0.7)
    assert ACCURACY.is_better(0.1, None)
    assert not ACCURACY.is_better(float("nan"), None)
    error = Score("mae", higher_is_better=False)
    assert error.is_better(1.0, 2.0)
    assert not error.is_better(2.0, 1.0)
