"""A linear model of n-grams, weighted by naive Bayes, for any number of classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shared.baselines.baseline import (
    Baseline,
    cached_baselines,
    constant_baseline,
    hash_splits,
    make_baseline,
)
from shared.data.padding import PAD, START
from shared.data.splits import Examples
from shared.data.text.dataset import TextSplits

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix
    from sklearn.linear_model import LogisticRegression

BASELINE_FORMAT = 1
SMOOTHING = 1.0  # alpha of Wang & Manning (2012)
INVERSE_PENALTIES = (0.1, 0.3, 1.0, 3.0, 10.0)
"""Strengths of which the least validation loss chooses."""
LONGEST = {"words": 2, "characters": 4}  # tokens of an n-gram
MOST_CLASSES = 50  # a model for each class


def text_baselines(data: TextSplits) -> list[Baseline]:
    """Return the baselines of a text task: majority class, and a linear model.

    The linear model may take some seconds. It is cached per split.

    Args:
        data: From `load_text`.
    """
    names = data.task.classes

    def make() -> list[Baseline]:
        found = [constant_baseline("majority class", data)]
        if len(names) <= MOST_CLASSES:
            found.append(linear_baseline(data))
        return found

    settings = (
        BASELINE_FORMAT,
        SMOOTHING,
        INVERSE_PENALTIES,
        LONGEST,
        data.tokenizer.name,
        data.task.columns,
    )
    return cached_baselines(
        f"text-{hash_splits(repr(settings), data)}",
        make,
        "Fitting the linear baseline of this split (once, then cached)",
    )


def linear_baseline(data: TextSplits) -> Baseline:
    """Score logistic regressions on n-grams, one for each class against the others.

    A text is the set of its n-grams: of one and two words, or of one to four
    characters. The value of an n-gram is the log-ratio of its smoothed shares in the
    training texts of the class and in the others (Wang and Manning 2012, ACL P12-2018).
    The probabilities of the classes are scaled to the sum 1.
    """
    longest = LONGEST[data.tokenizer.tokens]
    features = NgramFeatures(data.train, data.vocabulary.size, longest)
    validation = features.count(data.validation)
    test = features.count(data.test)
    numbers = np.arange(len(data.task.classes))
    chosen: tuple[float, list] | None = None
    for penalty in INVERSE_PENALTIES:
        models = [_fit(features, data, k, penalty) for k in _list_models(numbers)]
        loss = data.task.summarise(
            "cross_entropy", data.validation.targets, _predict(models, validation)
        )
        if chosen is None or loss < chosen[0]:
            chosen = loss, models
    counts = {id(data.validation): validation, id(data.test): test}
    what = "uni- and bigrams" if longest == 2 else f"1- to {longest}-grams"
    return make_baseline(
        f"linear model, {what}",
        data,
        lambda part: _predict(chosen[1], counts[id(part)]),
    )


class NgramFeatures:
    """Which n-grams of the training texts a text has.

    Attributes:
        known: int64, (num_ngrams,), increasing: codes of the n-grams in training.
        train: (num_texts, num_ngrams): 1 where a training text has an n-gram.
    """

    def __init__(self, train: Examples, vocabulary: int, longest: int) -> None:
        """Find the n-grams of the training texts.

        Args:
            train: Inputs int32, (num_texts, length), padded.
            vocabulary: Number of ids.
            longest: Tokens of the longest n-grams.
        """
        self._base = vocabulary + 1
        self._longest = longest
        codes, texts = self._list(train.inputs)
        self.known = np.unique(codes)
        self.train = self._mark(codes, texts, len(train))

    def count(self, part: Examples) -> csr_matrix:
        """Return the same as `train` for other texts."""
        return self._mark(*self._list(part.inputs), len(part))

    def _list(self, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """List codes of n-grams, int64, and the text of each."""
        texts, steps = np.nonzero((ids != PAD) & (ids != START))
        tokens = ids[texts, steps].astype(np.int64) + 1
        codes, owners = [tokens], [texts]
        code = tokens
        for n in range(1, self._longest):
            inside = (texts[n:] == texts[:-n]) & (steps[n:] - steps[:-n] == n)
            code = code[: len(tokens) - n] * self._base + tokens[n:]
            codes.append(code[inside])
            owners.append(texts[n:][inside])
        return np.concatenate(codes), np.concatenate(owners)

    def _mark(self, codes: np.ndarray, texts: np.ndarray, count: int) -> csr_matrix:
        from scipy.sparse import csr_matrix

        column = np.searchsorted(self.known, codes)
        column[column == len(self.known)] = 0
        found = self.known[column] == codes
        shape = (count, len(self.known))
        ones = np.ones(np.count_nonzero(found), np.float32)
        marks = csr_matrix((ones, (texts[found], column[found])), shape=shape)
        marks.sum_duplicates()
        marks.data[:] = 1
        return marks


def _list_models(numbers: np.ndarray) -> np.ndarray:
    """Return the classes that need a model: of two, one says all."""
    return numbers[1:] if len(numbers) == 2 else numbers


def _fit(
    features: NgramFeatures, data: TextSplits, number: int, penalty: float
) -> tuple[np.ndarray, LogisticRegression]:
    """Return the weights of the n-grams for a class, and its model."""
    from sklearn.linear_model import LogisticRegression

    inside = np.asarray(data.train.targets) == number
    shares = [
        np.asarray(features.train[rows].sum(axis=0), np.float64).ravel() + SMOOTHING
        for rows in (inside, ~inside)
    ]
    weights = np.log(shares[0] / shares[0].sum()) - np.log(shares[1] / shares[1].sum())
    model = LogisticRegression(
        solver="liblinear", dual=True, C=penalty, max_iter=2_000, random_state=0
    )
    model.fit(_weigh(features.train, weights), inside)
    return weights, model


def _weigh(marks: csr_matrix, weights: np.ndarray) -> csr_matrix:
    weighted = marks.astype(np.float64)
    weighted.data *= weights[weighted.indices]
    return weighted


def _predict(
    models: list[tuple[np.ndarray, LogisticRegression]], marks: csr_matrix
) -> np.ndarray:
    """Return probabilities of the classes, (num_texts, num_classes)."""
    columns = [
        model.predict_proba(_weigh(marks, weights))[:, 1] for weights, model in models
    ]
    if len(columns) == 1:
        return np.stack([1 - columns[0], columns[0]], axis=1)
    shares = np.stack(columns, axis=1)
    return shares / shares.sum(axis=1, keepdims=True)
