"""The one vocabulary of figures: names, which way is better, how they are written.

History columns are `loss` and the metrics below, with `val_` in front for the
validation part; test figures appear only as `test_*`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

TITLES = {
    "loss": "Loss",
    "accuracy": "Accuracy",
    "mae": "Mean absolute error",
    "mse": "Mean squared error",
}


@dataclass(frozen=True)
class Score:
    """The figure a task is judged by.

    Attributes:
        metric: Its name in the history.
        higher_is_better: Which way is up.
    """

    metric: str
    higher_is_better: bool

    def is_better(self, value: float, than: float | None) -> bool:
        """Return whether a value beats another; NaN beats nothing."""
        if math.isnan(value):
            return False
        if than is None:
            return True
        return value > than if self.higher_is_better else value < than


ACCURACY = Score("accuracy", higher_is_better=True)
"""Share of examples whose class is right."""
