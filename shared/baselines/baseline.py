"""What a baseline is: the score of a simple model, or the best achievable score."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from shared.core.cache import read_cached, write_cached
from shared.core.statistics import MIN_BLOCKS
from shared.core.waiting import say_while
from shared.data.splits import Examples, Splits
from shared.data.windows import Windows
from shared.tasks.task import Task

ARRAYS = ("predictions", "validation_predictions", "intervals")
"""Fields of a baseline that are arrays, or None."""
MAX_BLOCKS = 50
MAX_WINDOWS = 50_000  # for the fit of a linear model; neighbours are nearly the same
CHUNK = 2_000  # windows that are cut at once
LEAK_CHANCE = 0.00135
"""Chance that luck is reported as a leak: three standard errors, one-sided."""


@dataclass(frozen=True)
class Baseline:
    """A model that is not a network, scored on the same splits as the network.

    Attributes:
        name: For legends and tables.
        validation: History column -> score on the validation part.
        test: History column -> score on the test part.
        is_best_achievable: Whether no model that reads the same inputs can be expected
            to score better (the Bayes error).
        predictions: For the test part, in the form of the network's predictions. None
            if they were not kept.
        validation_predictions: For the validation part, likewise.
        intervals: Ends of its own intervals on the test part, float32,
            (num_levels, 2, num_examples, ...): lower and upper ones, in the order of
            `shared.tasks.conformal.LEVELS`. None if it has none.
    """

    name: str
    validation: dict[str, float]
    test: dict[str, float]
    is_best_achievable: bool = False
    predictions: np.ndarray | None = None
    validation_predictions: np.ndarray | None = None
    intervals: np.ndarray | None = None

    def facts(self) -> dict[str, Any]:
        """Return all but the arrays, ready for JSON."""
        return {f.name: getattr(self, f.name) for f in fields(self)
                if f.name not in ARRAYS}  # fmt: skip


def make_baseline(
    name: str,
    data: Splits,
    predict: Callable[[Examples], np.ndarray],
    is_best_achievable: bool = False,
) -> Baseline:
    """Score a model in the metrics of the task.

    Args:
        name: For legends and tables.
        data: Only the validation and test parts are read.
        predict: Returns a prediction for each example.
        is_best_achievable: Whether no model can be expected to score better.
    """
    scores, kept = {}, {}
    for part in ("validation", "test"):
        examples = getattr(data, part)
        predictions = predict(examples)
        scores[part] = {
            column: data.task.summarise(metric, examples.targets, predictions)
            for column, metric in data.task.columns.items()
        }
        kept[part] = np.asarray(predictions, np.float32)
    return Baseline(
        name,
        **scores,
        is_best_achievable=is_best_achievable,
        predictions=kept["test"],
        validation_predictions=kept["validation"],
    )


def best_achievable(name: str, data: Splits) -> Baseline:
    """Score the best possible predictions that came with the data."""
    return make_baseline(
        name, data, lambda part: part.best_possible, is_best_achievable=True
    )


def constant_baseline(name: str, data: Splits) -> Baseline:
    """Score the best prediction that reads no input, whatever the task.

    Two classes: the share of class 1. Several classes: their shares. Numbers: the mean.
    All come from the training part.
    """
    constant = data.task.predict_constant(np.asarray(data.train.targets))
    return make_baseline(
        name, data, lambda part: np.broadcast_to(constant, (len(part), *constant.shape))
    )


def check_for_leak(
    task: Task, test: Examples, predictions: np.ndarray
) -> dict[str, Any] | None:
    """Compare held-out predictions with the best possible ones, example by example.

    A score clearly better than the best possible is a leak: the network has read what
    it must not read. Chance allows a small difference, so the difference is compared
    with its standard error. That comes from the means of blocks of neighbouring
    examples, because neighbours in a series are not independent. With few blocks the
    difference must be larger (Student's t). With fewer than ten there is no verdict.

    Args:
        task: Its score must have a value for each example.
        test: With or without the best possible predictions.
        predictions: The network's.

    Returns:
        `best_achievable`, `difference` (above 0: the network is worse),
        `standard_error` and whether it is a `leak`. The last two are None if the test
        part is too short. None if the best possible predictions are not known.
    """
    metric = task.score.metric
    if test.best_possible is None or metric not in task.measures:
        return None
    reached = task.measure(metric, test.targets, predictions)
    best = task.measure(metric, test.targets, test.best_possible)
    behind = (best - reached) if task.score.higher_is_better else (reached - best)
    difference = float(np.mean(behind))
    error = leak = None
    num_blocks = min(MAX_BLOCKS, len(behind) // test.dependence)
    if num_blocks >= MIN_BLOCKS:
        from scipy.stats import t

        means = [np.mean(block) for block in np.array_split(behind, num_blocks)]
        error = float(np.std(means, ddof=1) / np.sqrt(num_blocks))
        leak = bool(difference < -t.isf(LEAK_CHANCE, num_blocks - 1) * error)
    return {
        "best_achievable": float(np.mean(best)),
        "difference": difference,
        "standard_error": error,
        "leak": leak,
    }


def cached_baselines(
    key: str, make: Callable[[], list[Baseline]], message: str
) -> list[Baseline]:
    """Return baselines from the cache, or compute and cache them.

    Args:
        key: File name in the cache. It must differ if the baselines can differ.
        make: Computes the baselines.
        message: Printed before the computation.
    """
    name = f"baselines/{key}.npz"
    baselines = read_cached(name, _read_baselines)
    if baselines is None:
        with say_while(message, after=0):
            baselines = make()
        facts = json.dumps([one.facts() for one in baselines])
        arrays = {
            f"{name}_{k}": array
            for k, one in enumerate(baselines)
            for name in ARRAYS
            if (array := getattr(one, name)) is not None
        }
        write_cached(name, {"facts": np.array(facts)} | arrays)
    return baselines


def hash_splits(settings: str, data: Splits) -> str:
    """Return a hash of everything that decides the baselines, 16 digits.

    Args:
        settings: What the baselines depend on besides the data.
        data: Its inputs are arrays.
    """
    digest = hashlib.sha256(settings.encode())
    for part in (data.train, data.validation, data.test):
        for array in (part.inputs, part.targets):
            digest.update(f"{array.dtype} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()[:16]


def _read_baselines(stored: dict[str, Any]) -> list[Baseline]:
    return [
        Baseline(**fact, **{name: stored.get(f"{name}_{k}") for name in ARRAYS})
        for k, fact in enumerate(json.loads(str(stored["facts"])))
    ]


def choose_windows(windows: Windows) -> np.ndarray:
    """Return which windows a linear model is fitted to, int64: evenly spread ones."""
    count = min(len(windows), MAX_WINDOWS)
    return np.unique(np.linspace(0, len(windows) - 1, count, dtype=np.int64))
