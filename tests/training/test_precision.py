"""Numbers of the network: what `keras.json` says never decides, the flag does."""

import json

import keras
import pytest

from shared.inference.load_model import load_model
from tests.recipes.training_runs import train_reviews, train_series
from tests.undrawn import leave_undrawn

pytestmark = [
    pytest.mark.xdist_group("precision"),  # one process trains what they share
    pytest.mark.usefixtures("undrawn"),
]

slow = pytest.mark.slow
PRECISIONS = ["float64", "mixed_float16", pytest.param("mixed_bfloat16", marks=slow)]


@pytest.fixture(autouse=True)
def _usual_numbers():
    yield
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")


@pytest.fixture(scope="module")
def usual(tmp_path_factory):
    with leave_undrawn():
        folder = tmp_path_factory.mktemp("usual")
        return train_series("sum_gru", folder, "--epochs", "2")


def test_the_users_keras_json_moves_no_number(usual, tmp_path):
    keras.config.set_floatx("float16")
    keras.config.set_dtype_policy("float16")
    keras.config.set_epsilon(0.1)
    keras.config.set_max_epochs(1)
    run = train_series("sum_gru", tmp_path, "--epochs", "2")
    assert run.history["val_loss"] == usual.history["val_loss"]
    assert run.config["keras"] == {
        "floatx": "float32", "epsilon": 1e-7, "dtype_policy": "float32",
    }  # fmt: skip
    assert run.config["keras"] == usual.config["keras"]


@pytest.mark.parametrize("precision", PRECISIONS)
def test_another_precision_is_used_recorded_and_saved(precision, usual, tmp_path):
    flags = ["--epochs", "2", "--precision", precision]
    run = train_series("sum_gru", tmp_path, *flags)
    assert run.config["changed"]["precision"] == precision
    assert run.config["keras"]["dtype_policy"] == precision
    ours, theirs = run.history["loss"], usual.history["loss"]
    assert ours != theirs
    assert ours == pytest.approx(theirs, rel=0.05)  # float64 draws other weights
    (layer,) = [x for x in load_model(run.path).layers if x.name == "gru"]
    mixed = precision.startswith("mixed_")
    assert layer.compute_dtype == precision.removeprefix("mixed_")
    assert layer.variable_dtype == ("float32" if mixed else precision)
    record = json.loads((run.path / "kernels.json").read_text())
    assert record["differences"] == []
    assert {r["path"] for r in record["ran"]} == {"loop" if mixed else "compiled"}


@pytest.mark.parametrize(
    ("recipe", "train", "flags"),
    [
        pytest.param(
            "imdb_best",
            train_reviews,
            ["--ensemble-size", "2"],
            marks=slow,
        ),
        ("weather_best", train_series, []),
    ],
)
def test_the_step_of_an_ensemble_scales_its_loss(recipe, train, flags, tmp_path):
    """Without the scale, most gradients are 0 in 16 bits: the weights barely move."""
    flags = [*flags, "--epochs", "1"]
    sixteen = train(recipe, tmp_path / "16", *flags, "--precision", "mixed_float16")
    usual = train(recipe, tmp_path / "32", *flags)
    ours, theirs = sixteen.history["loss"], usual.history["loss"]
    assert ours == pytest.approx(theirs, rel=0.05)
