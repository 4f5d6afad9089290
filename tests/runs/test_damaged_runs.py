"""One damaged run folder never takes the others down.

`version_0_2/` holds a run of today's form, made by
`make sum-gru ARGS="--epochs 2 --units 3 --train-windows 60 --validation-windows 30
--test-windows 40"`.
"""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from shared.compare.__main__ import main as compare
from shared.compare.verdicts import compare_groups
from shared.core.errors import UserError
from shared.runs.groups import choose_runs, group_runs
from shared.runs.manage import main as manage
from shared.runs.reader import (
    MOST_NAMED,
    describe_problems,
    find_runs,
    read_kernels,
    read_model_epoch,
    read_predictions,
    read_run,
    scan_runs,
)
from shared.runs.terminal import show_run
from tests.runs.damages import list_damages

TODAY = next((Path(__file__).parent / "version_0_2").glob("*/*"))
OLD = next((Path(__file__).parent / "version_0_1").glob("*/*"))
DAMAGES = list(list_damages(TODAY))
OLD_DAMAGES = list(list_damages(OLD))
NAME = TODAY.name


def edit(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def copy_run(root, seed=0, source=TODAY):
    folder = root / source.parent.name / f"{NAME[:-1]}{seed}"
    shutil.copytree(source, folder)
    edit(folder / "config.json", lambda c: c["settings"].update(seed=seed))
    for name in ("config.json", "summary.json"):
        edit(folder / name, lambda c: c.update(seed=seed))
    return folder


@pytest.fixture
def root(tmp_path):
    """Two good runs, seeds 1 and 2."""
    for seed in (1, 2):
        copy_run(tmp_path / "runs", seed)
    return tmp_path / "runs"


@pytest.mark.parametrize("source", [TODAY, OLD])
def test_a_good_folder_has_no_problem(tmp_path, source):
    shutil.copytree(source, tmp_path / "runs" / "a" / "b")
    found = scan_runs(tmp_path / "runs")
    (run,) = found.runs
    assert read_predictions(run) is not None
    assert read_kernels(run.path)["ran"]
    assert read_model_epoch(run.path) == run.summary["best"]["epoch"]
    assert (found.unreadable, run.problems) == ({}, {})


@pytest.mark.parametrize(
    ("source", "damages"), [(TODAY, DAMAGES[::25]), (OLD, OLD_DAMAGES[3::99])]
)
def test_a_damaged_folder_reads_with_reasons_or_not_at_all(tmp_path, source, damages):
    folder = tmp_path / "runs" / source.parent.name / source.name
    for name, damage in damages:
        shutil.rmtree(tmp_path / "runs", ignore_errors=True)
        shutil.copytree(source, folder)
        damage(folder)
        found = scan_runs(tmp_path / "runs")
        assert len(found.runs) + len(found.unreadable) == 1, name
        for run in found.runs:
            (group,) = group_runs([run])
            assert group.label, name
            show_run(run, [run])
            assert (read_predictions(run) is None) == (
                "predictions.npz" in run.problems or "npz: gone" in name
            ), name
            read_kernels(run.path)
            read_model_epoch(run.path)
        for line in [*found.describe(), *describe_problems(found.runs)]:
            assert len(line.splitlines()) == 1, name
            assert len(line) < 700, name


@pytest.mark.parametrize(("name", "damage"), DAMAGES[5::450])
def test_the_good_runs_are_shown_beside_it(root, capsys, name, damage):
    damage(copy_run(root, 0))
    manage(["--results-dir", str(root)])
    listed = capsys.readouterr().out
    compare(["--results-dir", str(root), "--to", str(root.parent / "to")])
    compared = capsys.readouterr().out
    for seed in (1, 2):
        assert f"{NAME[:-1]}{seed}" in listed
    assert NAME in listed
    assert "Against simple models" in compared
    named = "Cannot be read" in compared
    assert named == ("Cannot be read" in listed)
    assert not set(listed + compared) & {"\x1b", "\u202e"}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("predictions.npz: empty", "predictions.npz: damaged (File is not a zip file)"),
        ("predictions.npz: header of (1000000000000,)", "has not the size"),
        ("predictions.npz: FIFO", "predictions.npz: not a regular file"),
        ("predictions.npz: targets half", "20 test examples, but the data have 40"),
        ("predictions.npz: predictions NaN", "not finite"),
        ("kernels.json: list", "kernels.json: not a JSON object"),
        ("kernels.json: ran.0.path deleted", "missing required field path"),
    ],
)
def test_a_damaged_part_is_named_and_the_run_stays(root, name, reason):
    dict(DAMAGES)[name](copy_run(root, 0))
    runs, notes = choose_runs([], root)
    compare_groups(group_runs(runs))
    (line,) = describe_problems(runs)
    assert line.startswith("Not used: ")
    assert NAME in line
    assert reason in line
    assert (len(runs), notes) == (3, [])


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("config.json: FIFO", "config.json: not a regular file"),
        ("config.json: folder", "config.json: Is a directory"),
        ("config.json: link to itself", "config.json: Too many levels"),
        ("config.json: link to /dev/zero", "config.json: not a regular file"),
        ("config.json: 3 GB", "3,000,000,000 bytes"),
        ("config.json: changed deleted", "missing required field changed"),
        ("config.json: roles deleted", "missing required field roles"),
        ("config.json: roles.units deleted", "only one of settings and roles has unit"),
        ("config.json: deep", "config.json: nested too deeply"),
        ("config.json: key twice", "a key occurs twice"),
        ("summary.json: gone", "summary.json is missing"),
        ("summary.json: NaN", "NaN is not a number"),
        ("summary.json: task.score deleted", "missing required field score"),
        ("summary.json: task deleted", "missing required field task"),
        ("summary.json: test.best.test_mse deleted", "a test without test_mse"),
        ("summary.json: parameters = null", "Expected int, got null - at parameters"),
        ("summary.json: seed = number", "not of one run: seed 0 and 7"),
        ("summary.json: best.epoch = number", "best epoch of the summary is not in"),
        ("summary.json: leak_check.leak = null", "half of a verdict"),
        ("history.csv: gone", "0 epochs in the history, 2 in the summary"),
        ("history.csv: val_mse missing", "no column val_mse"),
        ("history.csv: loss = '-1'", "best epoch"),
        ("history.csv: seconds = 'nan'", "an epoch without its seconds"),
        ("history.csv: ragged", "row 1 has 9 cells, not 8"),
    ],
)
def test_a_damaged_folder_is_named_with_its_reason(root, capsys, name, reason):
    folder = copy_run(root, 0)
    if name.endswith("'-1'"):  # the best epoch is the second one
        edit(folder / "summary.json", lambda s: s["best"].update(loss=-1))
    dict(DAMAGES)[name](folder)
    manage(["--results-dir", str(root)])
    output = capsys.readouterr().out
    (line,) = [line for line in output.splitlines() if "Cannot be read" in line]
    assert NAME in line
    assert reason in line
    for main in (compare, manage):
        with pytest.raises(SystemExit) as stopped:
            main([str(folder), "--results-dir", str(root)])
        error = capsys.readouterr().err
        assert stopped.value.code == 2
        assert error.count("\n") == 1
        assert reason in error


def test_many_damaged_folders_are_counted(root, capsys):
    for seed in range(10, 25):
        (copy_run(root, seed) / "summary.json").unlink()
    manage(["--results-dir", str(root)])
    output = capsys.readouterr().out
    assert output.count("Cannot be read") == MOST_NAMED
    assert "... and 5 more." in output


def test_a_recipe_with_damaged_folders_only_is_an_error(tmp_path):
    (copy_run(tmp_path, 0) / "summary.json").write_text("{")
    for names in ([], ["sum-gru"]):
        with pytest.raises(UserError, match="none of its 1 run folders can be read"):
            choose_runs(names, tmp_path)


def test_names_that_are_not_text_are_escaped(root, capsys):
    for name in (b"2026-\xff", b"2026-\x1b[31m"):
        path = os.fsencode(root / "sum-gru") + b"/" + name
        os.rename(copy_run(root, 0), path)  # noqa: PTH104
    manage(["--results-dir", str(root)])
    output = capsys.readouterr().out
    assert r"2026-\udcff (its name holds" in output
    assert r"2026-\x1b[31m (its name holds" in output
    assert "\x1b" not in output
    assert len(find_runs(root)) == 2


def test_control_codes_and_markup_in_names_are_shown_as_text(tmp_path, capsys):
    bad = "[/red]\x1b[2J\u202e:smile:"
    folder = copy_run(tmp_path, 0)
    for name in ("config.json", "summary.json"):
        edit(folder / name, lambda c: c.update(recipe=bad, data=bad, note=bad))
    edit(folder / "config.json", lambda c: c["settings"].update(optimizer=bad))
    edit(folder / "config.json", lambda c: c["changed"].update(optimizer=bad))
    edit(folder / "summary.json", lambda s: s["baselines"][0].update(name=bad))
    manage(["--results-dir", str(tmp_path)])
    show_run(read_run(folder), find_runs(tmp_path))
    compare(["--results-dir", str(tmp_path), "--to", str(tmp_path / "to")])
    output = "".join(capsys.readouterr().out.split())
    assert output.count(r"[/red]\x1b[2J\u202e:smile:") >= 8
    assert not set(output) & {"\x1b", "\u202e", "\x07"}


def test_a_run_killed_between_its_two_writes_is_whole(tmp_path, capsys):
    folder = copy_run(tmp_path, 0)
    last = {"best": None, "last": None, "test": None, "seconds_per_epoch": None}
    edit(
        folder / "summary.json",
        lambda s: s.update(last, state="unfinished", epochs=0, leak_check=None),
    )
    run = read_run(folder)
    assert run.state == "interrupted"
    assert run.summary["epochs"] == run.summary["last"]["epoch"] == 2
    compare([str(folder), "--to", str(tmp_path / "to")])
    assert "(interrupted)" in capsys.readouterr().out


def test_predictions_of_other_examples_are_refused(root):
    folder = copy_run(root, 0)
    with np.load(folder / "predictions.npz") as stored:
        half = {k: v[:20] if v.shape[:1] == (40,) else v for k, v in stored.items()}
    np.savez(folder / "predictions.npz", **half)
    run = read_run(folder)
    assert read_predictions(run) is None
    assert "20 test examples, but the data have 40" in run.problems["predictions.npz"]
