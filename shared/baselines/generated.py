"""Baselines of the generated tasks, with the best achievable score of each."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from shared.baselines.baseline import (
    Baseline,
    best_achievable,
    constant_baseline,
    make_baseline,
)
from shared.data.generated.sine import SineConfig, solve_best_linear
from shared.data.generated.vowels import VOWELS
from shared.data.splits import Examples, Splits
from shared.tasks.task import Regression

MAX_NGRAM = 4
SMOOTHING = 0.5  # of Krichevsky and Trofimov: adds half a count to every vowel


def sine_baselines(data: Splits, sine: SineConfig) -> list[Baseline]:
    """Return the baselines of a noisy sine, in squared error.

    The noise variance is the error of a model that knows the phase. No model can reach
    it from a short window. Bayes is the best achievable from the window
    (`predict_bayes`). The best linear model has exact weights, not fitted ones
    (`solve_best_linear`).
    """
    noise = dict.fromkeys(data.task.columns, sine.noise**2)
    weights, _ = solve_best_linear(sine)
    return [
        Baseline(
            "noise variance", validation=noise, test=noise, is_best_achievable=True
        ),
        best_achievable("Bayes from the window", data),
        make_baseline("best linear", data, lambda part: part.inputs[:, :, 0] @ weights),
        make_baseline("repeat last", data, lambda part: part.inputs[:, -1, 0]),
    ]


def sum_baselines(data: Splits) -> list[Baseline]:
    """Return the baselines of the sum: the mean of the training sums, a linear model.

    The linear model is fitted by least squares to all numbers of the window. The target
    is their sum. So with at least as many windows as weights, the model is exact up to
    rounding.
    """
    train = data.train
    weights, *_ = np.linalg.lstsq(_add_one(train), train.targets, rcond=None)
    return [
        constant_baseline("predict the mean", data),
        make_baseline(
            "linear model (exact)" if len(train) >= len(weights) else "linear model",
            data,
            lambda part: _add_one(part) @ weights,
        ),
        best_achievable("the sum itself", data),
    ]


def memory_baselines(data: Splits) -> list[Baseline]:
    """Return the baselines of the memory tasks: no memory, and perfect memory.

    The last step of a sequence says nothing about the target. Without memory, the best
    prediction in adding is the mean, 1. Its squared error is the variance of a sum of
    two numbers uniform in [0, 1), 2 / 12 = 0.1667 (Bai et al. 2018 print 0.1767, which
    is not that variance). In recall all symbols are equally likely.
    """
    if data.task.kind == Regression.kind:
        return [
            make_baseline("predict 1, no memory", data, lambda p: np.ones(len(p))),
            best_achievable("the sum itself", data),
        ]
    symbols = len(data.task.classes)
    chance = {"loss": math.log(symbols), "accuracy": 1 / symbols}
    return [
        Baseline("guess, no memory", validation=chance, test=chance),
        best_achievable("the symbol itself", data),
    ]


def vowel_baselines(data: Splits) -> list[Baseline]:
    """Return the baselines of the vowels: the source itself, and n-gram models.

    The score of the source is its cross-entropy on the same symbols as for the network.
    An n-gram model counts which vowel followed the last n - 1 vowels in the training
    text, and adds half a count to each. There is no model for n-grams longer than the
    network's window.
    """
    lookback = data.train.inputs.shape[1]
    return [
        best_achievable("the source", data),
        *(
            make_baseline(f"{n}-gram", data, _fit_ngram(data.train, n))
            for n in range(min(MAX_NGRAM, lookback + 1), 0, -1)
        ),
    ]


def _add_one(part: Examples) -> np.ndarray:
    """Return the windows flat, float64, with a column of ones for the intercept."""
    flat = part.inputs.reshape(len(part), -1).astype(np.float64)
    return np.column_stack([flat, np.ones(len(part))])


def _fit_ngram(train: Examples, n: int) -> Callable[[Examples], np.ndarray]:
    """Return a function from examples to probabilities, (num_examples, 5)."""
    num_vowels = len(VOWELS)

    def find_contexts(part: Examples) -> np.ndarray:
        vowels = part.inputs.argmax(axis=-1)
        codes = np.zeros(len(part), np.int64)
        for back in range(n - 1, 0, -1):
            codes = codes * num_vowels + vowels[:, -back]
        return codes

    counts = np.full((num_vowels ** (n - 1), num_vowels), SMOOTHING)
    np.add.at(counts, (find_contexts(train), train.targets), 1)
    shares = counts / counts.sum(axis=1, keepdims=True)
    return lambda part: shares[find_contexts(part)]
