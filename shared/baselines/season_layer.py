"""A share of the last season as a fixed layer, from which a network can start."""

from __future__ import annotations

from typing import Literal

import keras
import numpy as np
from keras import layers

from shared.baselines.baseline import CHUNK, choose_windows
from shared.data.series.dataset import SeriesSplits
from shared.layers.forecasting import MANY_WINDOWS, ForecastInputs


def predict_start(
    start: Literal["auto", "season", "latest"], read: ForecastInputs, data: SeriesSplits
) -> keras.KerasTensor | None:
    """Return the changes from which a network starts; None: from the latest value.

    For each step ahead, `season` predicts a share of the difference between the last
    season and the latest value: 1 repeats the last season, 0 the latest value. The
    shares are not trained. A window that is shorter than a season gives None.

    Args:
        start: What the network corrects. auto: `season` for fewer than `MANY_WINDOWS`
            training windows that are read as differences, otherwise `latest`.
        read: From `build_inputs`.
        data: Its training part gives the shares: see `find_shares`.

    Returns:
        (batch, horizon, num_targets, 1), in units of the typical change.
    """
    layout = data.layout
    if start == "auto":
        helps = len(data.train) < MANY_WINDOWS and not read.reads_level
        start = "season" if helps else "latest"
    if start == "latest" or not 1 < layout.season <= layout.lookback:
        return None
    first, targets = layout.lookback - layout.season, len(layout.target)
    season = read.differences[:, first : first + layout.horizon, :targets]
    repeats = -(-layout.horizon // season.shape[1])
    if repeats > 1:
        season = layers.Concatenate(axis=1)([season] * repeats)[:, : layout.horizon]
    changes = layers.Rescaling(find_shares(data).tolist(), name="season")(season)
    return layers.Reshape((layout.horizon, targets, 1), name="season_changes")(changes)


def find_shares(data: SeriesSplits) -> np.ndarray:
    """Return the shares of the last season that fit the training part best.

    The share of a step minimises the squared error of the forecast latest + share *
    (season - latest) over the training windows.

    Returns:
        float64, (horizon, num_targets). A share is 0 where no season differs from the
        latest value.
    """
    layout = data.layout
    windows, targets = data.train.inputs, len(layout.target)
    scale = np.array([scale for _, scale in layout.outputs])
    steps = layout.lookback - layout.season + np.arange(layout.horizon) % layout.season
    matches, squares = np.zeros((2, layout.horizon, targets))
    chosen = choose_windows(windows)
    for rows in np.array_split(chosen, -(-len(chosen) // CHUNK)):
        past = windows.cut(rows)[:, :, :targets].astype(np.float64)
        season = past[:, steps] - past[:, -1:]
        changes = data.train.targets[rows] - data.values[windows.last[rows]][:, None]
        changes = changes.astype(np.float64).reshape(season.shape) / scale
        matches += (season * changes).sum(axis=0)
        squares += (season**2).sum(axis=0)
    return np.divide(matches, squares, out=np.zeros_like(squares), where=squares > 0)
