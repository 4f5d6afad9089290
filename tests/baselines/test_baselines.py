"""The baselines of reviews, against cases computed by hand."""

import math

import numpy as np
import pytest

from shared.baselines import text
from shared.baselines.text import linear_baseline, majority_baseline, review_baselines
from shared.data.imdb.reviews import ReviewsConfig, load_reviews
from shared.data.splits import Examples, Splits


def make_splits(train, targets, other=None):
    part = Examples(np.array(train, np.int32), np.array(targets, np.float32))
    rest = part if other is None else Examples(np.array(other[0]), np.array(other[1]))
    return Splits("toy", part, rest, rest)


def assert_same(baselines, others):
    assert [baseline.facts() for baseline in baselines] == [
        baseline.facts() for baseline in others
    ]
    for baseline, other in zip(baselines, others, strict=True):
        assert np.array_equal(baseline.predictions, other.predictions)


def test_majority_class():
    splits = make_splits([[5], [5], [5], [5]], [1, 1, 1, 0], ([[5], [5]], [1, 0]))
    baseline = majority_baseline(splits)
    assert baseline.test["accuracy"] == 0.5
    assert baseline.test["loss"] == pytest.approx(
        -(math.log(0.75) + math.log(0.25)) / 2
    )


def test_ngrams_by_hand():
    words = np.array([[0, 0, 7, 8, 7], [0, 3, 0, 4, 0]])
    codes, rows = text._list_ngrams(words)
    bigrams = {(7, 8), (8, 7)}
    assert sorted(codes[:5].tolist()) == [3, 4, 7, 7, 8]
    assert {(int(c >> 31) - 1, int(c % 2**31)) for c in codes[5:]} == bigrams
    assert rows.tolist() == [0, 0, 0, 1, 1, 0, 0]


def test_naive_bayes_weights_by_hand():
    # Word 5 is in both positive reviews, 6 in both negative ones, 7 in one of each.
    train = [[5, 0, 7], [5, 0, 0], [6, 0, 7], [6, 0, 0]]
    splits = make_splits(train, [1, 1, 0, 0])
    features = text._NgramFeatures(splits.train)
    assert features.known.tolist() == [5, 6, 7]
    # Counts with smoothing: positive 3, 1, 2; negative 1, 3, 2; each of sum 6.
    assert features.weights == pytest.approx([math.log(3), -math.log(3), 0])
    weighed = features.weigh(Examples(np.array([[5, 9, 9]]), np.array([1])))
    assert weighed.toarray()[0] == pytest.approx([math.log(3), 0, 0])


def test_bigrams_find_what_words_cannot():
    # "3 4" is positive, "4 3" negative: the same words.
    random = np.random.default_rng(0)
    targets = np.arange(200) % 2
    noise = random.integers(5, 9, (200, 3))
    bigram = np.where(targets[:, None] == 1, [3, 4], [4, 3])
    splits = make_splits(np.hstack([noise, bigram]), targets)
    assert linear_baseline(splits).test["accuracy"] == 1.0


def test_baselines_are_cached_per_split(tmp_path, capsys):
    splits = make_splits([[3, 4], [4, 3]] * 10, [1, 0] * 10)
    first = review_baselines(splits)
    assert "Fitting" in capsys.readouterr().out
    assert_same(review_baselines(splits), first)
    assert "Fitting" not in capsys.readouterr().out
    other = make_splits([[3, 4], [4, 3]] * 10, [0, 1] * 10)
    review_baselines(other)
    assert "Fitting" in capsys.readouterr().out
    (damaged, _) = (tmp_path / "cache" / "baselines").glob("*.npz")
    damaged.write_bytes(damaged.read_bytes()[:100])
    assert_same(review_baselines(splits), first)
    assert [baseline.name for baseline in first] == [
        "majority class", "linear model, uni- and bigrams",
    ]  # fmt: skip


@pytest.mark.slow
def test_the_real_baseline_has_its_known_accuracy(real_data):
    config = ReviewsConfig(
        vocabulary=10_000, length=500, keep="end", padding="left", mask=False,
        embedding_size=1, validation_share=0.2, data_dir=real_data,
    )  # fmt: skip
    baseline = linear_baseline(load_reviews(config, seed=0))
    # .913 is known for a fit to all 25,000 training reviews. This fit has 20,000.
    assert 0.905 < baseline.test["accuracy"] < 0.917
