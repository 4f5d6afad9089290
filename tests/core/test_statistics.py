"""Differences between groups of runs, checked by hand and against known truths."""

import importlib.util
import math
import sys

import numpy as np
import pytest

from shared.core.statistics import (
    Difference,
    compare_scores,
    correct_holm,
    count_more_seeds,
    find_least_effect,
    quantile,
)
from tests.helpers import PROJECT


def make_scores(num_seeds=3, num_examples=70, shift=0.0, seed=0, std=0.0):
    random = np.random.default_rng(seed)
    return {
        k: shift + random.normal(0, std) + random.normal(0, 1, num_examples)
        for k in range(num_seeds)
    }


def test_the_standard_error_is_that_of_the_variance_components():
    """For means, the resampling has a closed form: mean squares of a table."""
    first, second = make_scores(5, 300, 0.3, std=0.1), make_scores(5, 300, seed=1)
    found = compare_scores(first, second, same_examples=True)
    table = np.stack([first[k] - second[k] for k in range(5)])
    rows, columns = table.mean(axis=1), table.mean(axis=0)
    left = table - rows[:, None] - columns + table.mean()
    seeds = rows.var(ddof=1) / 5
    examples = columns.var(ddof=1) / 300
    rest = np.sum(left**2) / (4 * 299) / 1500
    expected = math.sqrt(max(seeds + max(examples - rest, 0), examples))
    assert found.value == pytest.approx(table.mean())
    assert found.standard_error == pytest.approx(expected, rel=0.06)
    assert found.design == "paired"
    low, high = found.interval(0.95)
    half = quantile(0.975, found.freedom) * found.standard_error
    assert (low, high) == pytest.approx((found.value - half, found.value + half))


def test_new_examples_for_every_seed_are_a_t_test_on_the_seeds():
    from scipy.stats import ttest_1samp

    first, second = make_scores(4, 50, 0.5), make_scores(4, 50, seed=1)
    found = compare_scores(first, second, same_examples=False)
    means = [first[k].mean() - second[k].mean() for k in range(4)]
    expected = ttest_1samp(means, 0)
    assert found.freedom == pytest.approx(3)
    assert found.value / found.standard_error == pytest.approx(
        expected.statistic, rel=0.06
    )
    assert found.p == pytest.approx(expected.pvalue, rel=0.2)
    assert found.example_variance == 0


def test_at_level_one_minus_p_the_interval_reaches_zero():
    found = compare_scores(make_scores(3, 70, 0.4), make_scores(3, 70, seed=1), True)
    low, high = found.interval(1 - found.p)
    assert min(abs(low), abs(high)) == pytest.approx(0, abs=1e-9)


def test_the_order_of_seeds_and_of_the_groups_does_not_matter():
    first, second = make_scores(4, 60, 0.2), make_scores(4, 60, seed=1)
    found = compare_scores(first, second, True)
    turned = compare_scores(
        dict(reversed(first.items())), dict(reversed(second.items())), True
    )
    assert turned == found
    other = compare_scores(second, first, True)
    assert other.value == -found.value
    assert other.standard_error == pytest.approx(found.standard_error)


def test_equal_scores_have_no_difference():
    scores = make_scores()
    found = compare_scores(scores, scores, True)
    assert (found.value, found.standard_error, found.p) == (0, 0, 1)


def test_only_common_seeds_are_paired():
    first = make_scores(5, 40)
    paired = compare_scores(first, {3: first[3] + 1, 1: first[1] + 1}, True)
    assert (paired.seeds, paired.design, paired.value) == ((2, 2), "paired", -1)
    assert paired.standard_error == pytest.approx(0, abs=1e-12)
    others = {k + 9: scores for k, scores in make_scores(3, 40, seed=1).items()}
    unpaired = compare_scores(first, others, True)
    assert (unpaired.seeds, unpaired.design) == ((5, 3), "unpaired")
    assert len(unpaired.seed_variances) == 2
    one = compare_scores(first, {2: first[2] + 1}, True)
    assert (one.seeds, one.design, one.seed_variances) == ((1, 1), "networks", ())


def test_dependent_neighbours_widen_the_interval():
    random = np.random.default_rng(0)
    base = np.zeros(400)
    wave = np.repeat(random.normal(0, 1, 40), 10)
    waves = {k: wave + random.normal(0, 0.1, 400) for k in range(3)}
    alone = compare_scores(waves, dict.fromkeys(range(3), base), True)
    blocks = compare_scores(waves, dict.fromkeys(range(3), base), True, dependence=10)
    assert blocks.value == pytest.approx(alone.value)
    ratio = blocks.standard_error / alone.standard_error
    assert ratio == pytest.approx(math.sqrt(10), rel=0.15)
    with pytest.raises(ValueError, match="has 9 independent blocks of 41"):
        compare_scores(waves, waves, True, dependence=41)


def test_holm_by_hand():
    # 3 x 0.01 and 2 x 0.02 are below 0.05, 0.06 is not.
    corrected, levels = correct_holm([0.02, 0.06, 0.01])
    assert corrected == pytest.approx([0.04, 0.06, 0.03])
    assert levels == pytest.approx([1 - 0.05 / 2, 0.95, 1 - 0.05 / 3])
    # The first fails, so all fail, also one that alone would pass.
    corrected, levels = correct_holm([0.04, 0.03, 0.9])
    assert corrected == pytest.approx([0.09, 0.09, 0.9])
    assert levels == pytest.approx([1 - 0.05 / 3] * 3)
    assert correct_holm([0.03]) == ([0.03], [0.95])
    assert correct_holm([]) == ([], [])


def known(seed_variance, example_variance, seeds=3):
    return Difference(
        0, 1, 2, (seeds, seeds), "paired", (seed_variance,), example_variance
    )


def test_more_seeds_reduce_only_the_variance_of_the_seeds():
    # Many seeds of variance 1 need (1.960 + 0.842)^2 / effect^2 = 7.85 / effect^2.
    more = count_more_seeds(known(1, 0), effect=0.5)
    assert 31 <= more + 3 <= 36  # 7.85 / 0.25 = 31.4, and a few more for Student's t
    assert count_more_seeds(known(1, 0), effect=50) == 0
    limited = known(1e-6, 0.01)
    assert find_least_effect(limited) == pytest.approx(0.2802, abs=1e-4)
    assert count_more_seeds(limited, effect=0.28) is None
    assert count_more_seeds(limited, effect=0.29) is not None


def test_intervals_contain_the_truth_about_as_often_as_they_claim():
    """The benchmark measures this. Here are few trials and wide bounds."""
    path = PROJECT / "benchmarks" / "interval_coverage.py"
    spec = importlib.util.spec_from_file_location("coverage_benchmark", path)
    coverage = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = coverage
    spec.loader.exec_module(coverage)
    for design in ("same examples", "new examples"):
        found = coverage.measure_coverage(3, design, (1.0, 0.5, 1.0), 150)
        assert 0.89 <= found["coverage"] <= 0.995, design
