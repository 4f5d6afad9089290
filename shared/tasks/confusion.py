"""What a classifier confuses: counts, precision, recall and F1 of each class."""

from __future__ import annotations

import numpy as np


def count_confusions(
    targets: np.ndarray, predictions: np.ndarray, num_classes: int
) -> np.ndarray:
    """Return how often each class was predicted for each true class.

    Args:
        targets: (num_examples,): 0 to num_classes - 1.
        predictions: Probabilities, (num_examples, num_classes).
        num_classes: Number of classes.

    Returns:
        int64, (num_classes, num_classes): rows are true classes.
    """
    found = np.argmax(predictions, axis=1)
    codes = np.asarray(targets).astype(np.int64) * num_classes + found
    counts = np.bincount(codes, minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes)


def measure_classes(confusions: np.ndarray) -> dict[str, np.ndarray]:
    """Return precision, recall and F1 of each class, float64, (num_classes,).

    A class that is never predicted has the precision 0, as in scikit-learn.
    """
    right = np.diag(confusions).astype(np.float64)
    predicted, true = confusions.sum(axis=0), confusions.sum(axis=1)
    return {
        "precision": right / np.maximum(predicted, 1),
        "recall": right / np.maximum(true, 1),
        "f1": 2 * right / np.maximum(predicted + true, 1),
    }


def macro_f1(confusions: np.ndarray) -> float:
    """Return the mean F1 over the classes that occur or are predicted."""
    there = confusions.sum(axis=0) + confusions.sum(axis=1) > 0
    return float(measure_classes(confusions)["f1"][there].mean())
