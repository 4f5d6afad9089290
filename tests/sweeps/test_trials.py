"""What counts as a trial that is done: found from run folders alone."""

import dataclasses

import pytest

from recipes import sum_gru
from shared.commands.recipe import main
from shared.core.environment import list_versions
from shared.core.recipes import hash_recipe
from shared.runs.reader import find_runs
from shared.sweeps.data_files import find_data_file
from shared.sweeps.trial import Trial, format_command
from shared.sweeps.trials import TrialIndex
from tests.helpers import PROJECT

SMALL = {"train_windows": 64, "validation_windows": 32, "test_windows": 32}
CHANGES = SMALL | {"units": 3, "epochs": 1}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with one run of sum-gru."""
    root = tmp_path_factory.mktemp("runs")
    flags = format_command("sum-gru", CHANGES | {"seed": 1}, root)[2:]
    main(sum_gru.Config, sum_gru.run, flags)
    return root


def make_trial(**changes):
    facts = {"changes": CHANGES | changes, "seed": 1, "label": ""}
    return Trial("sum-gru", **facts)


def test_a_run_is_found_by_settings_seed_and_versions(trained):
    index = TrialIndex(trained)
    assert index.find(make_trial()) is not None
    assert index.find(make_trial(units=4)) is None
    assert index.find(make_trial(learning_rate=0.5)) is None
    assert index.find(make_trial(kernel="keras")) is None
    assert index.find(dataclasses.replace(make_trial(), seed=2)) is None
    assert index.find(dataclasses.replace(make_trial(), recipe="sine-gru")) is None
    assert index.find(dataclasses.replace(make_trial(), sha256="ab")) is None
    other = TrialIndex(trained, versions=list_versions() | {"keras": "3.0"})
    assert other.find(make_trial()) is None


def test_how_the_numbers_are_computed_makes_no_other_trial(trained):
    index = TrialIndex(trained)
    assert index.find(make_trial(steps_per_execution=4)) is not None


def test_a_value_that_equals_the_default_changes_nothing(trained):
    index = TrialIndex(trained)
    assert index.find(make_trial(batch_size=128, kernel="default")) is not None


def test_a_changed_recipe_is_another_trial(trained, monkeypatch):
    index = TrialIndex(trained)
    (run,) = index.runs
    assert run.config["recipe_code"] == hash_recipe("sum-gru")
    monkeypatch.setattr("shared.sweeps.trial.hash_recipe", lambda name: "other")
    assert index.find(make_trial()) is None
    del run.config["recipe_code"]  # written before this was recorded
    assert index.find(make_trial()) is not None


def test_comments_and_layout_change_no_recipe(tmp_path, monkeypatch):
    text = (PROJECT / "recipes" / "sum_gru.py").read_text()
    monkeypatch.setattr("shared.core.recipes.FOLDER", tmp_path)
    hashes = []
    for change in (text, text.replace('"""Does', '# note\n"""Can'),
                   text.replace("units=64", "units=65")):  # fmt: skip
        (tmp_path / "sum_gru.py").write_text(change)
        hashes.append(hash_recipe.__wrapped__("sum-gru"))
    assert hashes[0] == hashes[1] != hashes[2]


def test_a_run_without_a_test_does_not_count_where_one_is_needed(tmp_path):
    flags = format_command("sum-gru", CHANGES | {"seed": 1}, tmp_path)[2:]
    main(sum_gru.Config, sum_gru.run, [*flags, "--no-score-test"])
    (run,) = find_runs(tmp_path)
    assert run.state == "finished"
    assert run.summary["test"] is None
    assert run.summary["best"] is not None
    assert not (run.path / "predictions.npz").exists()
    index = TrialIndex(tmp_path)
    assert index.find(make_trial()) is not None
    assert index.find(dataclasses.replace(make_trial(), is_tested=True)) is None


def test_seeds_that_are_trained_are_not_trained_again(trained, monkeypatch, capsys):
    def fail(*_):
        raise AssertionError("something was trained")

    monkeypatch.setattr("shared.sweeps.trials.run_workers", fail)
    flags = format_command("sum-gru", CHANGES, trained)[2:]
    main(sum_gru.Config, sum_gru.run, [*flags, "--seeds", "1"])
    text = capsys.readouterr().out
    assert "not trained again: seed 1" in text
    assert "mean ± standard deviation over n seeds" in text


def test_the_hash_of_the_data_file_is_known_before_training(tmp_path):
    import importlib

    from shared.core.files import hash_file

    file = tmp_path / "sales.csv"
    file.write_text("time,sales\n2020-01-01,1\n")
    module = importlib.import_module("recipes.series_gru")
    default = module.Config()
    part = next(k for k, v in vars(default).items() if hasattr(v, "file"))
    changed = dataclasses.replace(getattr(default, part), file=file)
    found = find_data_file(dataclasses.replace(default, **{part: changed}))
    assert (found.sha256, found.flag) == (hash_file(file), "file")
    assert find_data_file(sum_gru.Config()) is None
