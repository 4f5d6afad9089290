"""A linear model of n-grams, weighted by naive Bayes, for any number of classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from shared.baselines.baseline import (
    Baseline,
    cached_baselines,
    constant_baseline,
    hash_splits,
    make_baseline,
)
from shared.core.cache import read_cached, write_cached
from shared.data.padding import PAD, START
from shared.data.splits import Examples
from shared.data.text.dataset import TextSplits

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

BASELINE_FORMAT = 2
SMOOTHING = 1.0  # alpha of Wang & Manning (2012)
INVERSE_PENALTIES = (0.1, 0.3, 1.0, 3.0, 10.0)
"""Strengths of which the least validation loss chooses."""
LONGEST = {"words": 2, "characters": 4}  # tokens of an n-gram
MOST_CLASSES = 50  # a model for each class


def text_baselines(data: TextSplits) -> list[Baseline]:
    """Return the baselines of a text task: majority class, and a linear model.

    Args:
        data: From `load_text`.
    """

    def make() -> list[Baseline]:
        found = [constant_baseline("majority class", data)]
        if len(data.task.classes) <= MOST_CLASSES:
            found.append(linear_baseline(data))
        return found

    return cached_baselines(f"text-{_hash(data)}", make, "Scoring the baselines")


def _hash(data: TextSplits) -> str:
    """Return a hash of everything that decides the baselines."""
    settings = (
        BASELINE_FORMAT,
        SMOOTHING,
        INVERSE_PENALTIES,
        LONGEST,
        data.tokenizer.name,
        data.task.columns,
    )
    return hash_splits(repr(settings), data)


@dataclass(frozen=True)
class LinearModel:
    """Logistic regressions on the n-grams that a text has.

    Attributes:
        known: int64, (num_ngrams,), increasing: codes of the n-grams.
        weights: float32, (num_ngrams, num_models): one model for each class; of two
            classes, for the second.
        biases: float32, (num_models,).
        base: Of the codes.
        longest: Tokens of the longest n-grams.
        first: N-grams of so many first tokens have a second weight.
    """

    known: np.ndarray
    weights: np.ndarray
    biases: np.ndarray
    base: int
    longest: int
    first: int

    def predict(self, marks: csr_matrix) -> np.ndarray:
        """Return probabilities of the classes, (num_texts, num_classes).

        Args:
            marks: (num_texts, num_ngrams): 1 where a text has an n-gram.
        """
        sums = marks.astype(np.float64) @ self.weights + self.biases
        shares = 1 / (1 + np.exp(-sums))
        if shares.shape[1] == 1:
            return np.concatenate([1 - shares, shares], axis=1)
        return shares / shares.sum(axis=1, keepdims=True)


def linear_baseline(data: TextSplits) -> Baseline:
    """Score the linear model of `fit_ngrams`."""
    model = fit_ngrams(data)
    features = NgramFeatures(model.base, model.longest, model.known, model.first)
    longest = model.longest
    what = "uni- and bigrams" if longest == 2 else f"1- to {longest}-grams"
    return make_baseline(
        f"linear model, {what}",
        data,
        lambda part: model.predict(features.mark(part)),
    )


def fit_ngrams(data: TextSplits, firsts: tuple[int, ...] = (0,)) -> LinearModel:
    """Fit logistic regressions on n-grams, one for each class against the others.

    A text is the set of its n-grams: of one and two words, or of one to four
    characters. The value of an n-gram is the log-ratio of its smoothed shares in the
    training texts of the class and in the others (Wang and Manning 2012, ACL P12-2018).
    The probabilities of the classes are scaled to the sum 1. The validation part
    chooses the penalty. It may take some seconds. It is cached per split.

    Args:
        data: From `load_text`. The test part is not read.
        firsts: N-grams of so many first tokens count once more, with a second weight.
            Of several numbers, the validation part chooses one, as it does the penalty.
    """
    longest = LONGEST[data.tokenizer.tokens]
    base = data.vocabulary.size + 1
    which = "-first-".join(["", *map(str, firsts)])
    name = f"baselines/ngrams-{_hash(data)}{which}.npz"
    stored = read_cached(name, lambda arrays: arrays)
    if stored is None:
        print("Fitting the linear model of this split (once, then cached)", flush=True)
        stored = _fit_all(data, base, longest, firsts)
        write_cached(name, stored)
    return _build(stored, base, longest)


def _fit_all(
    data: TextSplits, base: int, longest: int, firsts: tuple[int, ...]
) -> dict[str, np.ndarray]:
    """Return the fields of the model that is best on the validation part."""
    numbers = _list_models(np.arange(len(data.task.classes)))
    chosen: tuple[float, dict[str, np.ndarray]] | None = None
    for first in firsts:
        features = NgramFeatures(base, longest, first=first)
        features.known = np.unique(features.list(data.train)[0])
        train, validation = features.mark(data.train), features.mark(data.validation)
        for penalty in INVERSE_PENALTIES:
            columns = [_fit(train, data, k, penalty) for k in numbers]
            fields = {
                "known": features.known,
                "weights": np.stack([weights for weights, _ in columns], 1),
                "biases": np.array([bias for _, bias in columns]),
                "first": np.array(first),
            }
            model = _build(fields, base, longest)
            loss = data.task.summarise(
                "cross_entropy", data.validation.targets, model.predict(validation)
            )
            if chosen is None or loss < chosen[0]:
                chosen = loss, fields
    found = chosen[1]
    for name in ("weights", "biases"):
        found[name] = found[name].astype(np.float32)
    return found


def _build(fields: dict[str, np.ndarray], base: int, longest: int) -> LinearModel:
    first = int(fields["first"])
    return LinearModel(**fields | {"first": first}, base=base, longest=longest)


class NgramFeatures:
    """Which n-grams a text has.

    Attributes:
        known: int64, (num_ngrams,), increasing: codes of the n-grams that count.
    """

    def __init__(
        self,
        base: int,
        longest: int,
        known: np.ndarray | None = None,
        first: int = 0,
    ):
        """Keep the n-grams that count.

        Args:
            base: The code of an n-gram is a number with its ids plus one as digits.
            longest: Tokens of the longest n-grams.
            known: Codes, increasing; None: none yet.
            first: N-grams of so many first tokens count once more, by minus their code.
        """
        self._base = base
        self._longest = longest
        self._first = first
        self.known = np.empty(0, np.int64) if known is None else known

    def mark(self, part: Examples) -> csr_matrix:
        """Return (num_texts, num_ngrams): 1 where a text has an n-gram that counts."""
        from scipy.sparse import csr_matrix

        codes, texts = self.list(part)
        column = np.searchsorted(self.known, codes)
        column[column == len(self.known)] = 0
        found = self.known[column] == codes
        shape = (len(part), len(self.known))
        ones = np.ones(np.count_nonzero(found), np.float32)
        marks = csr_matrix((ones, (texts[found], column[found])), shape=shape)
        marks.sum_duplicates()
        marks.data[:] = 1
        return marks

    def list(self, part: Examples) -> tuple[np.ndarray, np.ndarray]:
        """List codes of n-grams, int64, and the text of each.

        Args:
            part: Inputs int32, (num_texts, length), padded.
        """
        ids = part.inputs
        texts, steps = np.nonzero((ids != PAD) & (ids != START))
        tokens = ids[texts, steps].astype(np.int64) + 1
        is_first = np.arange(len(texts)) - np.searchsorted(texts, texts) < self._first
        codes, owners = [tokens, -tokens[is_first]], [texts, texts[is_first]]
        code = tokens
        for n in range(1, self._longest):
            inside = (texts[n:] == texts[:-n]) & (steps[n:] - steps[:-n] == n)
            code = code[: len(tokens) - n] * self._base + tokens[n:]
            marked = inside & is_first[n:]
            codes += [code[inside], -code[marked]]
            owners += [texts[n:][inside], texts[n:][marked]]
        return np.concatenate(codes), np.concatenate(owners)


def _list_models(numbers: np.ndarray) -> np.ndarray:
    """Return the classes that need a model: of two, one says all."""
    return numbers[1:] if len(numbers) == 2 else numbers


def _fit(
    train: csr_matrix, data: TextSplits, number: int, penalty: float
) -> tuple[np.ndarray, float]:
    """Return the weight of each n-gram for a class, and the bias."""
    from sklearn.linear_model import LogisticRegression

    inside = np.asarray(data.train.targets) == number
    shares = [
        np.asarray(train[rows].sum(axis=0), np.float64).ravel() + SMOOTHING
        for rows in (inside, ~inside)
    ]
    values = np.log(shares[0] / shares[0].sum()) - np.log(shares[1] / shares[1].sum())
    weighted = train.astype(np.float64)
    weighted.data *= values[weighted.indices]
    model = LogisticRegression(
        solver="liblinear", dual=True, C=penalty, max_iter=2_000, random_state=0
    )
    model.fit(weighted, inside)
    return model.coef_[0] * values, float(model.intercept_[0])
