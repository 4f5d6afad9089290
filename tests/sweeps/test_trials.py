"""What counts as a trial that is done: found from run folders alone."""

import dataclasses
import importlib
from types import SimpleNamespace

import pytest

from recipes import sum_gru
from shared.commands.recipe import main
from shared.core.environment import list_versions
from shared.core.files import hash_file
from shared.core.recipes import hash_recipe
from shared.data.writing.source import read_source
from shared.runs.reader import find_runs
from shared.sweeps.data_files import find_data_file, identify_data
from shared.sweeps.trial import Trial, format_command
from shared.sweeps.trials import TrialIndex
from tests.helpers import PROJECT
from tests.undrawn import leave_undrawn

pytestmark = pytest.mark.xdist_group("trials")  # one process trains what they share

SMALL = {"train_windows": 64, "validation_windows": 32, "test_windows": 32}
CHANGES = SMALL | {"units": 3, "epochs": 1}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with one run of sum-gru."""
    root = tmp_path_factory.mktemp("runs")
    flags = format_command("sum-gru", CHANGES | {"seed": 1}, root)[2:]
    with leave_undrawn():
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

    file = tmp_path / "sales.csv"
    file.write_text("time,sales\n2020-01-01,1\n")
    module = importlib.import_module("recipes.series_gru")
    default = module.Config()
    part = next(k for k, v in vars(default).items() if hasattr(v, "file"))
    changed = dataclasses.replace(getattr(default, part), file=file)
    found = find_data_file(dataclasses.replace(default, **{part: changed}))
    assert (found.sha256, found.flag) == (hash_file(file), "file")
    assert find_data_file(sum_gru.Config()) is None


def write_texts(tmp_path):
    """Write a table, a folder per class and a file per class with the same texts."""
    texts = {"yes": "good film", "no": "bad film"}
    rows = [f"{text} {k},{label}" for label, text in texts.items() for k in range(20)]
    (tmp_path / "table.csv").write_text("\n".join(["text,label", *rows]) + "\n")
    (tmp_path / "lines").mkdir()
    for label, text in texts.items():
        (tmp_path / "folders" / label).mkdir(parents=True)
        for k in range(20):
            file = tmp_path / "folders" / label / f"{k}.txt"
            file.write_text(f"{text} {k}")
        lines = "\n".join(f"{text} {k}" for k in range(20))
        (tmp_path / "lines" / f"{label}.txt").write_text(lines)
    others = [row.replace(",", " again,") for row in rows]
    (tmp_path / "others.csv").write_text("\n".join(["text,label", *others]) + "\n")


@pytest.mark.parametrize(
    "names",
    [
        {"file": "table.csv"},
        {"folder": "folders"},
        {"folder": "lines", "test_file": "others.csv"},
        {"file": "table.csv", "test_file": "others.csv"},
    ],
)
def test_the_data_of_a_text_trial_are_those_that_its_run_records(names, tmp_path):
    write_texts(tmp_path)
    recipe = importlib.import_module("recipes.text_gru")
    paths = {flag: tmp_path / name for flag, name in names.items()}
    config = dataclasses.replace(
        recipe.Config(), text=dataclasses.replace(recipe.Config().text, **paths)
    )
    facts = recipe.load_data(config).facts
    run = SimpleNamespace(data_hash=facts["sha256"], config={"data_facts": facts})
    found = find_data_file(config)
    assert found.identity == identify_data(run)
    assert found.identity.count("+") == ("test_file" in names)
    changed = paths.get("test_file", paths.get("file", paths.get("folder")))
    changed = next(changed.rglob("*.txt")) if changed.is_dir() else changed
    changed.write_text(changed.read_text() + "!")
    assert find_data_file(config).identity != found.identity


def test_a_text_file_that_is_not_there_is_left_to_the_training(tmp_path):
    recipe = importlib.import_module("recipes.writer_gru")
    config = recipe.Config()
    name = next(k for k, v in vars(config).items() if hasattr(v, "file"))
    book = tmp_path / "book.txt"
    part = dataclasses.replace(getattr(config, name), file=book)
    config = dataclasses.replace(config, **{name: part})
    assert find_data_file(config) is None
    book.write_text("Call me Ishmael. " * 500)
    source = read_source(part)
    assert find_data_file(config).identity == source.facts["sha256"]
