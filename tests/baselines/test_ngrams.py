"""N-grams and what a classifier confuses, worked by hand and against scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import f1_score, precision_recall_fscore_support

from shared.baselines.ngrams import NgramFeatures, text_baselines
from shared.data.splits import Examples
from shared.data.text.config import TextConfig
from shared.data.text.dataset import load_text
from shared.tasks.confusion import count_confusions, measure_classes, share_macro_f1
from shared.tasks.macro_f1 import MacroF1


def test_ngrams_stay_within_a_text_and_skip_padding_and_start():
    ids = np.array([[0, 1, 4, 5], [1, 5, 4, 5]], np.int32)
    train = Examples(ids, np.zeros(2))
    features = NgramFeatures(base=7, longest=2)
    features.known = np.unique(features.list(train)[0])
    # 4, 5, 4-5 and 5-4 in base 7, each id plus one
    assert features.known.tolist() == [5, 6, 5 * 7 + 6, 6 * 7 + 5]
    assert features.mark(train).toarray().tolist() == [[1, 1, 1, 0], [1, 1, 1, 1]]
    other = features.mark(Examples(np.array([[1, 4, 4, 2]], np.int32), np.zeros(1)))
    assert other.sum() == 1  # only 4 is known; 4-4, 2 and 4-2 are not


def test_ngrams_of_the_first_tokens_count_once_more():
    texts = np.array([[0, 1, 4, 5, 5, 4], [4, 5, 4, 5, 0, 0]], np.int32)
    features = NgramFeatures(base=7, longest=2, first=2)
    codes, owners = features.list(Examples(texts, np.zeros(2)))
    # 4, 5 and 4-5, each id plus one, begin both texts.
    for text in (0, 1):
        found = codes[owners == text]
        assert sorted(found[found < 0]) == [-(5 * 7 + 6), -6, -5]
        plain = NgramFeatures(base=7, longest=2)
        only = plain.list(Examples(texts[text : text + 1], np.zeros(1)))[0]
        assert sorted(found[found > 0]) == sorted(only)


def test_macro_f1_is_that_of_scikit_learn():
    random = np.random.default_rng(0)
    targets = random.integers(0, 4, 200)
    predictions = random.dirichlet(np.ones(4), 200)
    predictions[np.arange(200), targets] += random.random(200)
    found = predictions.argmax(axis=1)
    counts = count_confusions(targets, predictions, 4)
    score = f1_score(targets, found, average="macro")
    assert share_macro_f1(targets, predictions, 4).mean() == pytest.approx(score)
    expected = precision_recall_fscore_support(targets, found)
    for name, values in zip(("precision", "recall", "f1"), expected, strict=False):
        assert measure_classes(counts)[name] == pytest.approx(values)
    metric = MacroF1(4)
    for part in (slice(0, 70), slice(70, 200)):
        metric.update_state(targets[part].astype(np.float32), predictions[part])
    assert float(metric.result()) == pytest.approx(score, rel=1e-5)


def test_a_class_that_never_occurs_does_not_count():
    targets, found = np.array([0, 0, 0, 0, 1, 1]), np.eye(3)[[0, 0, 0, 1, 1, 1]]
    # F1 of class 0: 6/7; of class 1: 4/5
    shares = share_macro_f1(targets, found, 3)
    assert shares.mean() == pytest.approx((6 / 7 + 4 / 5) / 2)


def test_shares_in_macro_f1_have_its_standard_error():
    """The bootstrap of macro F1 itself is the known answer."""
    random = np.random.default_rng(0)
    targets = np.repeat([0, 1, 2], [400, 150, 50])
    predictions = random.dirichlet(np.ones(3), 600)
    predictions[np.arange(600), targets] += random.random(600)
    shares = share_macro_f1(targets, predictions, 3)
    found = predictions.argmax(axis=1)
    draws = [random.integers(0, 600, 600) for _ in range(400)]
    scores = [f1_score(targets[d], found[d], average="macro") for d in draws]
    error = shares.std() / np.sqrt(600)
    assert error == pytest.approx(np.std(scores), rel=0.15)


def test_the_linear_model_learns_what_words_tell(tmp_path, capsys):
    rows = ["text,label"]
    for k in range(60):
        label = ("red", "green", "blue")[k % 3]
        rows.append(f"thing {k} is like {label}ish stuff,{label}")
    (tmp_path / "colours.csv").write_text("\n".join(rows) + "\n")
    config = TextConfig(file=tmp_path / "colours.csv")
    majority, linear = text_baselines(load_text(config, 0))
    assert linear.name == "linear model, uni- and bigrams"
    assert linear.test["accuracy"] == linear.test["macro_f1"] == 1
    assert majority.test["accuracy"] == pytest.approx(1 / 3)
    assert linear.predictions.shape == (12, 3)
    assert linear.predictions.sum(axis=1) == pytest.approx(np.ones(12))
