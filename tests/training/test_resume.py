"""A run that is carried on has the same bits as one that never stopped."""

import json
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest

from shared.data import feeding
from shared.runs import checkpoint as files
from shared.runs.checkpoint import CHECKPOINT, read_checkpoint, write_checkpoint
from shared.runs.groups import choose_runs
from shared.runs.lineage import find_counted
from shared.runs.reader import LOCK, read_run
from shared.runs.writer import _lock
from shared.tasks.score import Score
from shared.training.checkpoint import is_due
from tests.helpers import RECIPES, start
from tests.recipes.training_runs import mark_slow
from tests.toy.train import toy_recipes, train_toy
from tests.training.resuming import (
    CASES,
    STOP,
    list_differences,
    stop_after,
    try_case,
)

pytestmark = pytest.mark.xdist_group("resume")  # one process trains what they share

# Batches of similar length, windows in a new order, a carried state, arrays.
FAST = ["imdb-gru, dropout", "weather-gru"]
ALWAYS = ["--checkpoint-every", "1"]


@pytest.mark.parametrize("case", mark_slow(CASES, FAST))
def test_a_resumed_run_has_the_same_bits(case, tmp_path, undrawn):
    whole, stopped, resumed = try_case(case, tmp_path)
    assert not list_differences(whole, resumed)
    assert list_differences(whole, stopped)  # the comparison sees two more epochs
    assert resumed.history["epoch"] == whole.history["epoch"]
    assert resumed.config["resumed"] == {"parents": [stopped.path.name], "epoch": STOP}


def test_every_recipe_has_a_case():
    tried = {case.partition(",")[0].replace("-", "_") for case in CASES}
    assert tried == set(RECIPES)
    assert len(CASES) > 60


@pytest.mark.slow
def test_another_order_of_windows_has_other_bits(tmp_path, undrawn, monkeypatch):
    with monkeypatch.context() as other:
        other.setattr(feeding, "ITERATORS", 1)
        whole, _, resumed = try_case("weather-gru", tmp_path)
    assert "model" in list_differences(whole, resumed)


@pytest.fixture
def toys(undrawn):
    with toy_recipes():
        yield


def test_a_finished_run_goes_beyond_its_end_and_counts_once(tmp_path, toys):
    whole = train_toy("toy_level", tmp_path / "whole", "--epochs", "4", *ALWAYS)
    train_toy("toy_level", tmp_path, "--epochs", "2")
    for epochs in ("3", "4"):
        resume = ["--resume", str(choose_runs([], tmp_path)[0][0].path)]
        last = train_toy("toy_level", tmp_path, *resume, "--epochs", epochs)
    assert not list_differences(whole, last)
    first, second, third = sorted(tmp_path.glob("toy-level/*"))
    assert last.path == third
    parents = [second.name, first.name]
    assert last.config["resumed"] == {"parents": parents, "epoch": 3}
    runs, notes = choose_runs(["toy-level"], tmp_path)
    assert [run.path for run in runs] == [third]
    assert notes == ["Left out: 2 that a later run carries on."]
    named, _ = choose_runs([str(first)], tmp_path)
    assert [run.path for run in named] == [first]


def test_a_parent_counts_until_its_child_has_finished(tmp_path, toys):
    parent = train_toy("toy_level", tmp_path, "--epochs", "2")
    with stop_after(3), pytest.raises(SystemExit):
        resume = ["--resume", str(parent.path), "--epochs", "9"]
        train_toy("toy_level", tmp_path, *resume, *ALWAYS)
    child = read_run(max(tmp_path.glob("toy-level/*")))
    assert (child.state, child.history["epoch"]) == ("interrupted", [1, 2, 3])
    assert find_counted([parent, child]) == [parent, child]
    assert choose_runs(["toy-level"], tmp_path)[0] == [parent]


@pytest.mark.slow
def test_the_best_epoch_before_the_stop_keeps_its_model(tmp_path, toys, monkeypatch):
    from shared.inference.load_model import load_model

    flags = ["--epochs", "4", *ALWAYS]
    # Only the first epoch counts as better than the one before.
    monkeypatch.setattr(Score, "is_better", lambda self, value, best: best is None)
    whole = train_toy("toy_level", tmp_path / "whole", *flags)
    assert whole.summary["best"]["epoch"] == 1
    with stop_after(3), pytest.raises(SystemExit):
        train_toy("toy_level", tmp_path, *flags)
    (path,) = tmp_path.glob("toy-level/*")
    (path / "best.keras").unlink()  # the checkpoint holds the weights
    child = train_toy("toy_level", tmp_path, "--resume", str(path))
    assert child.summary["best"] == read_run(path).summary["best"]
    assert not [one for one in list_differences(whole, child) if one != "best epoch"]
    pairs = zip(
        *(load_model(r.path).get_weights() for r in (whole, child)), strict=True
    )
    assert all(np.array_equal(one, other) for one, other in pairs)


@pytest.mark.slow
def test_a_callback_of_the_recipe_goes_on_counting(tmp_path, toys, monkeypatch):
    import importlib

    import keras

    module = importlib.import_module("recipes.toy_level")

    def fit(model, data, training, folder, layer):
        slower = keras.callbacks.ReduceLROnPlateau(
            "loss", factor=0.5, patience=3, min_delta=9
        )
        return original(model, data, training, folder, layer, [slower])

    original = module.fit
    monkeypatch.setattr(module, "fit", fit)
    flags = ["--epochs", "6", *ALWAYS]
    whole = train_toy("toy_level", tmp_path / "whole", *flags)
    rates = whole.history["learning_rate"]
    assert rates[0] > rates[-1]
    with stop_after(2), pytest.raises(SystemExit):
        train_toy("toy_level", tmp_path, *flags)
    (path,) = tmp_path.glob("toy-level/*")
    child = train_toy("toy_level", tmp_path, "--resume", str(path), *ALWAYS)
    assert not list_differences(whole, child)


@pytest.fixture(scope="module")
def parent(tmp_path_factory):
    """Two epochs of a toy, stopped early by nothing."""
    from tests.undrawn import leave_undrawn

    with toy_recipes(), leave_undrawn():
        root = tmp_path_factory.mktemp("parent")
        return train_toy("toy_level", root, "--epochs", "2", "--units", "5")


def refuse(run, root, capsys, *flags, recipe="toy_level"):
    """Return the one line of an error; nothing else may be left."""
    before = sorted(root.rglob("*"))
    with pytest.raises(SystemExit) as exit_:
        train_toy(recipe, root, "--resume", str(run), *flags)
    assert exit_.value.code == 2
    assert sorted(root.rglob("*")) == before
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1, lines
    return lines[0]


MORE = ["--epochs", "3"]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ([], "--epochs 2: the checkpoint is of epoch 2, so no epoch is left"),
        ([*MORE, "--units", "4"], "--units 4: the run has --units 5"),
        ([*MORE, "--units", "3"], "--units 3: the run has --units 5"),  # the default
        ([*MORE, "--level", "2"], "--level 2.0: the run has --level 0"),
        ([*MORE, "--seed", "1"], "--seed 1: the run has --seed 0"),
        ([*MORE, "--schedule", "cosine"], "--schedule cosine: the run has"),
        ([*MORE, "--seeds", "0-1"], "--resume with --seeds"),
        ([*MORE, "--checkpoint-every", "-1"], "--checkpoint-every -1: takes whole"),
        ([*MORE, "--stop-at", "9e9"], "ended at epoch 2: val_mse reached 9e+09"),
    ],
)
def test_other_settings_are_refused(flags, said, parent, tmp_path, toys, capsys):
    assert said in refuse(parent.path, tmp_path, capsys, *flags)


def test_settings_that_do_not_move_numbers_may_differ(parent, tmp_path, toys):
    flags = ["--epochs", "3", "--units", "5", "--chunk", "7", "--patience", "9"]
    child = train_toy("toy_level", tmp_path, "--resume", str(parent.path), *flags)
    assert child.settings["chunk"] == 7
    assert child.config["changed"]["epochs"] == 3


def test_a_schedule_that_depends_on_the_epochs_keeps_them(tmp_path, toys, capsys):
    flags = ["--epochs", "3", "--schedule", "cosine", *ALWAYS]
    with stop_after(2), pytest.raises(SystemExit):
        train_toy("toy_level", tmp_path, *flags)
    (path,) = tmp_path.glob("toy-level/*")
    capsys.readouterr()
    said = refuse(path, tmp_path, capsys, "--epochs", "4")
    assert "--schedule cosine was planned for 3 epochs" in said
    child = train_toy("toy_level", tmp_path, "--resume", str(path))
    capsys.readouterr()
    assert child.history["epoch"] == [1, 2, 3]
    assert "has all 3 epochs" in refuse(child.path, tmp_path, capsys)


def copy(run, place):
    return shutil.copytree(run.path, place / run.path.parent.name / run.path.name)


def edit(path, name, **changes):
    content = json.loads((path / name).read_text())
    (path / name).write_text(json.dumps(content | changes))


def cut(path):
    content = (path / CHECKPOINT).read_bytes()
    (path / CHECKPOINT).write_bytes(content[: len(content) // 2])


def flip(path):
    content = bytearray((path / CHECKPOINT).read_bytes())
    content[len(content) // 3] ^= 255
    (path / CHECKPOINT).write_bytes(content)


def change(**arrays):
    """Return a damage that replaces arrays; None removes one."""

    def damage(path):
        with np.load(path / CHECKPOINT) as file:
            found = dict(file) | {k.replace("_", "/"): v for k, v in arrays.items()}
        kept = {k: v for k, v in found.items() if v is not None}
        np.savez(path / CHECKPOINT, **kept)

    return damage


def change_facts(**facts):
    def damage(path):
        with np.load(path / CHECKPOINT) as file:
            found = dict(file)
        content = json.loads(found["facts"].tobytes()) | facts
        found["facts"] = np.frombuffer(json.dumps(content).encode(), np.uint8)
        np.savez(path / CHECKPOINT, **found)

    return damage


DAMAGES = {
    "no checkpoint": (lambda p: (p / CHECKPOINT).unlink(), "has no checkpoint.npz"),
    "half": (cut, "damaged"),
    "a flipped byte": (flip, "damaged"),
    "empty": (lambda p: (p / CHECKPOINT).write_bytes(b""), "damaged"),
    "a pickle": (change(model_0=np.array([{}], object)), "damaged"),
    "another shape": (change(model_0=np.zeros((2, 2), np.float32)), "has the shape"),
    "another type": (change(optimizer_0=np.zeros((), np.float64)), "the type float64"),
    "too few": (change(optimizer_3=None), "which has no place"),
    "no facts": (change(facts=None), "without its facts"),
    "no random state": (change(random_1=None), "random generators"),
    "too many": (change(model_99=np.zeros(1)), "model/99, which has no place"),
    "another form": (change_facts(version=2), "version 2"),
    "another epoch": (change_facts(epoch=7), "is of epoch 7, and the history has 2"),
    "another best": (change_facts(best_epoch=1), "does not fit its best epoch"),
    "no number": (change_facts(seconds="x"), "checkpoint.npz: "),
    "another Keras": (
        lambda p: edit(p, "config.json", versions={"keras": "3.0", "tensorflow": "2"}),
        "was trained with keras 3.0",
    ),
    "a lost history": (lambda p: (p / "history.csv").unlink(), "--resume|not a run"),
    "no run": (shutil.rmtree, "not a run folder"),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_run_is_refused(name, parent, tmp_path, toys, capsys):
    damage, said = DAMAGES[name]
    path = copy(parent, tmp_path)
    damage(path)
    line = refuse(path, tmp_path, capsys, "--epochs", "3")
    assert any(text in line for text in said.split("|")), line


def test_the_run_of_another_recipe_is_refused(parent, tmp_path, toys, capsys):
    said = refuse(parent.path, tmp_path, capsys, recipe="toy_tasks")
    assert "is a run of toy-level. Carry it on with make toy-level" in said


def test_a_run_that_still_trains_is_refused(parent, tmp_path, toys, capsys):
    path = copy(parent, tmp_path)
    edit(path, "summary.json", state="unfinished")
    lock = _lock(path / LOCK)
    assert "is still running" in refuse(path, tmp_path, capsys, "--epochs", "3")
    lock.release()


def test_a_run_without_checkpoints_says_so(tmp_path, toys, capsys):
    run = train_toy("toy_level", tmp_path, "--checkpoint-every", "0")
    assert not (run.path / CHECKPOINT).exists()
    capsys.readouterr()
    assert "has no checkpoint.npz" in refuse(run.path, tmp_path, capsys)


def test_a_checkpoint_is_due():
    last, not_last = True, False
    assert is_due(None, 1, trained=1.0, cost=0.02, is_last=not_last)
    assert not is_due(None, 1, trained=0.9, cost=0.02, is_last=not_last)
    assert is_due(None, 1, trained=0.0, cost=9.0, is_last=last)
    assert [e for e in range(1, 8) if is_due(3, e, 0, 9, e == 7)] == [3, 6, 7]
    assert not is_due(0, 4, trained=99, cost=0, is_last=last)


def test_a_checkpoint_that_cannot_be_written_leaves_the_one_before(
    parent, tmp_path, monkeypatch
):
    path = copy(parent, tmp_path)
    before = (path / CHECKPOINT).read_bytes()
    found = read_checkpoint(path)

    def fill(file, **arrays):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.np, "savez", fill)
    with pytest.raises(OSError):
        write_checkpoint(path, found)
    assert (path / CHECKPOINT).read_bytes() == before
    assert not list(path.glob(".part-*"))


WRITES = """
import sys
from pathlib import Path
import numpy as np
from shared.runs.checkpoint import Checkpoint, Facts, RandomState, write_checkpoint
state = RandomState(python_place=0, python_gauss=None, numpy_place=0,
                    numpy_has_gauss=0, numpy_gauss="0x0p+0")
for epoch in range(1, 10**9):
    facts = Facts(version=1, epoch=epoch, best_epoch=None, seconds=0.0, random=state,
                  callbacks=[])
    arrays = {"model": [np.full(300_000, epoch)], "optimizer": [np.full(9, epoch)],
              "best": [], "random": [np.full(624, epoch, np.uint32)] * 2}
    write_checkpoint(Path(sys.argv[1]), Checkpoint(facts, arrays))
    print(epoch, flush=True)
"""


def test_a_kill_leaves_a_whole_checkpoint(tmp_path):
    random = np.random.default_rng(0)
    for attempt in range(5):
        place = tmp_path / str(attempt)
        place.mkdir()
        command = [sys.executable, "-c", WRITES, str(place)]
        process = start(command, stdout=subprocess.PIPE, text=True)
        written = [int(process.stdout.readline()) for _ in range(2)][-1]
        time.sleep(random.uniform(0, 0.2))
        process.kill()
        process.wait()
        found = read_checkpoint(place)
        epoch = found.facts.epoch
        assert epoch >= written
        arrays = [array for kind in found.arrays.values() for array in kind]
        assert {int(value) for array in arrays for value in array} == {epoch}
