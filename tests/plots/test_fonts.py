"""Letters that no font has are marked, and classes with such letters are numbered."""

import types
import warnings

import numpy as np
import pytest

from shared.plots import fonts
from shared.plots.confusion_figure import draw_confusion
from shared.plots.panels import plain_text
from shared.tasks.text_classification import TextClassification

PREDICTIONS = {
    "targets": np.array([0, 0, 1, 1, 1]),
    "predictions": np.array([[0.9, 0.1]] * 3 + [[0.2, 0.8]] * 2),
}


@pytest.fixture
def no_chinese(monkeypatch):
    """Leave matplotlib's own font only."""
    monkeypatch.setattr(fonts, "FALLBACKS", ())
    monkeypatch.setitem(fonts.rcParams, "font.family", ["sans-serif"])
    fonts._use_fonts.cache_clear()
    yield
    fonts._use_fonts.cache_clear()


def draw(*classes):
    run = types.SimpleNamespace(
        task=TextClassification.choose("accuracy", classes), recipe="text-gru",
        data="reviews", seed=0,
    )  # fmt: skip
    return draw_confusion(run, PREDICTIONS)


def list_labels(figure):
    (axis,) = figure.axes
    return [label.get_text() for label in axis.get_yticklabels()], axis.get_ylabel()


def test_letters_that_no_font_has_are_marked(no_chinese):
    assert plain_text("naïve µ² ± $5") == r"naïve µ² ± \$5"
    assert plain_text("a 好\n差") == "a □\n□"


def test_a_confusion_has_counts_by_true_class_in_rows():
    figure = draw("bad", "good")
    assert list_labels(figure) == (["bad", "good"], "true class")
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts == ["2", "0", "1", "2"]


def test_classes_are_numbered_where_their_letters_cannot_be_drawn(no_chinese, tmp_path):
    figure = draw("好", "差")
    assert list_labels(figure) == (["1", "2"], "true class (row of classes.csv)")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of a missing glyph
        figure.savefig(tmp_path / "confusion.png")


def test_more_than_thirty_classes_have_no_picture():
    assert draw(*map(str, range(31))) is None
