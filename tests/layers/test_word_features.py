"""Bigrams, first vectors, adversarial steps and the masked maximum of imdb-best."""

import dataclasses

import keras
import numpy as np
import pytest
from keras import layers

from recipes import imdb_best
from shared.commands.recipe import main
from shared.inference.load_model import load_model
from shared.layers.bigrams import embed_bigrams, find_frequent_bigrams
from shared.layers.ensemble import train_ensemble
from shared.layers.pooling import MaxOfSteps
from shared.layers.word_vectors import STD, learn_word_vectors
from tests.helpers import run_python
from tests.recipes.test_recipes import train


def test_frequent_bigrams_are_counted_once_per_text():
    # 45 occurs in two texts (in one of them twice), 54 and 56 in one each.
    texts = np.array([[4, 5, 4, 5], [0, 4, 5, 6], [6, 5, 0, 0]])
    assert find_frequent_bigrams(texts, 10, 1).tolist() == [45]
    assert find_frequent_bigrams(texts, 10, 9).tolist() == [45, 54, 56, 65]


def test_bigrams_have_their_vector_and_the_others_the_first():
    word_ids = keras.Input((None,), dtype="int32")
    reviews = imdb_best.Config().reviews
    reviews = dataclasses.replace(reviews, vocabulary=10, embedding_size=3)
    model = keras.Model(word_ids, embed_bigrams(word_ids, 2, reviews, 1))
    model.get_layer("pair_ids_1").set_vocabulary(np.array([45, 56]))
    vectors = np.arange(9, dtype="float32").reshape(3, 3)
    assert not model.get_layer("pairs_1").get_weights()[0].any()
    model.get_layer("pairs_1").set_weights([vectors])
    found = np.array(model(np.array([[4, 5, 6, 5], [0, 0, 4, 5]])))
    expected = [[0, 1, 2, 0], [0, 0, 0, 1]]  # 04 45 56 65 and 00 00 04 45
    assert np.array_equal(found, vectors[expected])


def test_words_among_the_same_neighbours_start_alike():
    random = np.random.default_rng(0)
    rows = []
    for _ in range(300):  # 4 and 5 lie between 8 and 9, 6 and 7 between 10 and 11
        kind = random.integers(2)
        middle = (4, 6)[kind] + random.integers(2)
        rows.append([0, 1, (8, 10)[kind], middle, (9, 11)[kind]])
    vectors = learn_word_vectors(np.array(rows), 13, 4, seed=0)
    assert vectors.shape == (13, 4)
    assert vectors.dtype == np.float32
    assert vectors.std() == pytest.approx(STD, rel=1e-5)
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


@pytest.mark.parametrize("epsilon", [0.0, 0.7])
@pytest.mark.parametrize("size", [1, 2])
def test_a_step_of_the_ensemble_is_that_computed_by_hand(size, epsilon):
    """Logistic regression: the worst step of x is along w, away from its label."""
    random = np.random.default_rng(0)
    x = random.normal(size=(5, 3, 2)).astype("float32")
    y = np.array([0, 1, 1, 0, 1], "float32")
    first = random.normal(size=(size, 6, 1)).astype("float32")
    inputs = keras.Input((3, 2))
    each = []
    for n in range(1, size + 1):
        read = layers.Rescaling(1.0, name=f"read_{n}")(inputs)
        flat = layers.Flatten()(read)
        dense = layers.Dense(
            1, "sigmoid", use_bias=False, kernel_regularizer="l2", name=f"positive_{n}"
        )
        each.append(dense(flat))
    model = keras.Model(inputs, layers.Average()(each) if size > 1 else each[0])
    model.set_weights(list(first))
    model.compile(
        keras.optimizers.SGD(0.5), "binary_crossentropy", metrics=["accuracy"]
    )
    train_ensemble(model, size, "positive", "read", epsilon)
    logs = model.train_on_batch(x, y, return_dict=True)

    def predict(w, flat):
        return 1 / (1 + np.exp(-flat @ w[:, 0]))

    flat = x.reshape(5, 6)
    for before, after in zip(first, model.get_weights(), strict=True):
        moved = flat
        expected = before[:, 0] - 0.5 * 2 * 0.01 * before[:, 0]  # the penalty, once
        for _ in range(2 if epsilon else 1):
            p = predict(before, moved)
            expected -= 0.5 * (moved * (p - y)[:, None]).mean(axis=0)
            away = np.sign(p - y)[:, None] * before[:, 0] / np.linalg.norm(before)
            moved = flat + epsilon * away
        assert after[:, 0] == pytest.approx(expected, abs=1e-5)
    # The logs are those of the mean, at the unchanged inputs.
    p = np.mean([predict(w, flat) for w in first], axis=0)
    loss = -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p)) + 0.01 * np.sum(first**2)
    assert logs["loss"] == pytest.approx(loss, abs=1e-5)
    assert logs["accuracy"] == pytest.approx(np.mean((p > 0.5) == y))
    again = np.array(model(x))[:, 0]  # only the training step moves inputs
    trained = np.mean([predict(w, flat) for w in model.get_weights()], axis=0)
    assert again == pytest.approx(trained, abs=1e-5)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of imdb-best with an ensemble of two; tests only read it."""
    folder = tmp_path_factory.mktemp("imdb_best")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RNN_RECIPES_CACHE", str(folder / "cache"))
        return train("imdb_best", folder, "--epochs", "1", "--ensemble-size", "2")


@pytest.mark.xdist_group("trained imdb-best")
def test_the_networks_differ_and_their_mean_counts(trained):
    model = load_model(trained.path)
    names = ["positive_1", "positive_2", "positive"]
    each = keras.Model(model.input, [model.get_layer(n).output for n in names])
    word_ids = np.random.default_rng(0).integers(4, 31, (9, 7))
    one, two, mean = (np.array(output) for output in each(word_ids))
    assert not np.allclose(one, two, atol=1e-6)
    assert mean == pytest.approx((one + two) / 2, abs=1e-6)


def test_the_maximum_skips_masked_steps():
    states = np.array([[[-3, 1], [-2, 0], [5, 9]], [[7, 8], [-1, -4], [0, -6]]], "f4")
    mask = np.array([[True, True, False], [False, True, True]])
    layer = MaxOfSteps()
    assert np.array_equal(layer(states, mask=mask), [[-2, 1], [0, -4]])
    assert np.array_equal(layer(states), [[5, 9], [7, 8]])
    again = keras.layers.deserialize(keras.layers.serialize(layer))
    assert np.array_equal(again(states, mask=mask), [[-2, 1], [0, -4]])


@pytest.mark.slow
@pytest.mark.xdist_group("trained imdb-best")
def test_a_process_without_recipes_loads_the_model(trained):
    load = "import sys, pathlib; from shared.inference.load_model import load_model; "
    load += "print(load_model(pathlib.Path(sys.argv[1])).count_params())"
    done = run_python("-c", load, str(trained.path))
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[-1]) == trained.summary["parameters"]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--adversarial-epsilon", "-1"], "--adversarial-epsilon -1"),
        (["--adversarial-epsilon", "inf"], "--adversarial-epsilon inf"),
        (["--bigrams", "0"], "--bigrams 0"),
        (["--ensemble-size", "0"], "--ensemble-size 0"),
        (["--go-backwards"], "take imdb-gru"),
        (["--jit", "on"], "--jit on"),
    ],
)
def test_impossible_flags_are_refused_in_one_line(flags, message, tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(imdb_best.Config, imdb_best.run, ["--results-dir", str(tmp_path), *flags])
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())
