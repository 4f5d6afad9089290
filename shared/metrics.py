"""The one vocabulary of figures: names, which way is better, how they are measured.

History columns are `loss` and the metrics below, with `val_` in front for the
validation part; test figures appear only as `test_*`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

TITLES = {
    "loss": "Loss",
    "accuracy": "Accuracy",
    "cross_entropy": "Cross-entropy (nats)",
    "mae": "Mean absolute error",
    "mse": "Mean squared error",
}


@dataclass(frozen=True)
class Score:
    """The figure a task is judged by.

    Attributes:
        metric: Its name in the history.
        higher_is_better: Which way is up.
        unit: Of the target, in words; empty where it has none.
    """

    metric: str
    higher_is_better: bool
    unit: str = ""

    def is_better(self, value: float, than: float | None) -> bool:
        """Return whether a value beats another; NaN beats nothing."""
        if math.isnan(value):
            return False
        if than is None:
            return True
        return value > than if self.higher_is_better else value < than


ACCURACY = Score("accuracy", higher_is_better=True)
"""Share of examples whose class is right."""
CROSS_ENTROPY = Score("cross_entropy", higher_is_better=False)
"""Mean of -log of the probability given to what came, in nats."""
SQUARED_ERROR = Score("mse", higher_is_better=False)
"""Mean squared error."""


def absolute_error(unit: str) -> Score:
    """Return the score of a forecast: mean absolute error in the target's unit."""
    return Score("mae", higher_is_better=False, unit=unit)


def spell_title(metric: str, unit: str = "") -> str:
    """Return a metric's name for people, with its unit: `Mean absolute error (m)`."""
    if not unit or metric not in ("mae", "mse"):
        return TITLES[metric]
    return f"{TITLES[metric]} ({unit}{'²' if metric == 'mse' else ''})"


def measure(metric: str, targets: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    """Measure predictions example by example; their mean is the metric.

    Args:
        metric: `mae`, `mse`, `cross_entropy` or `accuracy`.
        targets: (num_examples,): numbers, or classes counted from 0.
        predictions: (num_examples,): numbers, or the probability of class 1;
            (num_examples, num_classes): probabilities.

    Returns:
        float64, (num_examples,).
    """
    targets = np.asarray(targets)
    predictions = np.asarray(predictions, np.float64)
    if metric == "mae":
        return np.abs(predictions - targets)
    if metric == "mse":
        return (predictions - targets) ** 2
    if predictions.ndim == 1:
        predictions = np.stack([1 - predictions, predictions], axis=1)
    classes = targets.astype(np.int64)
    if metric == "accuracy":
        # A tie at one half counts as class 0, as in Keras.
        return (predictions.argmax(axis=1) == classes).astype(np.float64)
    if metric == "cross_entropy":
        given = predictions[np.arange(len(classes)), classes]
        return -np.log(np.clip(given, 1e-7, 1 - 1e-7))
    raise ValueError(f"{metric}: no such metric")
