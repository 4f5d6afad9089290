"""The generated tasks: best achievable scores by hand, their parts, and leaks."""

import dataclasses
import math

import numpy as np
import pytest

from shared.baselines.baseline import check_for_leak, make_baseline
from shared.baselines.generated import sine_baselines, sum_baselines, vowel_baselines
from shared.core.errors import UserError
from shared.data.generated.sine import (
    SineConfig,
    make_sine,
    predict_bayes,
    solve_best_linear,
    start_free_run,
)
from shared.data.generated.sums import SumsConfig, make_sums
from shared.data.generated.vowels import (
    VowelsConfig,
    VowelSource,
    make_source,
    make_vowels,
)
from shared.data.splits import Examples, Splits
from shared.tasks.task import (
    BinaryClassification,
    Classification,
    NextToken,
    Regression,
)

SINE = SineConfig(
    frequency=0.3, time_step=0.1, noise=0.1, lookback=10, delay=3, phase="random",
    points=20_000, train_points=100, validation_points=100, test_points=19_800,
)  # fmt: skip
NEXT = dataclasses.replace(
    SINE, frequency=0.01, time_step=1.0, noise=0.2, lookback=4, delay=1
)
VOWELS = VowelsConfig(
    order=3, source_seed=0, concentration=0.3, lookback=5, train_vowels=4_000,
    validation_vowels=500, test_vowels=1_000,
)  # fmt: skip


def mean_square(predictions, targets):
    return float(np.mean((np.asarray(predictions) - targets) ** 2))


def test_the_target_comes_after_the_delay():
    # Little noise: the window and the target lie on one sine.
    config = dataclasses.replace(SINE, noise=1e-3, points=400, test_points=100)
    test = make_sine(config, seed=0).test
    window, target = test.inputs[0, :, 0], test.targets[0]
    phase = math.asin(window[0])
    if window[1] < window[0]:
        phase = math.pi - phase
    # A sample ahead or behind moves the sine by about 0.03 on its slopes.
    assert abs(window[0]) < 0.8
    assert window == pytest.approx(np.sin(phase + 0.03 * np.arange(10)), abs=0.006)
    assert target == pytest.approx(math.sin(phase + 0.03 * (9 + 3)), abs=0.006)


def test_a_running_series_is_split_in_time_without_overlap():
    config = dataclasses.replace(
        SINE, phase="running", noise=1e-3, points=1_000, train_points=500,
        validation_points=300, test_points=200,
    )  # fmt: skip
    splits = make_sine(config, seed=0)
    parts = (splits.train, splits.validation, splits.test)
    assert [len(part) for part in parts] == [500 - 12, 300 - 12, 200 - 12]
    for part, first, stop in zip(parts, (0, 500, 800), (500, 800, 1000), strict=True):
        assert part.inputs[0, 0, 0] == pytest.approx(math.sin(0.03 * first), abs=0.006)
        last = math.sin(0.03 * (stop - 1))
        assert part.targets[-1] == pytest.approx(last, abs=0.006)


@pytest.mark.parametrize(
    ("config", "bayes", "linear", "last"),
    [
        (dataclasses.replace(SINE, delay=4), 0.0130, 0.0177, 0.0273),
        (NEXT, 0.0484, 0.0501, 0.0801),
    ],
    ids=["0.03 rad, 4 ahead", "0.01 rad, next"],
)
def test_the_baselines_of_the_sine_are_the_known_ones(config, bayes, linear, last):
    # Known from another computation, rounded to the last digit.
    splits = make_sine(config, seed=5)
    test = splits.test
    sampling = 3 * math.sqrt(2 / len(test))  # of a mean square, relative
    assert solve_best_linear(config)[1] == pytest.approx(linear, abs=6e-5)
    assert mean_square(test.best_possible, test.targets) == pytest.approx(
        bayes, rel=sampling + 0.005
    )
    baselines = {
        baseline.name: baseline.test["mse"]
        for baseline in sine_baselines(splits, config)
    }
    assert baselines["best linear"] == pytest.approx(linear, rel=sampling)
    assert baselines["repeat last"] == pytest.approx(last, rel=sampling)
    assert baselines["noise variance"] == config.noise**2
    ordered = [
        baselines[name]
        for name in (
            "noise variance", "Bayes from the window", "best linear", "repeat last",
        )
    ]  # fmt: skip
    assert ordered == sorted(ordered)


def test_a_fit_finds_the_best_linear_weights():
    test = make_sine(NEXT, seed=1).test
    fitted, *_ = np.linalg.lstsq(test.inputs[:, :, 0], test.targets, rcond=None)
    assert solve_best_linear(NEXT)[0] == pytest.approx(fitted, abs=0.03)


def test_bayes_by_hand():
    # One sample x = 0 means phase 0 or pi, equally likely. A quarter period later the
    # sine is +1 or -1, so the best prediction is 0. A second sample decides.
    config = dataclasses.replace(
        SINE, frequency=math.pi / 2, time_step=1.0, noise=0.05, lookback=1, delay=1
    )
    assert predict_bayes(config, np.array([[0.0]])) == pytest.approx([0], abs=1e-6)
    config = dataclasses.replace(config, lookback=2)
    windows = np.array([[0.0, 1.0], [0.0, -1.0]])
    assert predict_bayes(config, windows) == pytest.approx([0, 0], abs=1e-3)
    config = dataclasses.replace(config, delay=2)
    assert predict_bayes(config, windows) == pytest.approx([-1, 1], abs=0.01)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"test_points": 30_000}, "--points 20000: the three parts need 30200"),
        ({"train_points": 0}, "--train-points 0"),
        ({"phase": "running", "test_points": 12}, "--test-points 12: holds no window"),
        ({"noise": 1e-5}, "--noise 1e-05: too little"),
        ({"points": 10**14}, "takes at most 100,000,000"),
        ({"noise": 0.0}, r"--noise 0\.0"),
        ({"delay": 0}, "--delay 0"),
        ({"frequency": -1.0}, r"--frequency -1\.0"),
    ],
)
def test_impossible_settings_of_the_sine_are_refused(changes, message):
    with pytest.raises(UserError, match=message):
        dataclasses.replace(SINE, **changes).validate()


@pytest.mark.parametrize("noise", [0.001, 0.003, 0.03, 0.3, 3.0])
def test_bayes_is_never_worse_than_best_linear(noise):
    config = dataclasses.replace(
        SINE, noise=noise, points=2_200, test_points=2_000, lookback=6
    )
    config.validate()
    baselines = {
        baseline.name: baseline.test["mse"]
        for baseline in sine_baselines(make_sine(config, 0), config)
    }
    assert baselines["Bayes from the window"] <= 1.01 * baselines["best linear"]


def test_a_series_without_all_phases_is_refused():
    running = dataclasses.replace(
        SINE, phase="running", points=20_000, train_points=9_000,
        validation_points=2_000, test_points=2_000,
    )  # fmt: skip
    running.validate()
    few = dataclasses.replace(running, test_points=500)
    with pytest.raises(UserError, match=r"--test-points 500: holds 2\.4 periods"):
        few.validate()
    lattice = dataclasses.replace(running, frequency=math.pi, time_step=1.0)
    with pytest.raises(UserError, match="always meet the same few phases"):
        lattice.validate()


def test_a_free_run_starts_where_the_window_ends():
    config = dataclasses.replace(NEXT, noise=1e-9)
    window, clean = start_free_run(config, seed=0, steps=5)
    assert window == pytest.approx(np.sin(0.01 * np.arange(4)), abs=1e-6)
    assert clean == pytest.approx(np.sin(0.01 * np.arange(4, 9)))


def test_generated_data_follow_the_seed():
    for make, config in ((make_sine, SINE), (make_vowels, VOWELS)):
        first, again, other = make(config, 0), make(config, 0), make(config, 1)
        assert np.array_equal(first.test.inputs, again.test.inputs)
        assert not np.array_equal(first.test.inputs, other.test.inputs)


# A source of order 1 that stays within the first two vowels.
HALVES = VowelSource(
    np.array(
        [
            [0.75, 0.25, 0, 0, 0],
            [0.50, 0.50, 0, 0, 0],
            [1, 0, 0, 0, 0],
            [1, 0, 0, 0, 0],
            [1, 0, 0, 0, 0],
        ]
    )
)


def test_the_entropy_by_hand():
    # Stationary: p = 0.75 p + 0.5 (1 - p), so p = 2/3.
    assert HALVES.stationary == pytest.approx([2 / 3, 1 / 3, 0, 0, 0])
    after_a = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    expected = 2 / 3 * after_a + 1 / 3 * math.log(2)
    assert HALVES.entropy() == pytest.approx(expected)
    # P(aa) = 2/3 * 3/4, P(aae) = 2/3 * 3/4 * 1/4.
    assert HALVES.ngram_shares(2)[0, 0] == pytest.approx(1 / 2)
    assert HALVES.ngram_shares(3)[0, 0, 1] == pytest.approx(1 / 8)


def test_entropy_and_shares_of_order_three_are_those_of_a_long_text():
    source = make_source(VOWELS)
    assert source.ngram_shares(4).sum() == pytest.approx(1)
    assert source.ngram_shares(2) == pytest.approx(source.ngram_shares(4).sum((0, 1)))
    text = source.draw(200_000, np.random.default_rng(0))
    windows = np.lib.stride_tricks.sliding_window_view(text[:-1], 3)
    losses = -np.log(source.predict(windows)[np.arange(len(windows)), text[3:]])
    assert losses.mean() == pytest.approx(source.entropy(), abs=0.01)
    for n in (1, 2, 3):
        grams = np.lib.stride_tricks.sliding_window_view(text, n)
        counts = np.zeros((5,) * n)
        np.add.at(counts, tuple(grams.T), 1)
        assert counts / len(grams) == pytest.approx(source.ngram_shares(n), abs=0.006)


def test_vowel_windows_are_the_text():
    splits = make_vowels(VOWELS, seed=0)
    inputs, targets = splits.test.inputs, splits.test.targets
    assert inputs.shape == (1_000 - 5, 5, 5)
    vowels = inputs.argmax(axis=-1)
    assert np.array_equal(vowels[1:, -1], targets[:-1])
    assert np.array_equal(vowels[1:, :-1], vowels[:-1, 1:])
    expected = make_source(VOWELS).predict(vowels)
    assert np.array_equal(splits.test.best_possible, expected)


def test_a_window_shorter_than_the_source_keeps_the_best_score():
    splits = make_vowels(dataclasses.replace(VOWELS, lookback=2), seed=0)
    baselines = {
        baseline.name: baseline.test["cross_entropy"]
        for baseline in vowel_baselines(splits)
    }
    assert set(baselines) == {"the source", "1-gram", "2-gram", "3-gram"}
    assert baselines["the source"] < baselines["3-gram"] < baselines["1-gram"]


def test_ngram_baselines_by_hand():
    # Text a e a e a: after a comes e twice, after e comes a twice.
    text = np.array([0, 1, 0, 1, 0])
    inputs = np.eye(5, dtype=np.float32)[text[:-1]][:, None]
    part = Examples(inputs, text[1:], best_possible=np.full((4, 5), 0.2))
    baselines = {
        baseline.name: baseline
        for baseline in vowel_baselines(
            Splits("toy", part, part, part, task=NextToken())
        )
    }
    share = 2.5 / (2 + 5 * 0.5)
    assert baselines["2-gram"].test["cross_entropy"] == pytest.approx(-math.log(share))
    assert baselines["1-gram"].test["cross_entropy"] == pytest.approx(
        -math.log(2.5 / (4 + 5 * 0.5))
    )
    assert baselines["the source"].test["cross_entropy"] == pytest.approx(math.log(5))


def test_the_sum_is_solved_by_a_linear_model():
    splits = make_sums(SumsConfig(10, 5, 500, 50, 50), seed=0)
    sums = splits.test.inputs.sum(axis=(1, 2))
    assert splits.test.targets == pytest.approx(sums, rel=1e-5)
    assert splits.scale.mean == pytest.approx(25, abs=0.3)
    baselines = {
        baseline.name: baseline.test["mse"] for baseline in sum_baselines(splits)
    }
    assert baselines["linear model (exact)"] < 1e-9
    assert baselines["predict the mean"] == pytest.approx(50 / 12, rel=0.5)
    assert baselines["the sum itself"] == 0


@pytest.mark.parametrize("name", ["steps", "features", "train_windows"])
def test_a_sum_of_nothing_is_refused(name):
    config = dataclasses.replace(SumsConfig(10, 5, 500, 50, 50), **{name: 0})
    with pytest.raises(UserError, match="takes whole numbers from"):
        config.validate()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"order": 9}, "--order 9"),
        ({"lookback": 0}, "--lookback 0"),
        ({"test_vowels": 5}, "--test-vowels 5: too short"),
        ({"concentration": 0.0}, r"--concentration 0\.0"),
        ({"concentration": 1e308}, r"--concentration 1e\+308"),
        ({"source_seed": -1}, "--source-seed -1"),
    ],
)
def test_impossible_settings_of_the_vowels_are_refused(changes, message):
    with pytest.raises(UserError, match=message):
        dataclasses.replace(VOWELS, **changes).validate()


def test_metrics_by_hand():
    assert Regression().measure("mae", [1, 2], [2, 0]).tolist() == [1, 2]
    assert Regression().measure("mse", [1, 2], [2, 0]).tolist() == [1, 4]
    two, several = BinaryClassification(), Classification()
    shares = [[0.2, 0.8], [0.6, 0.4]]
    assert several.measure("accuracy", [1, 1], shares).tolist() == [1, 0]
    expected = [-math.log(0.8), -math.log(0.4)]
    assert several.measure("cross_entropy", [1, 1], shares) == pytest.approx(expected)
    assert two.measure("cross_entropy", [1, 1], [0.8, 0.4]) == pytest.approx(expected)
    assert two.measure("accuracy", [0, 1], [0.5, 0.5]).tolist() == [1, 0]


def test_the_best_possible_itself_is_no_leak():
    test = make_sine(SINE, seed=0).test
    check = check_for_leak(Regression(), test, test.best_possible)
    assert check["difference"] == 0
    assert check["leak"] is False


def test_a_model_that_knows_the_target_is_a_leak():
    test = make_sine(dataclasses.replace(SINE, noise=0.2), seed=0).test
    peeked = 0.9 * test.best_possible + 0.1 * test.targets
    check = check_for_leak(Regression(), test, peeked)
    assert check["leak"] is True
    assert check["difference"] < 0


def test_a_classifier_that_peeks_is_a_leak():
    test = make_vowels(VOWELS, seed=0).test
    peeked = 0.9 * test.best_possible + 0.1 * np.eye(5)[test.targets]
    assert check_for_leak(NextToken(), test, peeked)["leak"] is True
    weak = 0.9 * test.best_possible + 0.1 * 0.2
    check = check_for_leak(NextToken(), test, weak)
    assert check["leak"] is False
    assert check["difference"] > 0
    assert (
        check_for_leak(Classification(), test, np.eye(5)[test.targets])["leak"] is True
    )


def test_luck_is_not_reported_as_a_leak():
    # The best predictions plus a little noise: on a small test, half of such models
    # are better by luck alone.
    random = np.random.default_rng(0)
    checks = []
    for _ in range(200):
        targets = random.normal(size=400)
        test = Examples(targets, targets, best_possible=np.zeros(400))
        guess = random.normal(0, 0.001, 400)
        checks.append(check_for_leak(Regression(), test, guess))
    ahead = [check for check in checks if check["difference"] < 0]
    assert len(ahead) > 50
    assert sum(check["leak"] for check in checks) <= 2


def test_dependent_neighbours_are_no_evidence():
    # Errors that stay the same for 300 examples: four independent ones among 1,200.
    random = np.random.default_rng(0)
    slow = np.repeat(random.normal(size=40), 300)
    found = {1: 0, 300: 0}
    for k in range(10):
        part = slow[k * 1_200 : (k + 1) * 1_200]
        for dependence in found:
            test = Examples(
                part, part, best_possible=np.zeros(1_200), dependence=dependence
            )
            check = check_for_leak(Regression(), test, np.full(1_200, 0.3))
            found[dependence] += bool(check["leak"])
            assert (check["leak"] is None) == (dependence == 300)
    assert found[1] > 0 == found[300]


def test_without_best_predictions_there_is_no_check():
    part = Examples(np.zeros((5, 2)), np.zeros(5))
    assert check_for_leak(Regression(), part, np.zeros(5)) is None


def test_a_baseline_scores_validation_and_test_apart():
    validation = Examples(np.zeros((2, 1)), np.array([1.0, 3.0]))
    test = Examples(np.zeros((1, 1)), np.array([5.0]))
    splits = Splits("toy", test, validation, test, task=Regression())
    baseline = make_baseline("two", splits, lambda part: np.full(len(part), 2.0))
    assert baseline.validation == {"loss": 1, "mse": 1}
    assert baseline.test == {"loss": 9, "mse": 9}
    assert baseline.predictions.tolist() == [2]
