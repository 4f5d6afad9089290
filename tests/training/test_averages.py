"""Moving averages of the weights: what is validated, saved and tested."""

import json

import numpy as np
import pytest

from shared.core.errors import UserError
from shared.training.config import TrainingConfig, build_optimizer
from tests.toy.train import toy_recipes, train_toy


@pytest.fixture
def toys(undrawn):
    with toy_recipes():
        yield


def test_the_average_keeps_its_share_at_each_update():
    """By hand: weights 9, 8, 7 after three updates; 9, then 0.5 of the old average."""
    import keras

    weight = keras.Variable(10.0)
    optimizer = build_optimizer(TrainingConfig("sgd", 1.0, 1, 1, ema=0.5))
    optimizer.build([weight])
    for _ in range(3):
        optimizer.apply([np.float32(1.0)])
    assert float(weight) == 7
    (average,) = optimizer._model_variables_moving_average
    assert float(average) == 0.5 * (0.5 * 9 + 0.5 * 8) + 0.5 * 7


def train(folder, *flags):
    return train_toy("toy_level", folder, "--checkpoint-every", "1", *flags)


def test_the_averages_are_validated_and_saved_while_the_weights_train(tmp_path, toys):
    """An average that keeps almost nothing is the weights; the training is the same."""
    from shared.inference.load_model import load_model

    plain = train(tmp_path / "plain", "--epochs", "3")
    near = train(tmp_path / "near", "--epochs", "3", "--ema", "1e-9")
    slow = train(tmp_path / "slow", "--epochs", "3", "--ema", "0.9")
    assert near.history["loss"] == plain.history["loss"] == slow.history["loss"]
    assert near.history["val_loss"] == pytest.approx(plain.history["val_loss"], 1e-5)
    assert slow.history["val_loss"] != pytest.approx(plain.history["val_loss"], 1e-2)
    assert near.summary["test"]["best"]["test_loss"] == pytest.approx(
        plain.summary["test"]["best"]["test_loss"], rel=1e-5
    )
    weights = [load_model(run.path).get_weights() for run in (plain, near, slow)]
    for one, other in zip(*weights[:2], strict=True):
        assert one == pytest.approx(other, abs=1e-6)
    assert not np.allclose(weights[0][0], weights[2][0])
    assert slow.config["settings"]["ema"] == 0.9


def test_the_test_scores_the_averages_also_after_an_early_stop(tmp_path, toys):
    run = train(tmp_path, "--epochs", "9", "--ema", "0.9", "--stop-at", "100")
    assert run.summary["epochs"] == 1
    from shared.inference.load_model import load_model
    from shared.inference.rebuild import rebuild_run

    rebuilt = rebuild_run(run)
    model = load_model(run.path)
    predicted = model.predict(rebuilt.data.test.inputs, verbose=0)[:, 0]
    error = float(np.mean((predicted - rebuilt.data.test.targets) ** 2))
    test = json.loads((run.path / "summary.json").read_text())["test"]
    assert test["last"] == test["best"]
    assert test["last"]["test_loss"] == pytest.approx(error, rel=1e-4)


@pytest.mark.parametrize("value", [0.0, 1.0, -0.5, float("nan")])
def test_a_share_that_is_none_is_refused(value):
    with pytest.raises(UserError, match=r"--ema .*above 0 and below 1"):
        TrainingConfig("adam", 0.01, 8, 1, ema=value).validate()
