"""Bars of the generated tasks, with the best that is possible among them."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from shared.baselines.bars import CLASSES, SQUARES, Bar, floor_bar, make_bar
from shared.data.sine import SineConfig, solve_best_linear
from shared.data.splits import Examples, Splits
from shared.data.vowels import VOWELS

MAX_NGRAM = 4
SMOOTHING = 0.5  # Krichevsky and Trofimov's: half a sighting of every vowel


def sine_bars(splits: Splits, sine: SineConfig) -> list[Bar]:
    """Return the lines of a noisy sine, in squared error.

    The noise variance is the error of a model that knows the phase: a floor that
    nobody reaches from a short window. Bayes is the best that the window allows
    (`predict_bayes`). The best linear model has its exact weights, not fitted ones
    (`solve_best_linear`).
    """
    noise = dict.fromkeys(SQUARES, sine.noise**2)
    weights, _ = solve_best_linear(sine)
    return [
        Bar("noise variance", validation=noise, test=noise, is_floor=True),
        floor_bar("Bayes from the window", splits, SQUARES),
        make_bar(
            "best linear", splits, lambda part: part.inputs[:, :, 0] @ weights, SQUARES
        ),
        make_bar("repeat last", splits, lambda part: part.inputs[:, -1, 0], SQUARES),
    ]


def sum_bars(splits: Splits) -> list[Bar]:
    """Return the lines of the sum: the mean of the training sums, and a linear model.

    The linear model is fitted by least squares to all numbers of the window. The
    target is such a sum, so it is exact but for rounding, given at least as many
    windows as weights.
    """
    train = splits.train
    weights, *_ = np.linalg.lstsq(_add_one(train), train.targets, rcond=None)
    return [
        make_bar(
            "predict the mean",
            splits,
            lambda part: np.full(len(part), train.targets.mean(dtype=np.float64)),
            SQUARES,
        ),
        make_bar(
            "linear model (exact)" if len(train) >= len(weights) else "linear model",
            splits,
            lambda part: _add_one(part) @ weights,
            SQUARES,
        ),
        floor_bar("the sum itself", splits, SQUARES),
    ]


def memory_bars(splits: Splits) -> list[Bar]:
    """Return the lines of the memory tasks: no memory at all, and perfect memory.

    The last step of a sequence tells nothing of the target. Without memory the best
    guess is its mean, 1, in adding: the squared error is the variance of a sum of two
    numbers uniform in [0, 1), 2 / 12 = 0.1667 (Bai et al. 2018 print 0.1767, which no
    two such numbers have). In recall all symbols are equally likely.
    """
    shape = splits.test.best_possible.shape[1:]
    if not shape:
        return [
            make_bar(
                "predict 1, no memory", splits, lambda p: np.ones(len(p)), SQUARES
            ),
            floor_bar("the sum itself", splits, SQUARES),
        ]
    (symbols,) = shape
    chance = {"loss": math.log(symbols), "accuracy": 1 / symbols}
    columns = {"loss": "cross_entropy", "accuracy": "accuracy"}
    return [
        Bar("guess, no memory", validation=chance, test=chance),
        floor_bar("the symbol itself", splits, columns),
    ]


def vowel_bars(splits: Splits) -> list[Bar]:
    """Return the lines of the vowels: the source itself, and n-grams of the text.

    The source's line is its cross-entropy on the very symbols that the network is
    scored on. An n-gram model counts which vowel followed the last n - 1 ones in the
    training text, with half a sighting of each added; n-grams longer than the
    network's window are left out.
    """
    lookback = splits.train.inputs.shape[1]
    return [
        floor_bar("the source", splits, CLASSES),
        *(
            make_bar(f"{n}-gram", splits, _fit_ngram(splits.train, n), CLASSES)
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
