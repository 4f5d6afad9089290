"""The memory tasks: only the steps far back determine the target."""

import dataclasses
import math

import keras
import numpy as np
import pytest

from recipes import imdb_gru, sum_gru
from shared.baselines.generated import memory_baselines
from shared.core.errors import UserError
from shared.core.flags import resolve_config
from shared.data.generated.memory_tasks import MemoryConfig, make_memory
from shared.training.config import build_optimizer

ADDING = MemoryConfig("adding", 7, 5, "mixed", 600, 11, 3_000)
RECALL = dataclasses.replace(ADDING, task="recall")


def test_adding_is_the_sum_of_one_marked_number_in_each_half():
    splits = make_memory(ADDING, seed=3)
    inputs, targets = splits.test.inputs, splits.test.targets
    assert inputs.shape == (3_000, 7, 2)
    assert inputs.dtype == np.float32
    values, markers = inputs[:, :, 0], inputs[:, :, 1]
    assert targets == pytest.approx((values * markers).sum(axis=1))
    assert (markers[:, :3].sum(axis=1) == 1).all()
    assert (markers[:, 3:].sum(axis=1) == 1).all()
    # Every step but the last is marked in some sequence.
    assert (markers.any(axis=0) == [True] * 6 + [False]).all()
    assert np.array_equal(splits.test.best_possible, targets)


def test_the_target_of_recall_is_the_first_symbol():
    splits = make_memory(RECALL, seed=3)
    inputs, targets = splits.test.inputs, splits.test.targets
    assert inputs.shape == (3_000, 9, 7)
    symbols, marker, question = inputs[:, :, :5], inputs[:, :, 5], inputs[:, :, 6]
    assert (symbols[:, :8].sum(axis=2) == 1).all()
    assert np.array_equal(symbols[:, 0].argmax(axis=1), targets)
    assert np.array_equal(marker, np.eye(9)[[0] * 3_000])
    assert np.array_equal(question, np.eye(9)[[8] * 3_000])
    assert not symbols[:, 8].any()  # the last step is always the same
    assert np.array_equal(splits.test.best_possible.argmax(axis=1), targets)
    assert set(targets) == set(range(5))


@pytest.mark.parametrize("delays", ["mixed", "fixed"])
def test_training_marks_any_symbol_or_the_first(delays):
    config = dataclasses.replace(RECALL, delays=delays)
    train = make_memory(config, seed=0).train
    marked = train.inputs[:, :, 5].argmax(axis=1)
    assert set(marked) == (set(range(8)) if delays == "mixed" else {0})
    rows = np.arange(600)
    assert np.array_equal(train.inputs[rows, marked, :5].argmax(axis=1), train.targets)


@pytest.mark.parametrize("config", [ADDING, RECALL], ids=lambda c: c.task)
def test_the_steps_near_the_end_do_not_determine_the_target(config):
    """A least-squares fit to all other steps is no better than a constant."""
    splits = make_memory(dataclasses.replace(config, train_sequences=6_000), seed=1)
    train, test = splits.train, splits.test
    one_hot = np.eye(5)
    goal = train.targets if config.task == "adding" else one_hot[train.targets]

    def read(part):
        seen = part.inputs[:, 1:] if config.task == "recall" else part.inputs[:, -1:]
        flat = seen.reshape(len(part), -1).astype(float)
        return np.column_stack([flat, np.ones(len(part))])

    if config.task == "recall":  # the symbol itself must not be in the inputs
        fixed = dataclasses.replace(config, delays="fixed", train_sequences=6_000)
        train = make_memory(fixed, seed=1).train
        goal = one_hot[train.targets]
    weights, *_ = np.linalg.lstsq(read(train), goal, rcond=None)
    guess = read(test) @ weights
    if config.task == "adding":
        assert np.mean((guess - test.targets) ** 2) > 0.98 * np.var(test.targets)
    else:
        assert np.mean(guess.argmax(axis=1) == test.targets) < 0.2 + 4 * 0.0073


def test_the_parts_and_the_seeds_differ():
    for config in (ADDING, RECALL):
        first, again, other = (make_memory(config, seed) for seed in (0, 0, 1))
        assert np.array_equal(first.test.inputs, again.test.inputs)
        assert not np.array_equal(first.test.inputs, other.test.inputs)
        assert not np.array_equal(first.train.inputs[:11], first.validation.inputs)


def test_baselines_of_no_memory_and_of_perfect_memory():
    none, all_ = memory_baselines(make_memory(ADDING, 0))
    assert none.test["mse"] == pytest.approx(2 / 12, rel=0.05)
    assert all_.test == {"loss": 0, "mse": 0}
    assert (none.is_best_achievable, all_.is_best_achievable) == (False, True)
    none, all_ = memory_baselines(make_memory(RECALL, 0))
    assert none.test == {"loss": math.log(5), "accuracy": 0.2}
    assert all_.test["accuracy"] == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lag": 3}, "--lag 3: takes whole numbers from 4"),
        ({"task": "recall", "lag": -1}, "--lag -1: takes whole numbers from 0"),
        ({"symbols": 1}, "--symbols 1"),
        ({"train_sequences": 0}, "--train-sequences 0"),
        ({"test_sequences": 1}, "--test-sequences 1"),
    ],
)
def test_impossible_tasks_are_refused(changes, message):
    with pytest.raises(UserError, match=message):
        dataclasses.replace(ADDING, **changes).validate()
    dataclasses.replace(RECALL, lag=0).validate()


def test_clipping_scales_the_gradient_of_all_weights_together():
    # Loss 3a + 4b: gradient (3, 4) of norm 5, so a norm of 1 divides it by 5.
    for clipnorm, expected in ((None, [-3, -4]), (1.0, [-0.6, -0.8]), (7.0, [-3, -4])):
        training = dataclasses.replace(
            sum_gru.Config().training,
            optimizer="sgd",
            learning_rate=1.0,
            global_clipnorm=clipnorm,
        )
        weights = [keras.Variable(0.0), keras.Variable(0.0)]
        optimizer = build_optimizer(training)
        gradients = [keras.ops.convert_to_tensor(value) for value in (3.0, 4.0)]
        optimizer.apply(gradients, weights)
        assert [float(w.value) for w in weights] == pytest.approx(expected)


def test_rows_of_one_word_are_not_clipped_before_they_are_summed():
    config = imdb_gru.Config()
    training = dataclasses.replace(config.training, global_clipnorm=1.0)
    config = dataclasses.replace(config, training=training)
    with pytest.raises(UserError, match="--embedding-gradient dense"):
        resolve_config(config)
    reviews = dataclasses.replace(config.reviews, embedding_gradient="dense")
    config = resolve_config(dataclasses.replace(config, reviews=reviews))
    assert config.training.global_clipnorm == 1.0
