"""How sure a difference between two groups of runs is.

Every run gives a score per test example. Two things would come out otherwise another
time: the seed (first weights, order, validation split) and the test examples. The
bootstrap here resamples both.

**Same test examples for every seed** (reviews, weather): the scores are a table, seeds
by examples. Resampling both ways at once counts the noise that belongs to neither three
times (Owen 2007, Annals of Applied Statistics 1, 386), and no bootstrap is exact
for such a table (McCullagh 2000, Bernoulli 6, 285). So the seeds are resampled, then
the examples with the networks held fixed, and the two variances are added after the
noise that both contain has been taken out of the second:

    variance = seeds / n + max(examples - remainder, 0), but at least examples.

**Test examples drawn anew for every seed** (generated tasks): a seed brings its own
examples, so resampling the seeds already holds both, and resampling within them too
would count the examples twice (Field and Welsh 2007, J. R. Statist. Soc. B 69, 369).

**Few seeds.** A bootstrap of n seeds is too narrow by sqrt((n - 1) / n), and its
percentiles mean nothing where n = 3 can be drawn in ten ways (Hesterberg 2015, The
American Statistician 69, 371). So the spread of the resamples is widened by that factor
and becomes a standard error, and the interval takes Student's t with the degrees of
freedom that belong to a sum of two variances (Satterthwaite 1946, in the form of Hillis
2007, Statistics in Medicine 26, 596, who compares readers on the same cases).
How often 95 % intervals hold the truth, over four designs and five ratios of the
spreads (`benchmarks/interval_coverage.py`, results/benchmarks/coverage.csv, 1,000
trials each): 0.94 to 0.98 with 3 seeds, 0.94 to 0.97 with 5, 0.94 to 0.96 with 10, and
0.90 to 0.99 with 2, least where the seeds spread most.

**Series.** Neighbouring examples go wrong together, so whole blocks of them are
resampled, as long as the data say that errors depend on each other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

LEVEL = 0.95
POWER = 0.8  # the usual chance of finding a difference that is there
RESAMPLES = 2_000  # gives the standard error to 1.6 %
MOST_GROUPS = 2_000  # that independent examples are dealt to: 1.6 % again, and quick
MIN_BLOCKS = 10  # of a series, below which there is no verdict
MOST_SEEDS = 1_000
CHUNK = 1_000_000  # numbers drawn at a time

Scores = Mapping[int, np.ndarray]
"""Seed -> score of every test example, (num_examples,)."""


@dataclass(frozen=True)
class Difference:
    """The mean of one group's scores less that of another, and how sure it is.

    Attributes:
        value: First group less second.
        standard_error: Of it.
        freedom: Degrees of freedom of the standard error.
        seeds: How many of the first and of the second group are in it.
        design: `paired` (the same seeds), `unpaired` (other seeds) or `networks` (too
            few seeds to know their spread: it holds for these trained networks only).
        seed_variances: Per part of the difference, the variance from seed to seed: one
            if paired, two if not, none for `networks`.
        example_variance: What more seeds would not take away.
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
        """One less the level at which the interval just reaches zero."""
        from scipy.special import stdtr

        if self.standard_error == 0:
            return float(self.value == 0)
        return float(2 * stdtr(self.freedom, -abs(self.value) / self.standard_error))


def compare_scores(
    first: Scores, second: Scores, same_examples: bool, dependence: int = 1
) -> Difference:
    """Estimate the difference between two groups on the same seeds and examples.

    With two common seeds or more only those are compared, seed by seed. Otherwise, if
    both have at least two seeds, the seeds are not paired. Otherwise the difference is
    one between trained networks.

    Args:
        first: Its scores. A common seed has the same examples, in the same order,
            in both groups.
        second: Its scores.
        same_examples: Whether all seeds have the same examples.
        dependence: How many neighbouring examples may depend on each other.

    Raises:
        ValueError: If there are fewer than two examples, or than ten blocks of
            dependent ones.
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
    judge = _judge_crossed if same_examples else _judge_nested
    variance, freedom, seed_variances, example_variance = judge(parts, random)
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
    """Correct for having asked several questions at once (Holm 1979).

    Of m questions the surest is held against a chance of (1 - level) / m, the next
    against (1 - level) / (m - 1), and so on up to the first that fails; all behind that
    one fail too, and are held against its chance. An interval at such a level leaves
    zero out exactly where the corrected p stays within 1 - level. All
    intervals hold at once with probability `level` only if each is at the strictest
    level.

    Args:
        p_values: One per question.
        level: At which each would be answered alone.

    Returns:
        The corrected p values and the level of each interval.
    """
    count, chance = len(p_values), 1 - level
    corrected, levels = [0.0] * count, [level] * count
    highest, failed = 0.0, 0
    for step, k in enumerate(np.argsort(p_values, kind="stable")):
        left = failed or count - step
        highest = max(highest, min(1.0, (count - step) * p_values[k]))
        if p_values[k] * left > chance:
            failed = left
        corrected[k], levels[k] = highest, 1 - chance / left
    return corrected, levels


def count_more_seeds(
    difference: Difference, effect: float, level: float = LEVEL
) -> int | None:
    """Return how many more seeds per group would show an effect of some size.

    That is, with a chance of `POWER`, if spreads stay what they are.

    Args:
        difference: Of a design that knows the spread of the seeds.
        effect: A true difference that shall be found.
        level: Of the interval.

    Returns:
        0 if there are enough; None if no number of seeds would do, or none up to
        `MOST_SEEDS`.
    """
    now = min(difference.seeds)
    for count in range(max(now, 2), MOST_SEEDS):
        parts = [variance / count for variance in difference.seed_variances]
        variance = sum(parts) + difference.example_variance
        spread = sum(part**2 for part in parts) / (count - 1)
        freedom = variance**2 / spread if spread else math.inf
        if effect >= _reach(variance, freedom, level):
            return count - now
    return None


def find_least_effect(difference: Difference, level: float = LEVEL) -> float:
    """Return what the test set could show with any number of seeds (`POWER`)."""
    return _reach(difference.example_variance, math.inf, level)


def quantile(probability: float, freedom: float) -> float:
    """Return a quantile of Student's t; of the normal for infinite freedom."""
    from scipy.special import ndtri, stdtrit

    if math.isinf(freedom):
        return float(ndtri(probability))
    return float(stdtrit(freedom, probability))


def _reach(variance: float, freedom: float, level: float) -> float:
    """Return the effect that an interval excludes zero for with chance `POWER`."""
    both = quantile(0.5 + level / 2, freedom) + quantile(POWER, freedom)
    return both * math.sqrt(variance)


def _judge_crossed(
    parts: Sequence[Sequence[np.ndarray]], random: np.random.Generator
) -> tuple[float, float, tuple[float, ...], float]:
    """Return variance, freedom, variances of a seed, variance of the examples alone.

    Args:
        parts: Of the difference, which is the sum of their means: rows are seeds, all
            with the same examples.
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


def _judge_nested(
    parts: Sequence[Sequence[np.ndarray]], random: np.random.Generator
) -> tuple[float, float, tuple[float, ...], float]:
    """Do as `_judge_crossed` where every seed has examples of its own."""
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
    """Return the variance of the mean: of resamples, widened by n / (n - 1)."""
    values = values - values.mean()
    if len(values) > MOST_GROUPS:
        values = _sum_groups(random.permutation(values), MOST_GROUPS)
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
    """Return the variance of the mean from what neither seed nor example explains."""
    rows, columns = table.mean(axis=1, keepdims=True), table.mean(axis=0)
    left = table - rows - columns + table.mean()
    num_seeds, num_examples = table.shape
    free = (num_seeds - 1) * (num_examples - 1)
    return float(np.sum(left**2)) / free / table.size


def _add_freedom(parts: Sequence[tuple[float, int]]) -> float:
    """Return Satterthwaite's degrees of freedom of a sum of variances of means.

    Args:
        parts: Each variance, and how many values it was taken from.
    """
    total = sum(variance for variance, _ in parts)
    spread = sum(variance**2 / (count - 1) for variance, count in parts)
    return _divide(total**2, spread) or min(count for _, count in parts) - 1


def _join_blocks(scores: np.ndarray, length: int) -> np.ndarray:
    """Return a value per block of dependent neighbours; their mean is that of all.

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
            f"the test part of {len(scores):,} examples holds {count} stretches of "
            f"{length:,} that do not depend on each other, and it takes {MIN_BLOCKS}"
        )
    mean = scores.mean()
    return mean + _sum_groups(scores - mean, count)


def _sum_groups(values: np.ndarray, count: int) -> np.ndarray:
    """Return a value per group of neighbours; their mean is that of all values."""
    starts = np.linspace(0, len(values), count, endpoint=False).astype(int)
    return np.add.reduceat(values, starts) * count / len(values)


def _divide(value: float, by: float) -> float:
    return value / by if by else 0.0
