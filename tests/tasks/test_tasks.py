"""Every kind of task, with values worked out by hand."""

import json
import math

import numpy as np
import pytest

from shared.compare.__main__ import main as compare
from shared.compare.example_scores import read_tests
from shared.compare.verdicts import compare_groups
from shared.core.errors import UserError
from shared.core.statistics import compare_scores
from shared.plots.run_figures import draw_run, is_hourly
from shared.report.render import build_page
from shared.runs.groups import group_runs
from shared.tasks.kinds import KINDS, read_task
from shared.tasks.next_tokens import CHARACTERS, NextTokens
from shared.tasks.score import ACCURACY, Score, absolute_error
from shared.tasks.task import (
    BinaryClassification,
    Classification,
    MultiStepForecast,
    NextToken,
    Regression,
    StepLabelling,
)
from shared.tasks.text_classification import TextClassification
from tests.toy.train import toy_recipes, train_toy
from tests.undrawn import leave_undrawn

one_process = pytest.mark.xdist_group("tasks")  # it trains what the tests share

EXAMPLES = [
    BinaryClassification(classes=("bad", "good")),
    Classification(classes=("a", "b", "c")),
    TextClassification.choose("macro_f1", ("a", "b", "c")),
    NextToken(classes=tuple("aeiou")),
    NextTokens.choose("word", 2),
    StepLabelling(classes=("noun", "verb"), ignore=-1),
    Regression(absolute_error("deg C"), "T (degC)"),
    MultiStepForecast(absolute_error("kW"), "load"),
]


def test_every_kind_is_tried():
    assert {task.kind for task in EXAMPLES} == set(KINDS)


@pytest.mark.parametrize("task", EXAMPLES, ids=lambda task: task.kind)
def test_a_task_survives_the_run_folder(task):
    assert read_task(json.loads(json.dumps(task.to_json()))) == task


def test_an_unknown_kind_is_named():
    with pytest.raises(ValueError, match="unknown kind of task 'ranking'"):
        read_task({"kind": "ranking", "score": ACCURACY.to_json()})


def test_two_classes_by_hand():
    task = BinaryClassification(classes=("bad", "good"))
    targets, shares = np.array([1, 1, 0, 0]), np.array([0.9, 0.5, 0.2, 0.6])
    assert task.measure("accuracy", targets, shares).tolist() == [1, 0, 1, 0]
    expected = [-math.log(0.9), -math.log(0.5), -math.log(0.8), -math.log(0.4)]
    found = task.measure("cross_entropy", targets, shares)
    assert found == pytest.approx(expected)
    assert task.predict_constant(np.array([1, 1, 1, 0])) == 0.75
    assert task.format_prediction(np.array(0.2)) == "bad (0.80)"


def test_three_classes_by_hand():
    task = Classification(classes=("a", "b", "c"))
    shares = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6], [0.2, 0.5, 0.3]])
    targets = np.array([0, 1, 1])
    assert task.measure("accuracy", targets, shares).tolist() == [1, 0, 1]
    expected = [-math.log(0.7), -math.log(0.3), -math.log(0.5)]
    assert task.measure("cross_entropy", targets, shares) == pytest.approx(expected)
    assert task.predict_constant(np.array([0, 0, 2, 1])).tolist() == [0.5, 0.25, 0.25]
    assert task.format_prediction(shares[1]) == "c (0.60)"


def one_hot(labels, classes):
    return np.eye(classes)[labels]


def test_a_perfect_tagger_scores_one():
    # 6 steps x 3 classes, and 3 x 3, where the axes have the same size.
    for steps in (6, 3):
        task = StepLabelling(classes=("a", "b", "c"))
        labels = np.random.default_rng(0).integers(0, 3, (4, steps))
        found = task.measure("accuracy", labels, one_hot(labels, 3))
        assert found.tolist() == [1, 1, 1, 1]


def test_labels_per_step_by_hand():
    task = StepLabelling(classes=("a", "b", "c"), ignore=-1)
    targets = np.array([[0, 1, 2], [2, 2, -1]])  # the last step is padding
    guesses = np.array([[0, 1, 1], [2, 0, 0]])
    shares = 0.7 * one_hot(guesses, 3) + 0.1
    assert task.measure("accuracy", targets, shares) == pytest.approx([2 / 3, 1 / 2])
    right, wrong = -math.log(0.8), -math.log(0.1)
    expected = [(2 * right + wrong) / 3, (right + wrong) / 2]
    assert task.measure("cross_entropy", targets, shares) == pytest.approx(expected)
    constant = task.predict_constant(targets)
    assert constant.shape == (3, 3)
    assert constant[0] == pytest.approx([1 / 5, 1 / 5, 3 / 5])
    assert task.format_prediction(shares[0]) == "a b b"


def test_the_next_tokens_by_hand():
    """Of four steps the last two are scored; one of them is unknown (id 2)."""
    task = NextTokens.choose("character", 2)
    targets = np.array([[3, 2]])
    shares = np.array([[0.25] * 4, [0.1, 0.2, 0.3, 0.4], [0, 0, 0.5, 0.5], [0.25] * 4])
    with np.errstate(divide="ignore"):
        logits = np.log(shares)[None] + 5
    kept = task.keep(targets, logits)
    expected = [[0.5, 0.25 / CHARACTERS]]
    assert kept == pytest.approx(np.array(expected))
    bits = (1 + 2 + math.log2(CHARACTERS)) / 2
    assert task.measure("bits_per_character", targets, kept) == pytest.approx([bits])
    nats = bits * math.log(2)
    assert task.measure("cross_entropy", targets, kept) == pytest.approx([nats])
    # as Keras measures it, in training and validation
    finite = np.maximum(logits, -50).astype(np.float32)
    assert float(task.loss(targets, finite)) == pytest.approx(nats, rel=1e-5)
    (metric,) = task.metrics()
    metric.update_state(targets, finite)
    assert float(metric.result()) == pytest.approx(bits, rel=1e-5)
    words = NextTokens.choose("word", 2)  # nobody spells an unknown word
    assert words.keep(targets, logits) == pytest.approx(np.array([[0.5, 0.25]]))
    with pytest.raises(UserError, match="next_tokens"):
        task.measure("cross_entropy", targets, kept[:, :1])


def test_several_steps_by_hand():
    task = MultiStepForecast(absolute_error("kW"))
    targets = np.array([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]])
    forecast = np.array([[1.0, 4.0, 2.0], [3.0, 0.0, 0.0]])
    assert task.measure("mae", targets, forecast).tolist() == [1, 1]
    assert task.measure("mse", targets, forecast) == pytest.approx([5 / 3, 3])
    assert task.predict_constant(targets).tolist() == [0.5, 1.0, 1.5]
    assert task.format_prediction(np.array([1.5, 2.25])) == "1.5, 2.25 kW"


def test_one_number_by_hand():
    task = Regression(absolute_error("deg C"))
    assert task.measure("mae", np.array([1.0, 2]), np.array([3.0, 1])).tolist() == [
        2,
        1,
    ]
    assert task.metrics() == ["mae"]
    assert task.format_prediction(np.array(21.5)) == "21.5 deg C"
    with pytest.raises(UserError, match=r"\(4, 3\).* do not fit the task regression"):
        task.measure("mae", np.zeros((4, 3)), np.zeros((4, 3)))


def test_the_standard_error_of_several_steps_counts_examples():
    """The error of a mean over n examples falls with the root of n, steps or not."""
    random = np.random.default_rng(0)
    task = MultiStepForecast()
    targets = random.normal(size=(2_500, 1)).repeat(3, axis=1)  # all steps alike
    errors = [
        task.measure("mse", targets, np.zeros_like(targets)),
        task.measure("mse", targets, np.full_like(targets, 0.5)),
    ]
    differences = errors[0] - errors[1]
    by_hand = differences.std(ddof=1) / math.sqrt(2_500)
    found = compare_scores({0: errors[0]}, {0: errors[1]}, same_examples=True)
    assert found.standard_error == pytest.approx(by_hand, rel=0.1)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    with toy_recipes():
        with leave_undrawn():
            runs = {
                kind: [train_toy("toy_tasks", root, "--kind", kind)]
                for kind in ("binary", "auc", "classes", "labels")
            }
            runs["labels of 6 steps"] = [
                train_toy("toy_tasks", root, "--kind", "labels", "--steps", "6")
            ]
            runs["steps"] = [
                train_toy("toy_tasks", root, "--kind", "steps", "--seed", str(seed))
                for seed in range(5)
            ]
        yield root, runs


@one_process
def test_a_forecast_of_three_steps_works_with_five_seeds(trained):
    _, runs = trained
    (group,) = group_runs(runs["steps"])
    tests = read_tests(group)
    assert len(tests) == 5
    for test in tests.values():
        assert test.scores.shape == (200,)
        assert test.targets.shape == (200, 3)
    (verdict,) = compare_groups([group])
    assert verdict.difference.seeds == (5, 5)
    assert verdict.examples == 200
    names = {name for name, _ in draw_run(runs["steps"][0])}
    assert names == {"curves", "error_by_step"}


@one_process
@pytest.mark.parametrize("kind", ["labels", "labels of 6 steps"])
def test_labels_per_step_are_compared(trained, kind):
    _, runs = trained
    (group,) = group_runs(runs[kind])
    (test,) = read_tests(group).values()
    assert test.scores.shape == (200,)
    reached = runs[kind][0].summary["test"]["best"]["test_accuracy"]
    assert test.scores.mean() == pytest.approx(reached, abs=1e-6)


@one_process
def test_a_metric_of_ones_own_breaks_nothing(trained, capsys):
    root, runs = trained
    (run,) = runs["binary"]
    assert {"AUC", "val_AUC"} <= set(run.history)
    assert "test_AUC" in run.summary["test"]["best"]
    assert run.score == ACCURACY
    compare(["--results-dir", str(root), "--to", str(root.parent / "to")])
    text = capsys.readouterr().out
    for kind in runs:
        assert f"toy-{kind.split()[0]}" in text
    page = build_page({"own": root, "reference": root.parent / "none"})
    assert "AUC" in page


@one_process
def test_auc_can_pick_the_epoch_and_gives_no_verdict(trained):
    _, runs = trained
    (run,) = runs["auc"]
    assert run.score.metric == "AUC"
    assert run.summary["best"]["val_AUC"] == max(run.history["val_AUC"])
    groups = group_runs([*runs["auc"]])
    assert read_tests(groups[0]) == {}


def test_a_forgotten_score_is_one_line_before_training(tmp_path, capsys):
    with toy_recipes(), pytest.raises(SystemExit) as stop:
        train_toy("toy_tasks", tmp_path, "--kind", "forgotten")
    assert stop.value.code == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "the score of this task is 'AUC'" in line
    assert "metrics=data.task.metrics()" in line
    assert not list(tmp_path.glob("*/*"))


def test_targets_that_do_not_fit_the_task_are_one_line(tmp_path, capsys):
    with toy_recipes(), pytest.raises(SystemExit) as stop:
        train_toy("toy_tasks", tmp_path, "--kind", "mismatch")
    assert stop.value.code == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "(16, 3)" in line
    assert "binary_classification" in line
    assert not list(tmp_path.glob("*/*"))


@pytest.mark.parametrize(
    ("step", "hourly"), [("10m", True), ("1h", True), ("6h", False), ("1D", False)]
)
def test_the_picture_by_hour_is_for_hourly_data(step, hourly):
    number, unit = int(step[:-1]), step[-1]
    times = np.datetime64("2020-01-01T00:00:00") + np.arange(200) * np.timedelta64(
        number, unit
    )
    assert is_hourly(times) is hourly


def test_a_day_of_daily_data_has_no_hours():
    assert not is_hourly(np.array(["2020-01-01"], "datetime64[s]"))


def test_scores_of_other_metrics_have_names_and_units():
    assert Score("AUC", higher_is_better=True).format_unit() == (1.0, " AUC")
    assert ACCURACY.format_unit() == (100.0, " points")
    assert absolute_error("m").format_unit() == (1.0, " m")
    assert Score("mse", higher_is_better=False, unit="m").format_unit() == (1.0, " m²")
