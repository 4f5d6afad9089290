"""Verdicts on run folders: what is compared, the sentences, what else differs."""

import csv
import json
import re

import numpy as np
import pytest

from shared.baselines.baseline import Baseline
from shared.compare.__main__ import main
from shared.compare.differences import find_differences
from shared.compare.published_verdicts import COLUMNS, VERDICTS, read_verdicts
from shared.compare.verdicts import choose_effect, compare_groups, format_ends
from shared.core.errors import UserError
from shared.core.files import to_csv
from shared.data.splits import Examples, Splits
from shared.runs.cost import find_front
from shared.runs.groups import choose_runs, group_runs
from shared.runs.writer import RunFolder
from shared.tasks.score import ACCURACY, SQUARED_ERROR, absolute_error
from shared.tasks.task import BinaryClassification, Regression
from tests.helpers import make_settings, run_python
from tests.runs.test_runs import make_model, row

NUM_TEST = 400
TWO_CLASSES = BinaryClassification()
SQUARED = Regression(SQUARED_ERROR)


def make_run(
    root, recipe, seed, targets, predictions, task=TWO_CLASSES,
    baselines=None, times=None, dependence=1, seconds=3.0, memory=900, keep=True,
    drawn_per_seed=False, **settings
):  # fmt: skip
    """Write a finished run that kept its test predictions."""
    test = Examples(targets, targets, times=times, dependence=dependence)
    metric = task.score.metric
    reached = float(task.measure(metric, targets, predictions).mean())
    found = []
    for name, baseline in (baselines or {}).items():
        scores = {metric: float(task.measure(metric, targets, baseline).mean())}
        found.append(Baseline(name, scores, scores, predictions=baseline))
    every = make_settings(seed=seed, units=3, **settings)
    if "mask" in settings:
        every.follows["mask"] = "batching"
    folder = RunFolder(recipe, every, settings, "python x.py", root)
    splits = Splits(
        "data", test, test, test, task=task, test_depends_on_seed=drawn_per_seed
    )
    folder.open(splits, found, make_model([metric]))
    best = row(1) | {f"val_{metric}": reached, metric: reached}
    folder.write_progress([best], best)
    if keep:
        folder.write_predictions(test, predictions)
    scores = {f"test_{metric}": reached, "test_loss": 0.5}
    folder.close("finished", test={"best": scores, "last": scores}, seconds=seconds)
    path = folder.path / "summary.json"
    path.write_text(
        json.dumps(json.loads(path.read_text()) | {"peak_memory_mb": memory})
    )
    return folder.path


def make_labels(seed=0):
    return np.random.default_rng(seed).integers(0, 2, NUM_TEST).astype(np.float32)


def answer(targets, share, seed):
    """Return probabilities that are right for about a share of the targets."""
    right = np.random.default_rng(seed + 100).random(len(targets)) < share
    return np.where(right, targets, 1 - targets) * 0.8 + 0.1


def compare_all(root):
    return compare_groups(group_runs(choose_runs([], root)[0]))


def test_a_planted_difference_is_found_in_points(tmp_path):
    labels = make_labels()
    for seed in range(3):
        make_run(tmp_path, "good", seed, labels, answer(labels, 0.9, seed))
        make_run(tmp_path, "bad", seed, labels, answer(labels, 0.6, 9 + seed))
    (verdict,) = compare_all(tmp_path)
    assert (verdict.first, verdict.second) == ("bad", "good")
    assert -0.4 < verdict.difference.value < -0.2
    assert verdict.sentence.startswith("good is ")
    assert verdict.sentence.endswith(" points better than bad (95 %, 3 seeds).")
    low, high = map(float, re.findall(r"[\d.]+", verdict.sentence)[:2])
    assert 10 < low < 30 < high < 50


def test_a_lower_error_is_better(tmp_path):
    random = np.random.default_rng(0)
    targets = random.normal(0, 3, NUM_TEST).astype(np.float32)
    noise = random.normal(0, 1, (6, NUM_TEST))
    for seed in range(3):
        for k, (recipe, scale) in enumerate((("near", 1), ("far", 2))):
            predictions = targets + scale * noise[seed + 3 * k]
            task = Regression(absolute_error("m"))
            make_run(tmp_path, recipe, seed, targets, predictions, task)
    (verdict,) = compare_all(tmp_path)
    assert verdict.difference.value == pytest.approx(0.8, abs=0.1)  # sqrt(2 / pi)
    assert verdict.sentence.startswith("near is 0.")
    assert " m better than far (95 %, 3 seeds)." in verdict.sentence


def test_runs_that_answer_alike_differ_in_nothing(tmp_path):
    labels = make_labels()
    for seed in range(2):
        for kernel in ("keras", "compiled"):
            predictions = answer(labels, 0.8, seed)
            make_run(tmp_path, "same", seed, labels, predictions, kernel=kernel)
    (verdict,) = compare_all(tmp_path)
    assert "no difference: both score every test example alike" in verdict.sentence
    assert "Nothing differs that is known to change the numbers." in verdict.differs
    assert "--kernel (compiled / keras)" in " ".join(verdict.differs)


def test_no_difference_shown_says_what_would_settle_it(tmp_path):
    labels = make_labels()
    for seed in range(3):
        for k, recipe in enumerate(("one", "other")):
            predictions = answer(labels, 0.8, 10 * k + seed)
            make_run(tmp_path, recipe, seed, labels, predictions)
    (verdict,) = compare_all(tmp_path)
    assert verdict.sentence.startswith("one and other: no difference shown (-")
    assert "0.5 points" in verdict.sentence
    assert verdict.difference.p > 0.05


def test_a_single_seed_says_something_of_the_trained_networks_only(tmp_path):
    labels = make_labels()
    make_run(tmp_path, "good", 0, labels, answer(labels, 0.9, 0))
    make_run(tmp_path, "bad", 0, labels, answer(labels, 0.6, 9))
    (verdict,) = compare_all(tmp_path)
    assert "one seed: holds for these trained networks, not for the recipes" in (
        verdict.sentence
    )


def test_other_examples_for_each_seed_are_recognised_by_their_targets(tmp_path):
    for seed in range(3):
        labels = make_labels(seed)
        make_run(tmp_path, "good", seed, labels, answer(labels, 0.9, seed))
        make_run(tmp_path, "bad", seed, labels, answer(labels, 0.6, 9 + seed))
    (verdict,) = compare_all(tmp_path)
    assert verdict.difference.freedom == pytest.approx(2)
    assert verdict.difference.example_variance == 0
    assert verdict.difference.design == "paired"


def test_examples_drawn_per_seed_differ_although_their_labels_are_alike(tmp_path):
    labels = make_labels()
    for seed in range(3):
        for k, recipe in enumerate(("one", "other")):
            predictions = answer(labels, 0.8, 10 * k + seed)
            make_run(
                tmp_path,
                recipe,
                seed,
                labels,
                predictions,
                drawn_per_seed=True,
                limit=NUM_TEST,
            )
    (verdict,) = compare_all(tmp_path)
    assert verdict.difference.example_variance == 0


def test_forecasts_are_compared_where_both_were_tested(tmp_path):
    """Another look-back loses other windows; blocks keep neighbours together."""
    random = np.random.default_rng(0)
    hours = np.datetime64("2026-01-01T00") + np.arange(500).astype("timedelta64[h]")
    truth = random.normal(0, 3, 500).astype(np.float32)
    for seed in range(3):
        for recipe, first, scale in (("short", 0, 1), ("long", 37, 2)):
            targets, times = truth[first:], hours[first:]
            predictions = targets + scale * random.normal(0, 1, len(targets))
            make_run(tmp_path, recipe, seed, targets, predictions, SQUARED,
                     times=times, dependence=24)  # fmt: skip
    (verdict,) = compare_all(tmp_path)
    assert verdict.examples == 463
    assert verdict.difference.value > 0
    assert verdict.sentence.startswith("short is ")
    make_run(tmp_path, "brief", 0, truth[:200], truth[:200] + 1, SQUARED,
             times=hours[:200], dependence=24)  # fmt: skip
    sentences = [verdict.sentence for verdict in compare_all(tmp_path)]
    assert (
        sum("No verdict: the test part of" in sentence for sentence in sentences) == 2
    )


def test_all_baselines_are_compared_on_request(tmp_path):
    labels = make_labels()
    baselines = {
        f"baseline {share}": answer(labels, share, 50) for share in (0.6, 0.95)
    }
    for seed in range(3):
        predictions = answer(labels, 0.8, seed)
        make_run(tmp_path, "a", seed, labels, predictions, baselines=baselines)
    groups = group_runs(choose_runs([], tmp_path)[0])
    best, other = compare_groups(groups, every_baseline=True)
    assert (best.second, other.second) == ("baseline 0.95", "baseline 0.6")
    assert best.sentence.startswith("baseline 0.95 is ")
    assert other.sentence.startswith("a is ")
    assert "Holm's correction for 2 baselines, 3 seeds" in other.sentence
    (alone,) = compare_groups(groups)
    assert alone.second == "baseline 0.95"


def test_the_best_baseline_is_compared_too_and_pairs_are_corrected(tmp_path):
    labels = make_labels()
    for seed in range(3):
        for k, recipe in enumerate(("a", "b", "c")):
            make_run(
                tmp_path, recipe, seed, labels, answer(labels, 0.7, 10 * k + seed),
                baselines={"some baseline": answer(labels, 0.95, 50)},
            )  # fmt: skip
    verdicts = compare_all(tmp_path)
    assert [(v.first, v.second) for v in verdicts] == [
        ("a", "b"), ("a", "c"), ("b", "c"),
        ("a", "some baseline"), ("b", "some baseline"), ("c", "some baseline"),
    ]  # fmt: skip
    assert all("Holm's correction for 3 pairs" in v.sentence for v in verdicts[:3])
    for verdict in verdicts[3:]:
        assert verdict.sentence.startswith("some baseline is ")
        assert "Holm's correction for 3 baselines, 3 seeds" in verdict.sentence
    p_values = sorted(verdict.difference.p for verdict in verdicts[3:])
    corrected = sorted(verdict.corrected for verdict in verdicts[3:])
    assert corrected[0] == pytest.approx(3 * p_values[0])


def test_many_groups_are_compared_with_the_best_on_validation(tmp_path):
    labels = make_labels()
    for k in range(7):
        make_run(tmp_path, f"r{k}", 0, labels, answer(labels, 0.5 + 0.05 * k, 0))
    verdicts = compare_all(tmp_path)
    assert len(verdicts) == 6
    assert {verdict.first for verdict in verdicts} == {"r6"}


def test_a_run_without_predictions_gets_a_note_and_no_verdict(tmp_path, capsys):
    labels = make_labels()
    make_run(tmp_path, "kept", 0, labels, answer(labels, 0.9, 0))
    make_run(tmp_path, "old", 0, labels, answer(labels, 0.9, 0), keep=False)
    main(["--results-dir", str(tmp_path), "--to", str(tmp_path / "to")])
    assert "No verdict: old saved no usable test predictions" in capsys.readouterr().out
    with (tmp_path / "to" / "all-verdicts.csv").open() as file:
        (line,) = csv.DictReader(file)
    assert line["difference"] == ""
    assert line["sentence"].startswith("No verdict")


def test_several_factors_are_not_called_the_cause(tmp_path):
    labels = make_labels()
    right = answer(labels, 0.9, 0)
    make_run(tmp_path, "gru", 0, labels, right, batching="fixed", mask=False, gate=1)
    make_run(tmp_path, "rnn", 0, labels, right, batching="bucketed", mask=True)
    make_run(tmp_path, "gru", 0, labels, right, batching="bucketed", mask=True, gate=1)
    bucketed, fixed, rnn = group_runs(choose_runs([], tmp_path)[0])
    found = find_differences(bucketed, fixed)
    assert found.moving == ["--batching (bucketed / fixed)"]  # the mask follows from it
    assert not any("More than one" in sentence for sentence in found.describe())
    found = find_differences(fixed, rnn)
    assert found.moving == ["recipe (gru / rnn)", "--batching (fixed / bucketed)"]
    assert found.lacking == [f"Only {fixed.label} has --gate 1"]
    assert (
        "More than one factor differs (recipe, --batching), so no single one explains "
        "the difference." in found.describe()
    )


def test_versions_and_code_are_factors_and_machines_are_not(tmp_path):
    labels = make_labels()
    for k, recipe in enumerate(("a", "b")):
        path = make_run(tmp_path, recipe, 0, labels, labels) / "config.json"
        config = json.loads(path.read_text())
        config["versions"] |= {"keras": f"3.1{k}", "scipy": f"1.{k}"}
        config["device"]["cpu"] = f"cpu {k}"
        config["code"] = {"commit": f"{k}" * 40, "changed": True}
        path.write_text(json.dumps(config))
    found = find_differences(*group_runs(choose_runs([], tmp_path)[0]))
    assert found.moving == [
        "recipe (a / b)", "keras (3.10 / 3.11)", "code (commits 0000000 / 1111111)",
    ]  # fmt: skip
    assert found.still == ["scipy (1.0 / 1.1)", "cpu (cpu 0 / cpu 1)"]
    assert found.unknown == ["The code of both had changes that were not committed."]


def test_other_splits_share_neither_axis_nor_verdict(tmp_path):
    labels = make_labels()
    for share in (0.2, 0.4):
        make_run(tmp_path, "a", 0, labels, labels, validation_share=share)
    groups = group_runs(choose_runs([], tmp_path)[0])
    assert [group.data for group in groups] == [
        "data (--validation-share 0.2)", "data (--validation-share 0.4)",
    ]  # fmt: skip


def test_the_efficient_front_by_hand(tmp_path):
    labels = make_labels()
    costs = {"cheap": (0.6, 1.0), "dear": (0.9, 9.0), "wasteful": (0.7, 20.0),
             "poor": (0.5, 2.0)}  # fmt: skip
    for recipe, (share, seconds) in costs.items():
        make_run(tmp_path, recipe, 0, labels, answer(labels, share, 0), seconds=seconds)
    groups = group_runs(choose_runs([], tmp_path)[0])
    assert [g.label for g in find_front(groups, "seconds")] == ["cheap", "dear"]
    assert [g.label for g in find_front(groups, "peak_memory_mb")] == ["dear"]
    path = choose_runs(["cheap"], tmp_path)[0][0].path / "config.json"
    config = json.loads(path.read_text())
    config["device"]["cpu"] = "another"
    path.write_text(json.dumps(config))
    groups = group_runs(choose_runs([], tmp_path)[0])
    assert [g.label for g in find_front(groups, "seconds")] == ["poor", "dear"]


def test_the_command_line_writes_verdicts_and_cost_without_heavy_imports(tmp_path):
    labels = make_labels()
    for seed in range(2):
        make_run(tmp_path, "good", seed, labels, answer(labels, 0.9, seed))
        make_run(tmp_path, "bad", seed, labels, answer(labels, 0.6, 9 + seed))
    program = (
        "import sys\n"
        "from shared.compare.__main__ import main\n"
        f"flags = ['--results-dir', {str(tmp_path)!r}, '--to', {str(tmp_path)!r}]\n"
        "main([*flags, '--no-verdicts'])\n"
        "assert 'scipy' not in sys.modules\n"
        "main(flags)\n"
        "heavy = {'tensorflow', 'keras', 'sklearn', 'scipy.stats'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = run_python("-c", program)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("good") >= 4
    assert "Efficient front, test score for seconds of training: " in done.stdout
    for name in ("all-cost.png", "all-verdicts.csv", "all.csv"):
        assert (tmp_path / name).is_file(), name
    with (tmp_path / "all.csv").open() as file:
        rows = {line["run"]: line for line in csv.DictReader(file)}
    assert rows["good"]["peak_memory_mb_mean"] == "900.0"
    assert rows["good"]["efficient"] == "seconds parameters peak_memory_mb"
    assert rows["bad"]["efficient"] == ""


def test_intervals_have_the_digits_their_width_deserves():
    assert format_ends(0.41, 1.58) == "0.4 to 1.6"
    assert format_ends(-0.04, 0.31) == "-0.04 to 0.31"
    assert format_ends(0.004, 1.2) == "0.004 to 1.200"  # never 0.0 where zero is out
    assert format_ends(-0.0004, 1.2) == "0.0 to 1.2"
    assert format_ends(2e-9, 5e-9) == "2e-09 to 5e-09"


def test_what_is_worth_seeing_is_a_round_share_of_the_error():
    assert ACCURACY.format_unit() == (100.0, " points")
    assert choose_effect(ACCURACY, [0.9]) == 0.005
    degrees = absolute_error("deg C")
    assert degrees.format_unit() == (1.0, " deg C")
    assert choose_effect(degrees, [2.4, 2.6]) == pytest.approx(0.02)
    assert SQUARED_ERROR.format_unit()[1] == " mse"


def test_published_verdicts_of_version_0_1_still_read(tmp_path):
    row = dict.fromkeys(sorted(COLUMNS), "") | {"first": "a"}
    text = to_csv([row]).replace("second_is_baseline", "second_is_bar")
    (tmp_path / VERDICTS).write_text(text)
    assert read_verdicts(tmp_path) == [row]
    assert read_verdicts(tmp_path / "none") == []


@pytest.mark.parametrize(
    "text", ["", "first\na\n", "x,x\n1,2\n", "x\n1,2\n", "\0", "{}", "x\n" * 9]
)
def test_damaged_published_verdicts_are_one_line(tmp_path, text):
    (tmp_path / VERDICTS).write_text(text)
    with pytest.raises(UserError, match=VERDICTS):
        read_verdicts(tmp_path)


@pytest.mark.parametrize("number", ["nan", "inf", "text", ""])
def test_a_published_interval_has_all_its_numbers(tmp_path, number):
    row = dict.fromkeys(sorted(COLUMNS), "0.5") | {"corrected_p": number}
    (tmp_path / VERDICTS).write_text(to_csv([row]))
    with pytest.raises(UserError, match=VERDICTS):
        read_verdicts(tmp_path)
