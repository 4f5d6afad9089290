"""Find numbers that probably mark a missing value, such as -999.9 or 9999."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

LEAST_CODE = 99  # shorter runs of nines are common measurements
REPEATS = 3  # of a value that is no run of nines
MANY = 20  # different values that show how far a column usually reaches


@dataclass(frozen=True)
class Code:
    """A number that probably marks missing values.

    Attributes:
        column: Name.
        value: The number.
        rows: int64, (num_rows_with_it,): the positions of its rows.
    """

    column: str
    value: float
    rows: np.ndarray


def find_codes(values: pd.DataFrame) -> list[Code]:
    """Return the numbers that probably mark a missing value.

    A run of nines (-99, 999.9, 9999) counts if all other values are far away. Any other
    number counts if it repeats and is farther from the usual values than twice their
    range, from the 5th to the 95th percentile of the different ones. Zero never counts,
    nor does a share from 0 to 100 %.

    Args:
        values: float64 by column, NaN if missing.
    """
    codes = []
    for name in values:
        column = values[name].to_numpy()
        numbers, counts = np.unique(column[~np.isnan(column)], return_counts=True)
        for number in _find_isolated(numbers, counts, "%" in name):
            rows = np.flatnonzero(column == number)
            codes.append(Code(name, float(number), rows))
    return codes


def _find_isolated(
    numbers: np.ndarray, counts: np.ndarray, is_share: bool
) -> list[float]:
    """Return the codes among the different numbers of a column, in their order."""
    if not len(numbers):
        return []
    low, high = np.quantile(numbers, [0.05, 0.95])
    distance = np.maximum(low - numbers, numbers - high)
    common = (counts >= REPEATS) & (distance > 2 * (high - low)) & (len(numbers) > MANY)
    # Nothing but the lowest and highest numbers can be far from all others.
    ends = np.unique(np.r_[:3, -3:0] % len(numbers))
    nines = [k for k in ends if _is_nines(numbers[k])]
    others = np.delete(numbers, nines)
    for k in nines:
        is_far = np.abs(others - numbers[k]) > abs(numbers[k]) / 2
        common[k] |= len(others) > 0 and is_far.all()
    possible = numbers != 0
    if is_share:
        possible = (numbers < 0) | (numbers > 100)
    return numbers[common & possible].tolist()


def _is_nines(number: float) -> bool:
    digits = f"{abs(number):.10g}".replace(".", "")
    return abs(number) >= LEAST_CODE and set(digits) == {"9"}
