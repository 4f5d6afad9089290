"""The share of the linear model in a blend, chosen on the validation part."""

import keras
import pytest

from shared.baselines.ridge_layer import predict_ridge
from shared.data.series.dataset import SeriesConfig, load_series
from shared.layers.blend import Blend, ChooseBlend, blend_with_linear
from shared.layers.forecasting import add_latest, build_inputs


@pytest.fixture(scope="module")
def data():
    return load_series(SeriesConfig(data="sample", limit=400, horizon=3, lookback=12))


def blend(data, first, second):
    """Return a callback, and the blend of two forecasts: ridge plus these changes."""
    read = build_inputs(data)
    changes = predict_ridge(read, data)
    moved = [keras.layers.Rescaling(1.0, offset)(changes) for offset in (first, second)]
    forecasts = [
        add_latest(change, read, data, f"forecast_{n}")
        for n, change in enumerate(moved)
    ]
    model = keras.Model(read.all, blend_with_linear(forecasts[0], forecasts[1:]))
    choose = ChooseBlend(data)
    choose.set_model(model)
    choose.on_train_begin()
    (layer,) = (layer for layer in model.layers if isinstance(layer, Blend))
    return choose, layer, moved[1]._keras_history.operation


@pytest.mark.parametrize(("first", "second", "share"), [(0, 1e3, 1), (1e3, 0, 0)])
def test_the_better_forecast_gets_the_share(data, first, second, share):
    choose, layer, _ = blend(data, first, second)
    choose.on_test_begin()
    assert float(layer.share.value) == share


def test_both_share_where_their_errors_are_opposite(data):
    choose, layer, _ = blend(data, 1e3, -1e3)
    choose.on_test_begin()
    assert float(layer.share.value) == pytest.approx(0.5)


def test_the_networks_may_get_better_while_the_linear_model_has_the_whole_share(data):
    """Each epoch moves the second forecast; 0 would be the best place."""
    choose, layer, network = blend(data, 0, 0)
    gains = []
    for epoch, offset in enumerate([1e3, 9e2, 9.5e2, 8e2, 8.5e2]):
        network.offset = offset
        choose.parts.predict_function = None  # traced with the offset before
        choose.on_epoch_begin(epoch)
        choose.on_test_begin()
        assert float(layer.share.value) == 1
        gains.append(choose.latest_gain)
    assert gains == [1, 2, 2, 4, 4]
