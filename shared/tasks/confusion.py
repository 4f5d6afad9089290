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


def share_macro_f1(
    targets: np.ndarray, predictions: np.ndarray, num_classes: int
) -> np.ndarray:
    """Return the share of each example in macro F1. Their mean is macro F1.

    Macro F1 is the mean F1 over the classes that occur or are predicted. F1 is a ratio
    of two means over the examples. The share of an example is macro F1 plus what the
    example adds to it, to first order. So resampled shares give its standard error
    (delta method).

    Args:
        targets: (num_examples,): 0 to num_classes - 1.
        predictions: Probabilities, (num_examples, num_classes).
        num_classes: Number of classes.

    Returns:
        float64, (num_examples,).
    """
    confusions = count_confusions(targets, predictions, num_classes)
    true, found = np.asarray(targets).astype(np.int64), np.argmax(predictions, axis=1)
    both = confusions.sum(axis=0) + confusions.sum(axis=1)
    f1 = measure_classes(confusions)["f1"]
    weights = len(true) / (np.count_nonzero(both) * np.maximum(both, 1))
    added = (
        2 * (true == found) * weights[true]
        - (f1 * weights)[true]
        - (f1 * weights)[found]
    )
    return f1[both > 0].mean() + added
