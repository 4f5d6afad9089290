"""A flag declares what it decides; nothing else knows its name."""

import dataclasses
import json
from typing import Annotated

import numpy as np
import pytest

from shared.compare.__main__ import main as compare
from shared.compare.differences import find_differences
from shared.core.environment import list_versions
from shared.core.errors import UserError
from shared.core.flags import parse, resolve_config
from shared.core.roles import Resolved, Role, list_flags, read_settings
from shared.report.render import build_page
from shared.runs.groups import group_runs, list_baselines
from shared.runs.manage import main as manage
from shared.studies.gradient_flow.measure_runs import measure_run
from shared.studies.reference.experiments import ReferenceTrial, list_experiments
from tests.toy.train import toy_recipes, train_toy
from tests.undrawn import leave_undrawn

pytestmark = pytest.mark.xdist_group("roles")  # one process trains what they share


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Runs that differ in one flag each."""
    root = tmp_path_factory.mktemp("runs")
    flags = {
        "usual": [],
        "seed and chunk": ["--seed", "1", "--chunk", "2"],
        "level": ["--level", "5"],
        "holdout": ["--holdout", "30"],
    }
    with toy_recipes():
        with leave_undrawn():
            made = {n: train_toy("toy_level", root, *f) for n, f in flags.items()}
        yield made


@pytest.fixture
def root(runs):
    return runs["usual"].path.parent.parent


def test_the_run_folder_records_the_roles(runs):
    config = json.loads((runs["usual"].path / "config.json").read_text())
    expected = {
        "level": "data", "holdout": "split", "chunk": "computation", "units": "model",
        "epochs": "training", "kernel": "kernel", "seed": "seed",
    }  # fmt: skip
    assert {name: config["roles"][name] for name in expected} == expected
    assert set(config["roles"]) == set(config["settings"])


def test_a_computation_flag_makes_no_other_experiment(runs):
    (group,) = group_runs([runs["usual"], runs["seed and chunk"]])
    assert group.label == "toy-level"
    assert [run.seed for run in group.runs] == [0, 1]


def test_runs_that_differ_in_the_data_never_share_a_baseline(runs, root, capsys):
    groups = group_runs([runs["usual"], runs["level"]])
    assert {group.data for group in groups} == {"levels"}
    found = {one["name"]: one["test"]["mse"] for one in list_baselines(groups)}
    assert set(found) == {
        "predict 0 (toy-level)", "predict 0 (toy-level --level 5.0)"
    }  # fmt: skip
    for name, run in (("", runs["usual"]), (" --level 5.0", runs["level"])):
        (own,) = run.summary["baselines"]
        assert found[f"predict 0 (toy-level{name})"] == own["test"]["mse"]
    low, high = sorted(found.values())
    assert low < 1 < 20 < high < 30  # 1 / 5 and 25 + 1 / 5 are expected
    names = [str(run.path) for run in (runs["usual"], runs["level"])]
    compare([*names, "--to", str(root.parent / "to"), "--results-dir", str(root)])
    text = capsys.readouterr().out
    assert "predict 0 (toy-level)" in text
    assert "predict 0 (toy-level" in text.split("predict 0 (toy-level)")[1]


def test_another_split_is_another_data_set(runs):
    groups = group_runs(runs.values())
    assert {group.data for group in groups} == {
        "levels (--holdout 24)", "levels (--holdout 30)"
    }  # fmt: skip


def test_only_flags_that_move_numbers_are_called_so(runs):
    (usual,) = group_runs([runs["usual"]])
    (chunk,) = group_runs([runs["seed and chunk"]])
    (level,) = group_runs([runs["level"]])
    found = find_differences(chunk, level)
    assert found.moving == ["--level (0.0 / 5.0)"]
    assert "--chunk (2 / 4)" in found.still
    assert find_differences(usual, chunk).moving == []


def test_the_report_and_the_list_of_runs_show_the_flags(runs, root, capsys):
    page = build_page({"own": root, "reference": root.parent / "none"})
    assert "levels (holdout 30)" in page
    assert "toy-level --level 5.0" in page
    assert "toy-level --chunk" not in page
    manage(["--results-dir", str(root)])
    text = capsys.readouterr().out
    assert "--level 5.0" in text
    assert "--holdout 30" in text


def test_the_gradient_is_measured_on_the_rebuilt_data(runs):
    states = measure_run(runs["level"], examples=8)
    (state,) = states.values()
    assert state["start"].norms.shape == (8, 5)
    assert np.isfinite(state["trained"].norms).all()


def test_the_reference_plan_knows_its_own_runs(runs):
    with toy_recipes():
        (experiment,) = list_experiments(["toy-level"])
        assert list_experiments() == []  # a private recipe is published nowhere
        versions = list_versions()
        made = {
            name: ReferenceTrial(experiment, run.seed, "jena-2020").is_made_by(
                run, versions
            )
            for name, run in runs.items()
        }
    assert made == {
        "usual": True, "seed and chunk": True, "level": False, "holdout": False
    }  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Part:
    size: Annotated[int, Role.MODEL] = 3
    engine: Annotated[str, Role.KERNEL, Resolved(by="size", portable="any")] = "fast"


@dataclasses.dataclass(frozen=True)
class Whole:
    part: Part = Part()
    repeat: Annotated[int, Role.SEED] = 7


@dataclasses.dataclass(frozen=True)
class Forgotten:
    part: Part = Part()
    rate: float = 0.5


def test_flags_of_groups_are_flat_and_keep_their_marks():
    flags = {flag.name: flag for flag in list_flags(Whole())}
    assert list(flags) == ["size", "engine", "repeat"]
    assert flags["engine"].hint is str
    assert flags["engine"].resolved == Resolved(by="size", portable="any")
    settings = read_settings(Whole())
    assert settings.values == {"size": 3, "engine": "fast", "repeat": 7}
    assert settings.follows == {"engine": "size"}
    assert settings.seed == 7
    assert settings.roles == {"size": "model", "engine": "kernel", "repeat": "seed"}


def test_a_flag_without_a_role_is_refused_before_anything_runs():
    with pytest.raises(UserError, match=r"Forgotten.rate needs one role .*Role.MODEL"):
        resolve_config(Forgotten())


def test_a_config_without_a_seed_is_refused():
    with pytest.raises(UserError, match=r"has no seed.*TrainingConfig"):
        _ = read_settings(Part()).seed


@dataclasses.dataclass(frozen=True)
class Renamed:
    global_clipnorm: Annotated[float | None, Role.TRAINING] = None
    ensemble_size: Annotated[int, Role.MODEL] = 1
    workers: Annotated[int, Role.COMPUTATION] = 1


@dataclasses.dataclass(frozen=True)
class OwnClip:
    clip: Annotated[int, Role.MODEL] = 1
    global_clipnorm: Annotated[float | None, Role.TRAINING] = None


def test_flags_work_under_their_old_names():
    flags = ["--clip", "1.5", "--members=4", "--jobs", "2"]
    parsed = parse(Renamed, flags, "x.py", "")
    assert parsed == Renamed(1.5, 4, 2)


def test_a_new_flag_with_an_old_name_is_itself():
    assert parse(OwnClip, ["--clip", "3"], "x.py", "") == OwnClip(3)
