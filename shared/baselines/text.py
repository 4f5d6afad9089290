"""Baselines of a text task: the majority class, and a linear model of n-grams."""

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
from shared.data.padding import PAD
from shared.data.splits import Examples, Splits

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

BASELINE_FORMAT = 2
SMOOTHING = 1.0  # alpha of Wang & Manning (2012)
INVERSE_PENALTY = 0.3
"""The least validation loss among 0.1, 0.3, 1 and 3 on the real reviews."""


def review_baselines(data: Splits) -> list[Baseline]:
    """Return the baselines of a review split: majority class and linear model.

    The linear model takes some seconds on the real reviews. It is cached per split.

    Args:
        data: Inputs int32, (num_reviews, length), word ids with `PAD` as padding;
            targets (num_reviews,), 0 or 1.

    Returns:
        Baselines with `accuracy` and `loss` (binary cross-entropy in nats).
    """
    settings = f"{BASELINE_FORMAT} {SMOOTHING} {INVERSE_PENALTY}"
    return cached_baselines(
        f"reviews-{hash_splits(settings, data)}",
        lambda: [majority_baseline(data), linear_baseline(data)],
        "Fitting the linear baseline of this split (once, then cached)",
    )


def majority_baseline(data: Splits) -> Baseline:
    """Score the most frequent class in training. Its share is the probability."""
    return constant_baseline("majority class", data)


def linear_baseline(data: Splits) -> Baseline:
    """Score a logistic regression on uni- and bigrams weighted by naive Bayes.

    A review is the set of its words and bigrams. The value of a feature is the
    log-ratio of its smoothed shares in the positive and the negative training reviews
    (Wang & Manning 2012, ACL P12-2018).
    """
    from sklearn.linear_model import LogisticRegression

    features = _NgramFeatures(data.train)
    model = LogisticRegression(
        solver="liblinear", dual=True, C=INVERSE_PENALTY, random_state=0
    )
    model.fit(features.train, data.train.targets)
    return make_baseline(
        "linear model, uni- and bigrams",
        data,
        lambda part: model.predict_proba(features.weigh(part))[:, 1],
    )


class _NgramFeatures:
    """Uni- and bigrams of the training reviews with their naive-Bayes weights."""

    def __init__(self, train: Examples) -> None:
        ngrams, reviews = _list_ngrams(train.inputs)
        self.known = np.unique(ngrams)
        present = self._count(ngrams, reviews, len(train))
        positive = train.targets > 0.5
        shares = [
            np.asarray(present[rows].sum(axis=0)).ravel() + SMOOTHING
            for rows in (positive, ~positive)
        ]
        self.weights = np.log(shares[0] / shares[0].sum()) - np.log(
            shares[1] / shares[1].sum()
        )
        self.train = self._weigh(present)

    def weigh(self, part: Examples) -> csr_matrix:
        """Return float64 features, (num_reviews, num_ngrams)."""
        return self._weigh(self._count(*_list_ngrams(part.inputs), len(part)))

    def _weigh(self, present: csr_matrix) -> csr_matrix:
        present.data = self.weights[present.indices]
        return present

    def _count(
        self, ngrams: np.ndarray, reviews: np.ndarray, num_reviews: int
    ) -> csr_matrix:
        from scipy.sparse import csr_matrix

        column = np.searchsorted(self.known, ngrams)
        column[column == len(self.known)] = 0
        found = self.known[column] == ngrams
        ones = np.ones(np.count_nonzero(found))
        shape = (num_reviews, len(self.known))
        present = csr_matrix((ones, (reviews[found], column[found])), shape=shape)
        present.sum_duplicates()
        present.data[:] = 1
        return present


def _list_ngrams(word_ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """List the words and bigrams of each review.

    Args:
        word_ids: int, (num_reviews, length).

    Returns:
        int64 n-gram codes and the review of each, both (num_ngrams,).
    """
    reviews, steps = np.nonzero(word_ids != PAD)
    words = word_ids[reviews, steps].astype(np.int64)
    follows = (np.diff(reviews) == 0) & (np.diff(steps) == 1)
    # The code of a bigram is above that of every word: word ids are below 2^31.
    bigrams = (words[:-1][follows] + 1 << 31) + words[1:][follows]
    return np.concatenate([words, bigrams]), np.concatenate(
        [reviews, reviews[1:][follows]]
    )
