"""First and last layers of a network that forecasts several steps of a series.

The output of the network is added to the latest value. The network reads how each step
differs from the latest one. So it need not learn the level of the series, which may
move on after the training part. With window scaling, a window is also divided by its
own mean difference, and the output is multiplied by it. So a series whose swings grow
looks as it did in the training part. A series that keeps its level returns to it, which
differences do not show: with level scaling, the network reads the values themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import keras
import numpy as np
from keras import Input, layers, ops

from shared.data.series.steadiness import has_steady_level

if TYPE_CHECKING:
    from shared.data.series.config import Scaling
    from shared.data.series.dataset import SeriesSplits

MANY_WINDOWS = 1_000
"""From so many training windows on, a network does better without the season. On the
validation part, one seed, series-gru: with 51 to 393 windows (four series) the error
was 2 to 25 % lower with the season; with 1,254 to 8,521 (four others) level, or 3 to
9 % higher. The level was tried below it only."""
SMALLEST_SCALE = 0.1  # of the typical change: a window without swings stays finite


@dataclass(frozen=True)
class ForecastInputs:
    """What a forecasting network reads.

    Attributes:
        all: The inputs of the model: one, or a list of two.
        differences: (batch, lookback, features): targets and past inputs as differences
            from the latest step, in units of their typical change. The known columns
            and the calendar follow unchanged.
        scaled: What the network reads: the differences, with the targets divided by
            `scale`; or, with level scaling, the windows.
        scale: (batch, 1, num_targets): scale of each window, in units of the typical
            change; None without window scaling.
        latest: (batch, num_targets): the latest value of each target.
        known: (batch, horizon, num_known): the known future; None if there is none.
        reads_level: Whether `scaled` shows the level.
    """

    all: keras.KerasTensor | list[keras.KerasTensor]
    differences: keras.KerasTensor
    scaled: keras.KerasTensor
    scale: keras.KerasTensor | None
    latest: keras.KerasTensor
    known: keras.KerasTensor | None
    reads_level: bool

    @property
    def changes(self) -> keras.KerasTensor:
        """`scaled` without the level: what corrects a forecast from differences."""
        return self.differences if self.reads_level else self.scaled


@keras.saving.register_keras_serializable(package="rnn_recipes")
class WindowScale(keras.Layer):
    """Reads differences (batch, steps, targets), returns their scale.

    The scale, (batch, 1, targets), is the mean absolute difference of each target.
    """

    def call(self, inputs: Any) -> Any:
        """Return the scales, at least `SMALLEST_SCALE`."""
        return ops.mean(ops.abs(inputs), axis=1, keepdims=True) + SMALLEST_SCALE

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Return the shape of the scales."""
        return input_shape[0], 1, input_shape[2]


def build_inputs(data: SeriesSplits, scaling: Scaling = "training") -> ForecastInputs:
    """Return the inputs of a forecasting network, and differences from the latest step.

    Args:
        data: Sets the columns, their scales, the lookback and the horizon.
        scaling: `window` divides the targets of each window by their own scale. `level`
            leaves the windows as they are. `auto`: see `choose_scaling`.
    """
    if scaling == "auto":
        scaling = choose_scaling(data)
        if scaling == "level":
            print("  the series keeps its level, so a network reads it (--scaling)")
    layout = data.layout
    windows = Input((layout.lookback, len(layout.features)), name="windows")
    inputs, known = windows, None
    if layout.num_known:
        known = Input((layout.horizon, layout.num_known), name="known")
        inputs = [windows, known]
    targets = len(layout.target)
    moving = targets + len(layout.inputs)
    past = windows[:, :, :moving]
    moves = layers.Subtract(name="differences")([past, past[:, -1:]])
    change = [1 / change for change in layout.change] + [1.0] * len(layout.inputs)
    moves = layers.Rescaling(change, name="in_changes")(moves)
    others = [windows[:, :, moving:]] if layout.num_known else []
    if layout.inputs:
        others = [moves[:, :, targets:], *others]
    swings = moves[:, :, :targets]
    differences = _join([swings, *others], "features")
    scaled, scale = differences, None
    if scaling == "window":
        scale = WindowScale(name="window_scale")(swings)
        scaled = _join([swings / scale, *others], "scaled_features")
    elif scaling == "level":
        scaled = windows
    return ForecastInputs(
        all=inputs,
        differences=differences,
        scaled=scaled,
        scale=scale,
        latest=windows[:, -1, :targets],
        known=known,
        reads_level=scaling == "level",
    )


def choose_scaling(data: SeriesSplits) -> Literal["window", "level"]:
    """Return `level` for few windows of seasonal series that keep their level.

    Few are fewer than `MANY_WINDOWS`. What keeps its level: `has_steady_level`, for the
    training part alone and with the validation part. Series without a season show too
    little of it.
    """
    if len(data.train) >= MANY_WINDOWS or data.layout.season == 1:
        return "window"
    values = data.values.reshape(len(data.values), -1)
    for part in ((data.train,), (data.train, data.validation)):
        starts = np.concatenate([one.inputs.starts for one in part])
        number = np.searchsorted(data.first_rows, starts, "right")
        for one in np.unique(number):
            own = starts[number == one]
            after = own.max() + data.layout.lookback + data.layout.horizon
            for column in values[own.min() : after].T:
                if not has_steady_level(column, data.layout.season):
                    return "window"
    return "level"


def add_known(
    memory: keras.KerasTensor, read: ForecastInputs, data: SeriesSplits
) -> keras.KerasTensor:
    """Return a state (batch, units) beside the known columns of all steps ahead.

    The calendar of the steps ahead follows from that of the latest step, which the
    network has read. So it is left out.
    """
    count = len(data.layout.known)
    if not count:
        return memory
    future = layers.Flatten()(read.known[:, :, :count])
    return layers.Concatenate()([memory, future])


def join_known(window: keras.KerasTensor, read: ForecastInputs) -> keras.KerasTensor:
    """Return a flat window beside the flat known future, the calendar included."""
    if read.known is None:
        return window
    future = layers.Flatten(name="whole_future")(read.known)
    return layers.Concatenate(name="window_and_future")([window, future])


def cut_segments(steps: keras.KerasTensor, length: int) -> keras.KerasTensor:
    """Join neighbouring steps to segments, so that a layer reads fewer, longer steps.

    The earliest steps that fill no segment are left out (Lin et al. 2023, SegRNN).

    Args:
        steps: (batch, steps, features).
        length: Steps of a segment. One that is longer than the window is cut to it.

    Returns:
        (batch, steps // length, length * features).
    """
    num_steps, features = int(steps.shape[1]), int(steps.shape[2])
    length = min(length, num_steps)
    count = num_steps // length
    if length == 1:
        return steps
    latest = steps[:, num_steps - count * length :]
    return layers.Reshape((count, length * features), name="segments")(latest)


def scale_changes(
    changes: keras.KerasTensor,
    read: ForecastInputs,
    data: SeriesSplits,
    start: keras.KerasTensor | None = None,
) -> keras.KerasTensor:
    """Return changes in units of the typical change, (batch, horizon, targets, values).

    Args:
        changes: (batch, horizon * targets * values) or (batch, horizon, targets *
            values), in units of the scale of each window. Values are the quantiles, or
            one.
        read: From `build_inputs`.
        data: Sets the shape.
        start: The changes from which the network starts, (batch, horizon, targets, 1 or
            values), in units of the typical change; None: no change.
    """
    layout = data.layout
    shape = (layout.horizon, len(layout.target), max(1, len(layout.quantiles)))
    changes = layers.Reshape(shape)(changes)
    if read.scale is not None:
        changes = changes * layers.Reshape((1, len(layout.target), 1))(read.scale)
    return changes if start is None else layers.Add()([start, changes])


def add_latest(
    changes: keras.KerasTensor,
    read: ForecastInputs,
    data: SeriesSplits,
    name: str = "forecast",
) -> keras.KerasTensor:
    """Return the forecast: the latest values plus changes.

    Args:
        changes: From `scale_changes`.
        read: From `build_inputs`.
        data: Sets scales and shape.
        name: Of the last layer.

    Returns:
        (batch, *data.output_shape), in the unit of the forecasts.
    """
    layout = data.layout
    scale = np.array([scale for _, scale in layout.outputs], np.float32)
    centre = np.array([centre for centre, _ in layout.outputs], np.float32)
    change = np.array(layout.change, np.float32) * scale
    dtype = keras.config.floatx()  # 16 bits would round the level of the series
    changes = layers.Rescaling(change[:, None].tolist(), dtype=dtype)(changes)
    now = layers.Rescaling(scale.tolist(), centre.tolist(), dtype=dtype)(read.latest)
    now = layers.Reshape((1, len(layout.target), 1), dtype=dtype)(now)
    forecast = layers.Add(dtype=dtype)([changes, now])
    return layers.Reshape(data.output_shape, dtype=dtype, name=name)(forecast)


def count_outputs(data: SeriesSplits) -> int:
    """Return how many numbers a forecast has."""
    return int(np.prod(data.output_shape))


def _join(parts: list[keras.KerasTensor], name: str) -> keras.KerasTensor:
    return layers.Concatenate(name=name)(parts) if parts[1:] else parts[0]
