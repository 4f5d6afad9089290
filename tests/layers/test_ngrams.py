"""The linear model of n-grams as a layer: the same as without Keras."""

import numpy as np
import pytest

from shared.baselines.ngrams import NgramFeatures, fit_ngrams, text_baselines
from shared.core.backend import import_keras
from shared.data.text.config import TextConfig
from shared.data.text.dataset import load_text


@pytest.mark.parametrize("tokens", ["words", "characters"])
@pytest.mark.parametrize("padding", ["left", "right"])
@pytest.mark.parametrize("classes", [2, 3])
def test_the_layer_predicts_as_the_linear_model(tmp_path, tokens, padding, classes):
    import_keras()
    import keras

    from shared.baselines.ngram_layer import FIRSTS, predict_ngrams
    from shared.layers.ngrams import NgramModel

    random = np.random.default_rng(0)
    names = ["red", "green", "blue"][:classes]
    rows = ["text,label"]
    for k in range(90):
        label = names[k % classes]
        later = random.permutation(names)  # only the first word tells the class
        words = [f"{word} {random.choice(['is', 'so'])}" for word in (label, *later)]
        rows.append(f"{' '.join(words)} {k},{label}")
    (tmp_path / "t.csv").write_text("\n".join(rows) + "\n")
    config = TextConfig(file=tmp_path / "t.csv", tokens=tokens, padding=padding)
    data = load_text(config, 0)
    ids = keras.Input((None,), dtype="int32")
    model = keras.Model(ids, predict_ngrams(ids, data))
    plain = fit_ngrams(data, FIRSTS)
    features = NgramFeatures(plain.base, plain.longest, plain.known, plain.first)
    found = model.predict(data.test.inputs, verbose=0)
    assert found == pytest.approx(plain.predict(features.mark(data.test)), abs=1e-5)
    assert plain.first > 0
    right = found.argmax(axis=1) == data.test.targets
    _, baseline = text_baselines(data)  # does not know which n-grams come first
    assert right.mean() > baseline.test["accuracy"]
    model.save(tmp_path / "m.keras")
    own = {"NgramModel": NgramModel}
    again = keras.saving.load_model(tmp_path / "m.keras", custom_objects=own)
    assert again.predict(data.test.inputs, verbose=0) == pytest.approx(found)
    assert not model.trainable_weights


def test_the_blend_is_chosen_by_cross_entropy_in_the_order_of_the_texts(tmp_path):
    """Buckets feed short texts first; the share must not depend on that."""
    import_keras()
    import keras

    from shared.baselines.ngram_layer import predict_ngrams
    from shared.layers.blend import Blend, ChooseBlend, blend_with_linear

    rows = ["text,label"]
    for k in range(120):
        label = ("red", "green")[k % 2]
        rows.append(f"{'long ' * (k % 7)} thing {k} {label}ish,{label}")
    (tmp_path / "t.csv").write_text("\n".join(rows) + "\n")
    data = load_text(TextConfig(file=tmp_path / "t.csv"), 0)
    ids = keras.Input((None,), dtype="int32")
    wrong = keras.layers.Dense(2, activation="softmax", kernel_initializer="zeros")(
        keras.ops.reshape(keras.ops.cast(ids[:, 0], "float32"), (-1, 1))
    )  # knows nothing: one half for each class
    model = keras.Model(ids, blend_with_linear(predict_ngrams(ids, data), [wrong]))
    choose = ChooseBlend(data)
    choose.set_model(model)
    choose.on_train_begin()
    choose.on_test_begin()
    (blend,) = (layer for layer in model.layers if isinstance(layer, Blend))
    assert float(blend.share.value) == 1  # all to the linear model
