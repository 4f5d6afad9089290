"""Names of metrics, which direction is better, and how a score is written.

History columns are `loss` and the names of the metrics. The prefix `val_` marks the
validation part, and `test_` marks test figures.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

TITLES = {
    "loss": "Loss",
    "accuracy": "Accuracy",
    "macro_f1": "Macro F1",
    "cross_entropy": "Cross-entropy (nats)",
    "bits_per_character": "Bits per character",
    "bits_per_word": "Bits per word",
    "mae": "Mean absolute error",
    "mse": "Mean squared error",
    "mase": "Mean absolute scaled error",
    "pinball": "Mean pinball loss",
}
"""Metric -> title for people. Other metrics keep the name of the column."""
POINTS = 0.005
"""Smallest difference in a share, such as accuracy, that matters."""
SHARE = 0.02
"""Smallest relative difference in a mean error that matters."""


@dataclass(frozen=True)
class Score:
    """The figure that picks the epoch and ranks the runs of a task.

    Attributes:
        metric: Name in the history.
        higher_is_better: Whether a higher value is better.
        unit: Unit of the target, in words; empty if it has none.
        is_share: Whether the score is a share between 0 and 1. Differences are then
            written in points of 0.01.
    """

    metric: str
    higher_is_better: bool
    unit: str = ""
    is_share: bool = False

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> Score:
        """Return a score from the result of `to_json`, of this or an older version."""
        known = {field.name for field in fields(cls)}
        values = {name: value for name, value in facts.items() if name in known}
        return cls(**{"is_share": facts["metric"] == "accuracy"} | values)

    def to_json(self) -> dict[str, Any]:
        """Return all fields by name, ready for JSON."""
        return asdict(self)

    @property
    def sign(self) -> int:
        """1 where a higher score is better, else -1."""
        return 1 if self.higher_is_better else -1

    @property
    def title(self) -> str:
        """Metric and unit for people, such as `mae (deg C)`."""
        return f"{self.metric} ({self.unit})" if self.unit else self.metric

    def is_better(self, value: float, than: float | None) -> bool:
        """Return whether a value is better than another; NaN is never better."""
        if math.isnan(value):
            return False
        if than is None:
            return True
        return value > than if self.higher_is_better else value < than

    def pick(self, values: Sequence[float]) -> float:
        """Return the best of some values."""
        return max(values) if self.higher_is_better else min(values)

    def find_worth(self, value: float) -> float:
        """Return the smallest difference from a score that matters."""
        return POINTS if self.is_share else SHARE * abs(value)

    def format_unit(self) -> tuple[float, str]:
        """Return the factor and the unit for writing differences.

        The unit starts with a space, such as ` points` or ` deg C`.
        """
        if self.is_share:
            return 100.0, " points"
        squared = f"{self.unit}²" if self.unit else ""
        units = {"mae": self.unit, "mse": squared, "cross_entropy": "nats"}
        if self.metric.startswith("bits_per_"):
            return 1.0, " bits"
        return 1.0, f" {units.get(self.metric) or self.metric}"


ACCURACY = Score("accuracy", higher_is_better=True, is_share=True)
"""Share of examples with the right class."""
MACRO_F1 = Score("macro_f1", higher_is_better=True, is_share=True)
"""Mean F1 of the classes: each counts the same."""
CROSS_ENTROPY = Score("cross_entropy", higher_is_better=False)
"""Mean of -log of the probability of the true class, in nats."""
SQUARED_ERROR = Score("mse", higher_is_better=False)
"""Mean squared error."""


def absolute_error(unit: str) -> Score:
    """Return the score of a forecast: mean absolute error in the target's unit."""
    return Score("mae", higher_is_better=False, unit=unit)


def format_title(metric: str, unit: str = "") -> str:
    """Return the title of a metric with its unit: `Mean absolute error (m)`."""
    title = TITLES.get(metric, metric)
    if not unit or metric not in ("mae", "mse"):
        return title
    return f"{title} ({unit}{'²' if metric == 'mse' else ''})"
