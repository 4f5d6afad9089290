"""The sample reviews: the same on every machine, and the order of words decides."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from shared.baselines.text import linear_baseline
from shared.data.imdb.reviews import ReviewsConfig, load_reviews
from shared.data.imdb.sample_reviews import NUM_REVIEWS, make_sample_reviews

SETTINGS = {
    "vocabulary": 10_000, "length": 500, "keep": "end", "padding": "left",
    "mask": False, "embedding_size": 2, "validation_share": 0.2, "data": "sample",
}  # fmt: skip


pytestmark = pytest.mark.xdist_group("sample splits")


@pytest.fixture(scope="module")
def splits():
    return load_reviews(ReviewsConfig(**SETTINGS), seed=0)


def test_the_corpus_is_the_same_on_every_machine(splits):
    assert splits.facts["sha256"][:16] == "31d0c775f418fff0"


def test_its_parts_are_balanced_and_its_lengths_are_like_real_ones():
    for part, num_reviews in NUM_REVIEWS.items():
        sequences, labels = make_sample_reviews(part)
        assert len(labels) == num_reviews
        assert labels.mean() == 0.5
        low, middle, high = np.percentile(sequences.lengths, [5, 50, 95])
        # Real reviews: median 177, mean 238 (Maas et al. 2011).
        assert 150 < middle < 200
        assert 210 < sequences.lengths.mean() < 260
        assert low < 70
        assert high > 500


def test_no_review_is_in_two_parts():
    parts = []
    for part in NUM_REVIEWS:
        sequences, _ = make_sample_reviews(part)
        parts.append({sequences[k].tobytes() for k in range(len(sequences))})
    assert not parts[0] & parts[1]


def test_a_model_that_counts_words_stays_below_085(splits):
    def count(part):
        num_words = int(splits.train.inputs.max()) + 1
        rows = np.repeat(np.arange(len(part)), part.inputs.shape[1])
        words = np.minimum(part.inputs.ravel(), num_words - 1)
        counts = csr_matrix((np.ones(len(rows)), (rows, words)), (len(part), num_words))
        counts.sum_duplicates()
        return counts

    train, test = count(splits.train), count(splits.test)
    accuracy = 0.0
    for inverse_penalty in (0.001, 0.03, 1):
        model = LogisticRegression(C=inverse_penalty, solver="liblinear")
        model.fit(train, splits.train.targets)
        accuracy = max(accuracy, model.score(test, splits.test.targets))
    assert 0.45 < accuracy < 0.85


def test_the_baseline_with_bigrams_stays_below_085_too(splits):
    assert 0.55 < linear_baseline(splits).test["accuracy"] < 0.85
