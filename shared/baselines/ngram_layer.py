"""The linear baseline of texts as a fixed layer, to be blended with networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.baselines.ngrams import MOST_CLASSES, fit_ngrams
from shared.data.text.dataset import TextSplits

if TYPE_CHECKING:
    import keras

FIRSTS = (0, 3, 6)
"""N-grams of so many first tokens count once more: the first words of a question say
most of its class. The validation part chooses."""


def predict_ngrams(
    ids: keras.KerasTensor, data: TextSplits
) -> keras.KerasTensor | None:
    """Return what the linear model of n-grams predicts, (batch, num_classes).

    Args:
        ids: Token ids, (batch, steps).
        data: Its training part is fitted (`fit_ngrams`), with n-grams of the first
            tokens, which the baseline does not have.

    Returns:
        None if there are too many classes for such a model.
    """
    from shared.layers.ngrams import NgramModel

    if len(data.task.classes) > MOST_CLASSES:
        return None
    model = fit_ngrams(data, FIRSTS)
    layer = NgramModel(
        model.base,
        model.longest,
        *model.weights.shape,
        model.first,
        name="linear",
        dtype="float32",
    )
    shares = layer(ids)
    layer.set_model(model.known, model.weights, model.biases)
    return shares
