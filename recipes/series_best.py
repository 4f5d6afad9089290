"""Does a recurrent network help on top of a linear forecast?

Odd GRUs of an ensemble learn what ridge regression leaves, and read the window in
segments. Even ones start from the latest value. The forecast is a weighted mean of
theirs and ridge's. The validation part chooses the weight.

    make series-best ARGS="--file sales.csv --time date --target sales --horizon 24"
    python recipes/series_best.py --data sample --horizon 12

Compare with series-gru and with the ridge baseline: `make compare RUNS="series-best
series-gru"`. Why these parts: docs/own-series.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from shared.baselines.series import build_dense, series_baselines, solve_ridge
from shared.commands.recipe import main
from shared.core.errors import check_at_least, check_shares
from shared.core.roles import Role
from shared.data.series.dataset import SeriesConfig, load_series
from shared.layers.ensemble import EnsembleConfig, train_ensemble
from shared.layers.recurrent import GRUConfig
from shared.training.config import TrainingConfig, build_optimizer, set_seed
from shared.training.fit import fit
from shared.training.forecast_report import write_forecast_report

if TYPE_CHECKING:
    import keras

    from shared.data.series.dataset import SeriesSplits
    from shared.runs.writer import RunFolder

VARIES = "series-gru: an ensemble of four, blended with ridge"
REFERENCE = ({},)


@dataclass(frozen=True)
class Config:
    """The same for every series recipe, but for the layer."""

    series: SeriesConfig = SeriesConfig(horizon=24)
    ensemble: EnsembleConfig = EnsembleConfig(4)
    starts: Annotated[Literal["both", "ridge", "latest"], Role.MODEL] = "both"
    """What each GRU corrects. both: odd ones ridge, even ones the latest value."""
    segment: Annotated[int, Role.MODEL] = 8
    """Steps that a GRU reads at once, 1 or more."""
    output_dropout: Annotated[float, Role.TRAINING] = 0.3
    """Share of a GRU's state that is dropped in training."""
    gru: GRUConfig = GRUConfig(units=64)
    training: TrainingConfig = TrainingConfig(
        optimizer="adam",
        learning_rate=0.001,
        batch_size=32,
        epochs=100,
        patience=20,
        global_clipnorm=1.0,
    )

    def validate(self) -> None:
        """Refuse a segment without a step, and a number that is not a share."""
        check_at_least(self, {"segment": 1})
        check_shares(self, ["output_dropout"])


def load_data(config: Config) -> SeriesSplits:
    """Return the windows, split in time into train, validation and test."""
    return load_series(config.series)


def build_model(config: Config, data: SeriesSplits) -> keras.Model:
    """Return windows (batch, steps, features) -> forecast (batch, horizon, ...)."""
    from keras import Model, layers

    from shared.layers.blend import Blend
    from shared.layers.forecasting import (
        add_known,
        add_latest,
        build_inputs,
        count_outputs,
        cut_segments,
        join_known,
        scale_changes,
    )
    from shared.layers.pooling import pool_steps

    read = build_inputs(data, config.series.scaling)
    outputs = count_outputs(data)
    shape = (data.layout.horizon, len(data.layout.target), -1)
    window = join_known(layers.Flatten(name="window")(read.differences), read)
    dense = layers.Dense(outputs, name="ridge", trainable=False)
    ridge = layers.Reshape(shape)(dense(window))
    dense.set_weights(build_dense(solve_ridge(data)))
    segments = cut_segments(read.scaled, config.segment)
    starts = {"both": ("ridge", "latest")}.get(config.starts, (config.starts,))
    forecasts = []
    for n in range(config.ensemble.ensemble_size):
        start = starts[n % len(starts)]
        steps = segments if start == "ridge" else read.scaled
        memory = layers.GRU(**config.gru.arguments(), name=f"gru_{n + 1}")(steps)
        memory = layers.Dropout(config.output_dropout)(pool_steps(memory, "mean"))
        memory = add_known(memory, read, data)
        first = "zeros" if start == "ridge" else "glorot_uniform"
        change = layers.Dense(outputs, kernel_initializer=first)(memory)
        change = scale_changes(change, read, data)
        if start == "ridge":
            change = layers.Add()([ridge, change])
        forecasts.append(add_latest(change, read, data, f"forecast_{n + 1}"))
    mean = layers.Average(name="mean")(forecasts) if forecasts[1:] else forecasts[0]
    linear = add_latest(ridge, read, data, "linear")
    model = Model(read.all, Blend(name="blend")([linear, mean]), name="series_best")
    train_ensemble(model, config.ensemble.ensemble_size, "forecast")
    return model


def run(config: Config, folder: RunFolder) -> None:
    """Train once and write a run folder."""
    from shared.layers.blend import ChooseBlend

    set_seed(config.training.seed)

    data = load_data(config)

    model = build_model(config, data)
    model.compile(
        optimizer=build_optimizer(config.training),
        loss=data.task.loss,
        metrics=data.task.metrics(),
        **config.training.compile_arguments(),
    )

    folder.open(data, series_baselines(data), model)
    blend = ChooseBlend(data)
    record = fit(model, data, config.training, folder, config.gru, [blend])

    record.finish(data.test, lambda best: write_forecast_report(best, data, folder))


if __name__ == "__main__":
    main(Config, run)
