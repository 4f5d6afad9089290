"""Run folders of version 0.1 read, compare and show as those of today.

`version_0_1/` holds a run that version 0.1 made:
`make memory-gru ARGS="--task recall --lag 3 --symbols 4 --units 3 --epochs 2
--train-sequences 60 --validation-sequences 30 --test-sequences 40 --clip 1 --seed 3"`.
"""

import shutil
from pathlib import Path

import numpy as np
import pytest

from shared.compare.__main__ import main as compare
from shared.compare.example_scores import read_tests
from shared.inference.load_model import load_model
from shared.inference.rebuild import rebuild_run
from shared.plots.run_figures import draw_run
from shared.report.render import build_page
from shared.runs.groups import group_runs, list_baselines
from shared.runs.legacy import ROLE_OF
from shared.runs.manage import main as manage
from shared.runs.reader import find_runs, read_kernels, read_predictions
from shared.runs.terminal import show_run
from shared.tasks.task import (
    BinaryClassification,
    Classification,
    NextToken,
    Regression,
)
from tests.helpers import PROJECT

OLD = Path(__file__).parent / "version_0_1"
REFERENCE = PROJECT / "results" / "reference"


@pytest.fixture
def root(tmp_path):
    """A copy, since some of what is called here writes into the folder."""
    shutil.copytree(OLD, tmp_path / "runs")
    return tmp_path / "runs"


@pytest.fixture
def run(root):
    (run,) = find_runs(root)
    return run


def test_it_is_of_the_old_form():
    text = next(OLD.glob("*/*/summary.json")).read_text()
    for name in ('"bars"', '"is_floor"', '"floor_check"'):
        assert name in text
    assert '"roles"' not in next(OLD.glob("*/*/config.json")).read_text()


def test_it_reads_in_the_form_of_today(run):
    assert run.state == "finished"
    assert run.settings["global_clipnorm"] == 1.0
    assert run.config["changed"]["global_clipnorm"] == 1.0
    assert run.config["roles"]["lag"] == "data"
    assert run.config["roles"]["train_sequences"] == "split"
    assert run.config["roles"]["units"] == "model"
    assert run.task == Classification(classes=("0", "1", "2", "3"))
    assert [one["name"] for one in run.summary["baselines"]] == [
        "guess, no memory", "the symbol itself"
    ]  # fmt: skip
    assert [one["is_best_achievable"] for one in run.summary["baselines"]] == [
        False, True
    ]  # fmt: skip
    assert run.summary["leak_check"]["best_achievable"] == 1
    assert "bars" not in run.summary
    kernels = read_kernels(run.path)["planned"]
    assert kernels[0]["description"].startswith("gru: compiled loop")
    assert kernels[0]["requested"] == 2


def test_its_test_examples_score_as_recorded(run):
    (group,) = group_runs([run])
    (test,) = read_tests(group).values()
    reached = run.summary["test"]["best"]["test_accuracy"]
    assert test.scores.mean() == pytest.approx(reached)
    assert set(test.baseline_scores) == {"the symbol itself"}
    assert test.baseline_scores["the symbol itself"].mean() == 1
    assert test.dependence == 1
    assert [one["test"]["accuracy"] for one in list_baselines([group])] == [0.25, 1.0]


def test_it_compares_and_shows(root, run, tmp_path, capsys):
    compare(["--results-dir", str(root), "--to", str(tmp_path / "to")])
    assert "--global-clipnorm 1.0" in capsys.readouterr().out
    assert {name for name, _ in draw_run(run)} == {"curves"}
    show_run(run, [run])
    assert "guess, no memory" in capsys.readouterr().out
    page = build_page({"own": root, "reference": tmp_path / "none"})
    assert "the symbol itself" in page
    manage(["--results-dir", str(root), "--where", "lag=3"])
    assert "1 run," in capsys.readouterr().out


def test_its_model_and_its_first_weights_are_there(run):
    model = load_model(run.path)
    stored = read_predictions(run)
    rebuilt = rebuild_run(run)
    assert rebuilt.config.training.global_clipnorm == 1.0
    found = np.asarray(model.predict(rebuilt.data.test.inputs, verbose=0))
    assert found == pytest.approx(stored["predictions"], abs=1e-6)
    assert rebuilt.data.test.targets.tolist() == stored["targets"].tolist()
    assert [w.shape for w in rebuilt.model.weights] == [w.shape for w in model.weights]


def test_every_published_run_reads():
    runs = find_runs(REFERENCE)
    assert len(runs) >= 100
    kinds = {run.recipe: type(run.task) for run in runs}
    expected = {
        "imdb-gru": BinaryClassification,
        "weather-gru": Regression,
        "vowel-gru": NextToken,
        "sum-gru": Regression,
        "memory-gru": Regression,
    }
    assert {name: kinds[name] for name in expected} == expected
    for run in runs:
        assert set(run.config["roles"]) == set(run.settings)
        assert run.score.metric in run.task.measures
        assert f"val_{run.score.metric}" in run.history


def test_only_flags_of_version_0_1_have_an_old_role():
    known = {name for run in find_runs(REFERENCE) for name in run.settings}
    assert set(ROLE_OF) - known <= {"stop_at"}
