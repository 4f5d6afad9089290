"""Simple models in the same metric on the same split: the bars a network must clear."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from shared.baselines.bars import Bar, cached_bars, make_bar
from shared.data.batches import PAD
from shared.data.splits import Examples, Splits

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

BAR_FORMAT = 2
COLUMNS = {"accuracy": "accuracy", "loss": "cross_entropy"}
SMOOTHING = 1.0  # alpha of Wang & Manning (2012)
INVERSE_PENALTY = (
    0.3  # least validation loss among 0.1, 0.3, 1 and 3 on the real reviews
)


def review_bars(splits: Splits) -> list[Bar]:
    """Return the bars of a review split: majority class and linear model.

    The linear bar takes some seconds on the real reviews, and is cached per split.

    Args:
        splits: Inputs int32, (num_reviews, length), word ids with `PAD` as padding;
            targets (num_reviews,), 0 or 1.

    Returns:
        Bars with `accuracy` and `loss` (binary cross-entropy in nats).
    """
    return cached_bars(
        f"reviews-{_hash_splits(splits)}",
        lambda: [majority_bar(splits), linear_bar(splits)],
        "Fitting the linear bar of this split (once, then cached)",
    )


def majority_bar(splits: Splits) -> Bar:
    """Score the class that is most frequent in training, at its training share."""
    share = float(np.mean(splits.train.targets))
    return make_bar(
        "majority class", splits, lambda part: np.full(len(part), share), COLUMNS
    )


def linear_bar(splits: Splits) -> Bar:
    """Score a logistic regression on uni- and bigrams weighted by naive Bayes.

    Each review is the set of its words and pairs of neighbouring words. A feature's
    value is the log-ratio of its smoothed share among positive and among negative
    training reviews (Wang & Manning 2012, ACL P12-2018).
    """
    from sklearn.linear_model import LogisticRegression

    features = _NgramFeatures(splits.train)
    model = LogisticRegression(
        solver="liblinear", dual=True, C=INVERSE_PENALTY, random_state=0
    )
    model.fit(features.weigh(splits.train), splits.train.targets)
    return make_bar(
        "linear model, uni- and bigrams",
        splits,
        lambda part: model.predict_proba(features.weigh(part))[:, 1],
        COLUMNS,
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

    def weigh(self, part: Examples) -> csr_matrix:
        """Return float64 features, (num_reviews, num_ngrams)."""
        present = self._count(*_list_ngrams(part.inputs), len(part))
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
    """List the words and pairs of words of each review.

    Args:
        word_ids: int, (num_reviews, length).

    Returns:
        int64 n-gram codes and the review that each stands in, both (num_ngrams,).
    """
    reviews, steps = np.nonzero(word_ids != PAD)
    words = word_ids[reviews, steps].astype(np.int64)
    follows = (np.diff(reviews) == 0) & (np.diff(steps) == 1)
    # A pair's code lies above every word's; 2^31 bounds the word ids.
    pairs = (words[:-1][follows] + 1 << 31) + words[1:][follows]
    return np.concatenate([words, pairs]), np.concatenate(
        [reviews, reviews[1:][follows]]
    )


def _hash_splits(splits: Splits) -> str:
    """Return a hash of all that the bars depend on."""
    digest = hashlib.sha256(f"{BAR_FORMAT} {SMOOTHING} {INVERSE_PENALTY}".encode())
    for part in (splits.train, splits.validation, splits.test):
        for array in (part.inputs, part.targets):
            digest.update(f"{array.dtype} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()[:16]
