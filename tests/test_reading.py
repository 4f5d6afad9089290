"""Pairs, first vectors, adversarial steps and the masked maximum of imdb-best."""

import dataclasses

import keras
import numpy as np
import pytest
from conftest import run_python
from keras import layers
from test_recipes import train

from recipes import imdb_best
from shared.adversarial import train_adversarially
from shared.cli import main
from shared.pooling import MaxOfSteps
from shared.word_pairs import embed_pairs, find_frequent_pairs
from shared.word_vectors import SPREAD, learn_word_vectors


def test_frequent_pairs_are_counted_once_per_text():
    # 45 stands in two texts (in one of them twice), 54 and 56 in one each.
    texts = np.array([[4, 5, 4, 5], [0, 4, 5, 6], [6, 5, 0, 0]])
    assert find_frequent_pairs(texts, 10, 1).tolist() == [45]
    assert find_frequent_pairs(texts, 10, 9).tolist() == [45, 54, 56, 65]


def test_pairs_get_their_vector_and_the_others_the_first():
    word_ids = keras.Input((None,), dtype="int32")
    reviews = imdb_best.Config().reviews
    reviews = dataclasses.replace(reviews, vocabulary=10, embedding_size=3)
    model = keras.Model(word_ids, embed_pairs(word_ids, 2, reviews))
    model.get_layer("pair_ids").set_vocabulary(np.array([45, 56]))
    vectors = np.arange(9, dtype="float32").reshape(3, 3)
    assert not model.get_layer("pairs").get_weights()[0].any()
    model.get_layer("pairs").set_weights([vectors])
    found = np.array(model(np.array([[4, 5, 6, 5], [0, 0, 4, 5]])))
    expected = [[0, 1, 2, 0], [0, 0, 0, 1]]  # 04 45 56 65 and 00 00 04 45
    assert np.array_equal(found, vectors[expected])


def test_words_among_the_same_neighbours_begin_alike():
    random = np.random.default_rng(0)
    rows = []
    for _ in range(300):  # 4 and 5 stand between 8 and 9, 6 and 7 between 10 and 11
        kind = random.integers(2)
        middle = (4, 6)[kind] + random.integers(2)
        rows.append([0, 1, (8, 10)[kind], middle, (9, 11)[kind]])
    vectors = learn_word_vectors(np.array(rows), 13, 4, seed=0)
    assert vectors.shape == (13, 4)
    assert vectors.dtype == np.float32
    assert vectors.std() == pytest.approx(SPREAD, rel=1e-5)
    assert not vectors[[0, 1, 2, 3, 12]].any()

    def cosine(one, other):
        a, b = vectors[one], vectors[other]
        return a @ b / np.linalg.norm(a) / np.linalg.norm(b)

    assert cosine(4, 5) > 0.9
    assert cosine(6, 7) > 0.9
    assert abs(cosine(4, 6)) < 0.3


def test_more_numbers_than_words_and_texts_without_words():
    vectors = learn_word_vectors(np.array([[4, 5, 6]]), 7, 9, seed=0)
    assert vectors.shape == (7, 9)
    assert np.isfinite(vectors).all()
    assert not learn_word_vectors(np.array([[0, 1, 2]]), 7, 9, seed=0).any()


@pytest.mark.parametrize("radius", [0.0, 0.7])
def test_an_adversarial_step_is_the_one_computed_by_hand(radius):
    """Logistic regression: the worst step of x is against its label, along w."""
    random = np.random.default_rng(0)
    x = random.normal(size=(5, 3, 2)).astype("float32")
    y = np.array([0, 1, 1, 0, 1], "float32")
    w = random.normal(size=(6, 1)).astype("float32")
    inputs = keras.Input((3, 2))
    read = layers.Identity(name="read")(inputs)
    outputs = layers.Dense(1, "sigmoid", use_bias=False)(layers.Flatten()(read))
    model = keras.Model(inputs, outputs)
    model.set_weights([w])
    model.compile(
        keras.optimizers.SGD(0.5), "binary_crossentropy", metrics=["accuracy"]
    )
    train_adversarially(model, "read", radius)
    logs = model.train_on_batch(x, y, return_dict=True)

    def gradient(flat):
        p = 1 / (1 + np.exp(-flat @ w[:, 0]))
        loss = -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))
        return loss, (flat * (p - y)[:, None]).mean(axis=0), p

    flat = x.reshape(5, 6)
    loss, clean, p = gradient(flat)
    away = np.sign(p - y)[:, None] * w[:, 0] / np.linalg.norm(w)
    _, moved, _ = gradient(flat + radius * away)
    expected = w[:, 0] - 0.5 * (clean + moved)
    assert model.get_weights()[0][:, 0] == pytest.approx(expected, abs=1e-5)
    assert logs["loss"] == pytest.approx(loss, abs=1e-5)  # of the inputs as they are
    assert logs["accuracy"] == pytest.approx(np.mean((p > 0.5) == y))
    again = np.array(model(x))[:, 0]  # nothing is moved outside the training step
    assert again == pytest.approx(1 / (1 + np.exp(-flat @ expected)), abs=1e-5)


def test_the_maximum_leaves_masked_steps_out():
    states = np.array([[[-3, 1], [-2, 0], [5, 9]], [[7, 8], [-1, -4], [0, -6]]], "f4")
    mask = np.array([[True, True, False], [False, True, True]])
    layer = MaxOfSteps()
    assert np.array_equal(layer(states, mask=mask), [[-2, 1], [0, -4]])
    assert np.array_equal(layer(states), [[5, 9], [7, 8]])
    again = keras.layers.deserialize(keras.layers.serialize(layer))
    assert np.array_equal(again(states, mask=mask), [[-2, 1], [0, -4]])


def test_a_process_that_knows_no_recipe_loads_the_model(tmp_path):
    run = train("imdb_best", tmp_path, "--epochs", "1")
    load = "import sys, pathlib; from shared.models import load_model; "
    load += "print(load_model(pathlib.Path(sys.argv[1])).count_params())"
    done = run_python("-c", load, str(run.path))
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[-1]) == run.summary["parameters"]


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--radius", "-1"], "--radius -1"),
        (["--radius", "inf"], "--radius inf"),
        (["--pairs", "0"], "--pairs 0"),
        (["--go-backwards"], "take imdb-gru"),
        (["--jit", "on"], "--jit on"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(flags, told, tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(imdb_best.Config, imdb_best.run, ["--results-dir", str(tmp_path), *flags])
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())
