import keras
import numpy as np
import pytest

from shared.core.errors import UserError
from shared.tasks.kinds import read_task
from shared.tasks.pinball import MedianError, PinballLoss
from shared.tasks.score import Score, absolute_error
from shared.tasks.task import MultiStepForecast

TARGETS = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])


def make(**fields):
    return MultiStepForecast(absolute_error("EUR"), "sales", **fields)


def test_errors_are_means_over_the_steps():
    task = make(naive_error=2.0)
    predictions = TARGETS + np.array([[1, -1, 4], [0, 0, 3]])
    assert task.measure("mae", TARGETS, predictions).tolist() == [2, 1]
    assert task.measure("mse", TARGETS, predictions).tolist() == [6, 3]
    assert task.measure("mase", TARGETS, predictions).tolist() == [1, 0.5]


def test_errors_of_several_targets_are_means_over_them_too():
    targets = np.zeros((2, 3, 5))
    predictions = np.zeros((2, 3, 5))
    predictions[0, 1, 2] = 30
    assert make().measure("mae", targets, predictions).tolist() == [2, 0]


def test_the_median_is_scored_and_all_quantiles_are():
    task = make(quantiles=(0.1, 0.5, 0.7))
    predictions = np.stack([TARGETS - 2, TARGETS + 1, TARGETS + 4], axis=-1)
    assert task.measure("mae", TARGETS, predictions).tolist() == [1, 1]
    # 0.1 * 2, 0.5 * 1 and 0.3 * 4, of which the mean is 1.9 / 3
    assert task.measure("pinball", TARGETS, predictions) == pytest.approx(1.9 / 3)


@pytest.mark.parametrize("shape", [(2, 1), (2, 3, 1), (2, 3, 3), (3,), (2, 2)])
def test_predictions_of_another_shape_are_refused(shape):
    for task in (make(), make(quantiles=(0.2, 0.5))):
        with pytest.raises(UserError, match="do not fit the task"):
            task.measure("mae", TARGETS, np.zeros(shape))


@pytest.mark.parametrize("name", ["mae", "mase"])
def test_keras_computes_the_same_loss_and_metric(name):
    score = Score(name, higher_is_better=False)
    task = MultiStepForecast(score, "sales", quantiles=(0.1, 0.5, 0.7), naive_error=4.0)
    predictions = np.random.default_rng(0).normal(3, 2, (2, 3, 3)).astype("float32")
    loss = PinballLoss(task.quantiles)
    expected = task.measure("pinball", TARGETS, predictions).mean()
    assert float(loss(TARGETS, predictions)) == pytest.approx(expected, rel=1e-6)
    (metric,) = task.metrics()
    metric.update_state(TARGETS, predictions)
    assert metric.name == name
    expected = task.measure(name, TARGETS, predictions).mean()
    assert float(metric.result()) == pytest.approx(expected, rel=1e-6)
    for thing in (loss, metric):
        again = keras.saving.deserialize_keras_object(
            keras.saving.serialize_keras_object(thing)
        )
        assert again.get_config() == thing.get_config()


def test_the_metric_averages_over_all_numbers_of_all_batches():
    metric = MedianError(None, 2.0)
    metric.update_state(np.zeros((3, 2)), np.ones((3, 2)))
    metric.update_state(np.zeros((1, 2)), np.full((1, 2), 9.0))
    assert float(metric.result()) == pytest.approx((6 * 1 + 2 * 9) / 8 / 2)


def test_a_task_is_read_back_from_json():
    task = make(quantiles=(0.1, 0.5), naive_error=3.0, criterion="mae")
    assert read_task(task.to_json()) == task
    old = {"kind": "multi_step_forecast", "quantity": "T"}
    old["score"] = absolute_error("deg C").to_json()
    assert read_task(old).columns == {"loss": "mse", "mae": "mae"}
