"""Verdicts and pictures that nothing has changed are not computed again.

The runs are those of `test_damaged_runs`: sums, with predictions.
"""

import shutil

import numpy as np
import pytest

from shared.compare import saved_tests
from shared.compare.__main__ import main
from shared.compare.example_scores import read_tests
from shared.compare.saved_tests import SavedTests
from shared.compare.verdicts import compare_groups
from shared.core.statistics import QUANTILES, compare_scores, quantile
from shared.plots import comparison_figure, cost_figure
from shared.runs import index
from shared.runs.groups import choose_runs, group_runs
from tests.runs.test_damaged_runs import copy_run, edit


@pytest.fixture(autouse=True)
def settled(monkeypatch):
    """Files that have just been written count as settled."""
    monkeypatch.setattr(index, "SETTLED", 0)


@pytest.fixture
def root(tmp_path):
    """Two groups with the seeds 1 to 3; the predictions differ."""
    random = np.random.default_rng(0)
    for group, rate in enumerate((0.01, 0.02)):
        for seed in (1, 2, 3):
            folder = copy_run(tmp_path / "runs", seed)
            named = folder.with_name(f"2026-01-0{1 + group}T00-00-00Z-seed{seed}")
            folder.rename(named)
            edit(named / "config.json", lambda c, r=rate: set_rate(c, r))
            change_predictions(named, lambda v: v + random.normal(0, 0.1, v.shape))
    return tmp_path / "runs"


def set_rate(config, rate):
    for part in ("settings", "changed"):
        config[part]["learning_rate"] = rate


def change_predictions(folder, change):
    with np.load(folder / "predictions.npz") as arrays:
        content = dict(arrays)
    content["predictions"] = change(content["predictions"]).astype("float32")
    np.savez_compressed(folder / "predictions.npz", **content)


@pytest.fixture
def counted(monkeypatch):
    """One entry for each bootstrap."""
    calls = []

    def count(*arguments):
        calls.append(arguments)
        return compare_scores(*arguments)

    monkeypatch.setattr(saved_tests, "compare_scores", count)
    return calls


def find_groups(root):
    return group_runs(choose_runs([], root)[0])


def test_verdicts_come_back_as_they_were(root, counted):
    first = compare_groups(find_groups(root))
    assert len(counted) == len(first) == 3  # one pair, two baselines
    assert all(verdict.difference for verdict in first)
    assert compare_groups(find_groups(root)) == first
    assert len(counted) == 3


def test_a_changed_prediction_changes_the_verdicts_of_its_group_only(root, counted):
    first = compare_groups(find_groups(root))
    groups = find_groups(root)
    change_predictions(groups[1].runs[0].path, lambda values: values + 5)
    counted.clear()
    pair, kept, changed = compare_groups(find_groups(root))
    assert len(counted) == 2
    assert kept.difference == first[1].difference
    assert pair.difference.value - first[0].difference.value < -1
    assert changed.difference.value > first[2].difference.value + 1


def test_a_removed_and_a_new_seed(root, counted):
    compare_groups(find_groups(root))
    newest = find_groups(root)[1].runs[2].path
    shutil.rmtree(newest)
    counted.clear()
    verdicts = compare_groups(find_groups(root))
    assert verdicts[0].difference.seeds == (2, 2)
    assert len(counted) == 2


def test_the_reason_why_predictions_are_not_used_is_given_each_time(root):
    folder = find_groups(root)[0].runs[0].path
    compare_groups(find_groups(root))
    (folder / "predictions.npz").write_bytes(b"x")
    for _ in range(2):
        groups = find_groups(root)
        compare_groups(groups)
        (run,) = (run for run in groups[0].runs if run.path == folder)
        assert "predictions.npz" in run.problems


def test_facts_of_a_test_are_those_of_its_examples(root):
    (group, _) = find_groups(root)
    read_tests(group)
    for _ in range(2):
        saved = SavedTests()
        tests = saved.read(group)
        for seed, examples in read_tests(group).items():
            assert tests[seed].facts.mean == examples.scores.mean()
            assert tests[seed].facts.baselines == list(examples.baseline_scores)
        saved.close()


def test_quantiles_are_kept_with_the_verdicts(root):
    compare_groups(find_groups(root))
    (known, *_) = QUANTILES
    value = QUANTILES.pop(known)
    SavedTests()
    assert QUANTILES[known] == value == quantile(*known)


def test_pictures_are_drawn_again_only_if_something_has_changed(
    root, tmp_path, monkeypatch
):
    drawn = []
    for module, name in (
        (comparison_figure, "draw_comparison"),
        (cost_figure, "draw_cost"),
    ):
        real = getattr(module, name)

        def draw(groups, real=real, name=name):
            drawn.append(name)
            return real(groups)

        monkeypatch.setattr(module, name, draw)
    both = ["draw_comparison", "draw_cost"]

    def compare():
        drawn.clear()
        main(["--results-dir", str(root), "--to", str(tmp_path / "to")])
        return drawn

    assert compare() == both
    picture = tmp_path / "to" / "all.png"
    content = picture.read_bytes()
    assert compare() == []
    picture.write_bytes(b"x" + content[1:])  # the user, or another program
    assert compare() == ["draw_comparison"]
    assert picture.read_bytes() == content
    picture.unlink()
    assert compare() == ["draw_comparison"]
    shutil.rmtree(find_groups(root)[0].runs[0].path)
    assert compare() == both
    assert picture.read_bytes() != content


def test_a_comparison_reads_the_same_from_the_index(root, tmp_path, capsys):
    outputs, files = set(), []
    for _ in range(2):
        main(["--results-dir", str(root), "--to", str(tmp_path / "to")])
        outputs.add(capsys.readouterr().out)
        paths = sorted((tmp_path / "to").iterdir())
        files.append({path.name: path.read_bytes() for path in paths})
    assert len(outputs) == 1
    assert len(files[0]) == 6
    assert files[0] == files[1]
