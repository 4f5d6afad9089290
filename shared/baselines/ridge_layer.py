"""The ridge baseline as a fixed layer, from which a network can start."""

from __future__ import annotations

import keras
from keras import layers

from shared.baselines.series import build_dense, solve_ridge
from shared.data.series.dataset import SeriesSplits
from shared.layers.forecasting import ForecastInputs, count_outputs, join_known


def predict_ridge(read: ForecastInputs, data: SeriesSplits) -> keras.KerasTensor:
    """Return the changes that ridge predicts, in units of the typical change.

    The layer has the weights of `solve_ridge` and is not trained.

    Args:
        read: From `build_inputs`.
        data: Its training part is fitted.

    Returns:
        (batch, horizon, num_targets, num_quantiles or 1).
    """
    window = join_known(layers.Flatten(name="window")(read.differences), read)
    dense = layers.Dense(count_outputs(data), name="ridge", trainable=False)
    changes = dense(window)
    dense.set_weights(build_dense(solve_ridge(data)))
    shape = (data.layout.horizon, len(data.layout.target), -1)
    return layers.Reshape(shape, name="ridge_changes")(changes)
