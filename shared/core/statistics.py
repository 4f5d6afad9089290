"""How sure a difference between two groups of runs is.

Every run gives one score per test example. Two things are random: the seed (first
weights, order, validation split) and the test examples. The bootstrap here resamples
both.

**Same test examples for every seed** (reviews, weather). The scores are a table, seeds
by examples. Resampling rows and columns at once counts three times the noise that is
due to neither (Owen 2007, Annals of Applied Statistics 1, 386). No bootstrap is exact
for such a table (McCullagh 2000, Bernoulli 6, 285). So the code resamples the seeds,
then the examples with the networks fixed. Both variances contain the same noise. The
code removes it from the second one and adds the two:

    variance = seeds / n + max(examples - remainder, 0), but at least examples.

**New test examples for every seed** (generated tasks). Resampling the seeds resamples
their examples too. Resampling within the seeds as well would count the examples twice
(Field and Welsh 2007, J. R. Statist. Soc. B 69, 369).

**Few seeds.** A bootstrap of n seeds is too narrow by sqrt((n - 1) / n). Its
percentiles mean nothing for n = 3, which gives only ten different draws (Hesterberg
2015, The American Statistician 69, 371). So the standard deviation of the resamples is
widened by that factor and becomes a standard error. The interval uses Student's t with
the degrees of freedom of a sum of two variances (Satterthwaite 1946, in the form of
Hillis 2007, Statistics in Medicine 26, 596, who compares readers on the same cases).
`benchmarks/interval_coverage.py` measures how often 95 % intervals contain the truth,
over four designs and five ratios of the standard deviations, with 1,000 trials each
(results/benchmarks/coverage.csv): 0.94 to 0.98 with 3 seeds, 0.94 to 0.97 with 5, 0.94
to 0.96 with 10, and 0.90 to 0.99 with 2. It is lowest where the seeds vary most.

**Series.** The errors of neighbouring examples depend on each other. So the code
resamples whole blocks. The data say how long the blocks must be.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

LEVEL = 0.95
POWER = 0.8  # the usual probability of finding a true difference
RESAMPLES = 2_000  # gives the standard error to 1.6 %
MAX_GROUPS = 2_000  # groups of independent examples: 1.6 % again, and fast
MIN_BLOCKS = 10  # blocks of a series; fewer give no verdict
MAX_SEEDS = 1_000
CHUNK = 1_000_000  # random numbers drawn at a time

QUANTILES: dict[tuple[float, float], float] = {}
"""(probability, freedom) -> what `quantile` returned. A caller may add known ones."""

Scores = Mapping[int, np.ndarray]
"""Seed -> score of every test example, (num_examples,)."""


@dataclass(frozen=True)
class Difference:
    """The mean score of one group minus that of another, and how sure it is.

    Attributes:
        value: First group minus second.
        standard_error: Standard error of `value`.
        freedom: Degrees of freedom of the standard error.
        seeds: Number of seeds used from the first and from the second group.
        design: `paired` (the same seeds), `unpaired` (different seeds) or `networks`
            (too few seeds for a standard deviation: the result is about these trained
            networks only).
        seed_variances: Variance between seeds: one value if paired, two if unpaired,
            none for `networks`.
        example_variance: The part of the variance that more seeds do not reduce.
    """

    value: float
    standard_error: float
    freedom: float
    seeds: tuple[int, int]
    design: str
    seed_variances: tuple[float, ...]
    example_variance: float

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """Return the lower and upper end of the confidence interval."""
        half = quantile(0.5 + level / 2, self.freedom) * self.standard_error
        return self.value - half, self.value + half

    @property
    def p(self) -> float:
        """1 minus the level at which the interval just reaches zero."""
        from scipy.special import stdtr

        if self.standard_error == 0:
            return float(self.value == 0)
        return float(2 * stdtr(self.freedom, -abs(self.value) / self.standard_error))


def compare_scores(
    first: Scores, second: Scores, same_examples: bool, dependence: int = 1
) -> Difference:
    """Estimate the difference between two groups on the same seeds and examples.

    With two or more common seeds, only these are compared, seed by seed. Otherwise, if
    both groups have at least two seeds, the seeds are not paired. Otherwise the
    difference is between trained networks.

    Args:
        first: Scores of the first group. A common seed has the same examples, in the
            same order, in both groups.
        second: Scores of the second group.
        same_examples: Whether all seeds have the same examples.
        dependence: How many neighbouring examples may depend on each other.

    Raises:
        ValueError: If there are fewer than two examples, or fewer than ten blocks of
            dependent examples.
    """
    common = sorted(first.keys() & second.keys())
    fewest = min(len(first), len(second))
    if len(common) > 1 or (common and fewest == 1):
        parts = [[first[seed] - second[seed] for seed in common]]
    else:
        parts = [
            [first[seed] for seed in sorted(first)],
            [-second[seed] for seed in sorted(second)],
        ]
    parts = [[_join_blocks(row, dependence) for row in part] for part in parts]
    random = np.random.default_rng(0)  # the same verdict every time
    estimate = _estimate_crossed if same_examples else _estimate_nested
    variance, freedom, seed_variances, example_variance = estimate(parts, random)
    design = "unpaired" if len(parts) > 1 else "paired"
    return Difference(
        value=float(sum(np.mean([row.mean() for row in part]) for part in parts)),
        standard_error=math.sqrt(variance),
        freedom=freedom,
        seeds=(len(parts[0]), len(parts[-1])),
        design=design if seed_variances else "networks",
        seed_variances=seed_variances,
        example_variance=example_variance,
    )


def correct_holm(
    p_values: Sequence[float], level: float = LEVEL
) -> tuple[list[float], list[float]]:
    """Correct for several tests at once (Holm 1979).

    The smallest of m p values is compared with (1 - level) / m, the next with
    (1 - level) / (m - 1), and so on up to the first that fails. All later ones fail
    too, and are compared with the same limit as the first that failed. An interval at
    that level excludes zero exactly where the corrected p is at most 1 - level. All
    intervals hold at once with probability `level` only if each is at the strictest
    level.

    Args:
        p_values: One per test.
        level: Level of a single test.

    Returns:
        The corrected p values and the level of each interval.
    """
    count, error_rate = len(p_values), 1 - level
    corrected, levels = [0.0] * count, [level] * count
    highest, failed = 0.0, 0
    for step, k in enumerate(np.argsort(p_values, kind="stable")):
        left = failed or count - step
        highest = max(highest, min(1.0, (count - step) * p_values[k]))
        if p_values[k] * left > error_rate:
            failed = left
        corrected[k], levels[k] = highest, 1 - error_rate / left
    return corrected, levels


def count_more_seeds(
    difference: Difference, effect: float, level: float = LEVEL
) -> int | None:
    """Return how many more seeds per group would show an effect of a given size.

    They show it with probability `POWER`, if the variances stay the same.

    Args:
        difference: Paired or unpaired, so that the variance between seeds is known.
        effect: The true difference to find.
        level: Level of the interval.

    Returns:
        0 if there are enough seeds; None if no number up to `MAX_SEEDS` is enough.
    """
    from scipy.special import ndtri, stdtrit

    now = min(difference.seeds)
    counts = np.arange(max(now, 2), MAX_SEEDS)
    parts = [variance / counts for variance in difference.seed_variances]
    variance = sum(parts) + difference.example_variance
    squares = sum(part**2 for part in parts) / (counts - 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        freedom = np.where(squares > 0, variance**2 / squares, np.inf)
    reach = sum(
        np.where(np.isinf(freedom), ndtri(chance), stdtrit(freedom, chance))
        for chance in (0.5 + level / 2, POWER)
    )
    enough = np.flatnonzero(effect >= reach * np.sqrt(variance))
    return int(counts[enough[0]]) - now if len(enough) else None


def find_least_effect(difference: Difference, level: float = LEVEL) -> float:
    """Return the smallest effect that the test set can show with endless seeds.

    It shows it with probability `POWER`.
    """
    return _reach(difference.example_variance, math.inf, level)


def quantile(probability: float, freedom: float) -> float:
    """Return a quantile of Student's t; infinite `freedom` gives the normal one."""
    if (probability, freedom) not in QUANTILES:
        from scipy.special import ndtri, stdtrit  # takes a fifth of a second

        infinite = math.isinf(freedom)
        value = ndtri(probability) if infinite else stdtrit(freedom, probability)
        QUANTILES[probability, freedom] = float(value)
    return QUANTILES[probability, freedom]


def _reach(variance: float, freedom: float, level: float) -> float:
    """Return the effect whose interval excludes zero with probability `POWER`."""
    both = quantile(0.5 + level / 2, freedom) + quantile(POWER, freedom)
    return both * math.sqrt(variance)


def _estimate_crossed(
    parts: Sequence[Sequence[np.ndarray]], random: np.random.Generator
) -> tuple[float, float, tuple[float, ...], float]:
    """Return variance, freedom, variances of a seed, variance of the examples alone.

    Args:
        parts: The difference is the sum of their means. A part has one row per seed,
            all with the same examples.
        random: Draws the resamples.
    """
    tables = [np.stack(part) for part in parts]
    columns = sum(table.mean(axis=0) for table in tables)
    num_examples = len(columns)
    examples = _resample_mean(columns, random)
    if min(map(len, tables)) < 2:
        return examples, num_examples - 1, (), examples
    means = [table.mean(axis=1) for table in tables]
    seeds = [_resample_mean(row, random) for row in means]
    remainder = sum(_measure_remainder(table) for table in tables)
    unshared = examples * max(0.0, 1 - _divide(remainder, _variance_of_mean(columns)))
    freedom = _add_freedom(
        [*zip(seeds, map(len, means), strict=True), (unshared, num_examples)]
    )
    variance = max(sum(seeds) + unshared, examples)
    of_a_seed = tuple(v * len(row) for v, row in zip(seeds, means, strict=True))
    return variance, freedom, of_a_seed, unshared


def _estimate_nested(
    parts: Sequence[Sequence[np.ndarray]], random: np.random.Generator
) -> tuple[float, float, tuple[float, ...], float]:
    """Return the same as `_estimate_crossed` where every seed has its own examples."""
    if min(map(len, parts)) < 2:
        within = [
            (_resample_mean(row, random) / len(part) ** 2, len(row))
            for part in parts
            for row in part
        ]
        variance = sum(part for part, _ in within)
        return variance, _add_freedom(within), (), variance
    means = [np.array([row.mean() for row in part]) for part in parts]
    seeds = [_resample_mean(row, random) for row in means]
    freedom = _add_freedom([*zip(seeds, map(len, means), strict=True)])
    of_a_seed = tuple(v * len(row) for v, row in zip(seeds, means, strict=True))
    return sum(seeds), freedom, of_a_seed, 0.0


def _resample_mean(values: np.ndarray, random: np.random.Generator) -> float:
    """Return the variance of the mean over resamples, widened by n / (n - 1)."""
    values = values - values.mean()
    if len(values) > MAX_GROUPS:
        values = _sum_groups(random.permutation(values), MAX_GROUPS)
    count = len(values)
    at_a_time = max(1, CHUNK // count)
    squares = 0.0
    for first in range(0, RESAMPLES, at_a_time):
        rows = min(at_a_time, RESAMPLES - first)
        drawn = random.integers(0, count, (rows, count), dtype=np.int32)
        squares += float(np.sum(values[drawn].mean(axis=1) ** 2))
    return squares / RESAMPLES * count / (count - 1)


def _variance_of_mean(values: np.ndarray) -> float:
    return float(values.var(ddof=1)) / len(values)


def _measure_remainder(table: np.ndarray) -> float:
    """Return the variance of the mean that neither seeds nor examples explain."""
    rows, columns = table.mean(axis=1, keepdims=True), table.mean(axis=0)
    left = table - rows - columns + table.mean()
    num_seeds, num_examples = table.shape
    free = (num_seeds - 1) * (num_examples - 1)
    return float(np.sum(left**2)) / free / table.size


def _add_freedom(parts: Sequence[tuple[float, int]]) -> float:
    """Return Satterthwaite's degrees of freedom of a sum of variances of means.

    Args:
        parts: Each variance, and the number of values behind it.
    """
    total = sum(variance for variance, _ in parts)
    squares = sum(variance**2 / (count - 1) for variance, count in parts)
    return _divide(total**2, squares) or min(count for _, count in parts) - 1


def _join_blocks(scores: np.ndarray, length: int) -> np.ndarray:
    """Return one value per block of dependent neighbours. The mean does not change.

    Raises:
        ValueError: If there are too few.
    """
    scores = np.asarray(scores, np.float64)
    if length == 1:
        if len(scores) < 2:
            raise ValueError("the test part has fewer than two examples")
        return scores
    count = len(scores) // length
    if count < MIN_BLOCKS:
        raise ValueError(
            f"the test part of {len(scores):,} examples has {count} independent blocks "
            f"of {length:,}, but a verdict needs {MIN_BLOCKS}"
        )
    mean = scores.mean()
    return mean + _sum_groups(scores - mean, count)


def _sum_groups(values: np.ndarray, count: int) -> np.ndarray:
    """Return one value per group of neighbours. The mean does not change."""
    starts = np.linspace(0, len(values), count, endpoint=False).astype(int)
    return np.add.reduceat(values, starts) * count / len(values)


def _divide(value: float, by: float) -> float:
    return value / by if by else 0.0
