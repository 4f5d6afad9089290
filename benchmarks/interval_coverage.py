"""How often the 95 % intervals of `shared.core.statistics` hold the true value.

    python benchmarks/interval_coverage.py     # ten minutes; quick: --trials 50

Draws tables of scores whose true difference is zero. The standard deviations between
seeds, between examples and of the rest are known. Counts the intervals that hold zero.
Writes results/benchmarks/coverage.csv.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from shared.core.environment import PROJECT
from shared.core.files import to_csv, write_text
from shared.core.flags import one_line_errors, parse
from shared.core.statistics import Scores, compare_scores

EXAMPLES = 100
SEEDS = (2, 3, 5, 10)
BLOCK = 5  # neighbours in a series that have the same error
# Standard deviations of the mean of one seed: by seeds, by examples, by the rest.
STDS = {
    "examples and the rest": (0.0, 0.5, 1.0),
    "seeds as much as the rest": (1.0, 0.5, 1.0),
    "seeds twice as much": (2.0, 0.5, 1.0),
    "seeds four times as much": (4.0, 0.5, 1.0),
    "examples alone": (0.0, 1.0, 0.2),
}


@dataclass(frozen=True)
class Options:
    """How many tables to simulate."""

    trials: int = 1000
    """Tables per line."""


def draw_scores(
    random: np.random.Generator, num_seeds: int, design: str, stds: tuple
) -> tuple[Scores, Scores]:
    """Return the scores of two groups whose true difference is zero.

    Args:
        random: Draws the scores.
        num_seeds: Of each group.
        design: `same examples`, `new examples`, `series` or `unpaired`.
        stds: Standard deviations of the mean of one seed, as in `STDS`.
    """
    seeds, examples, rest = stds

    def draw(shape: tuple[int, ...], scale: float) -> np.ndarray:
        values = random.normal(0, scale * np.sqrt(EXAMPLES), shape)
        if design == "series":  # the mean has the same std as without dependence
            values[..., :] = np.repeat(values[..., ::BLOCK], BLOCK, -1) / np.sqrt(BLOCK)
        return values

    def draw_group(num: int) -> np.ndarray:
        rows = num if design == "new examples" else 1
        of_examples = draw((rows, EXAMPLES), examples)
        of_seeds = random.normal(0, seeds, (num, 1))
        return of_seeds + of_examples + draw((num, EXAMPLES), rest)

    first = draw_group(num_seeds)
    if design == "unpaired":
        of_seeds = random.normal(0, seeds, (num_seeds, 1))
        second = of_seeds + draw((num_seeds, EXAMPLES), rest)
        return dict(enumerate(first)), dict(enumerate(second, start=num_seeds))
    return dict(enumerate(first)), dict(enumerate(np.zeros_like(first)))


def measure_coverage(
    num_seeds: int, design: str, stds: tuple, trials: int
) -> dict[str, float]:
    """Return how often the interval holds zero, and its median width."""
    random = np.random.default_rng([num_seeds, trials])
    held, widths = 0, []
    for _ in range(trials):
        scores = draw_scores(random, num_seeds, design, stds)
        dependence = BLOCK if design == "series" else 1
        found = compare_scores(*scores, design != "new examples", dependence)
        low, high = found.interval()
        held += low <= 0 <= high
        widths.append(high - low)
    return {
        "coverage": round(held / trials, 3),
        "median_width": float(np.round(np.median(widths), 3)),
    }


def simulate(trials: int) -> Iterator[dict[str, Any]]:
    """Yield a line per design, number of seeds and standard deviations."""
    for design in ("same examples", "series", "unpaired", "new examples"):
        for num_seeds in SEEDS:
            for name, stds in STDS.items():
                case = {"design": design, "seeds": num_seeds, "spread": name}
                yield case | measure_coverage(num_seeds, design, stds, trials)


def main() -> None:
    """Simulate, print and write."""
    with one_line_errors("--trials"):
        options = parse(
            Options, sys.argv[1:], "python benchmarks/interval_coverage.py", __doc__
        )
        rows = list(simulate(options.trials))
        table = Table("design", "std", *(f"{n} seeds" for n in SEEDS))
        found = {(r["design"], r["spread"], r["seeds"]): r["coverage"] for r in rows}
        for design, name in dict.fromkeys(key[:2] for key in found):
            cells = (f"{found[design, name, n]:.3f}" for n in SEEDS)
            table.add_row(design, name, *cells)
        Console().print(table)
        path = PROJECT / "results" / "benchmarks" / "coverage.csv"
        write_text(path, to_csv(rows))
        print(f"Saved {path}")


if __name__ == "__main__":
    main()
