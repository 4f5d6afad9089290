"""Does a GRU forecast your series better than simple models do?

Trains one GRU layer on a window of any table of series. It predicts all steps of the
horizon at once, as changes from the latest value.

    make series-gru ARGS="--file sales.csv --time date --target sales --horizon 24"
    python recipes/series_gru.py --data sample --horizon 12

Then `make predict RUN=series-gru` forecasts beyond the end of the file. Compare with
series-linear, which has no memory: `make compare RUNS="series-gru series-linear"`.
Walk-through: docs/own-series.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.baselines.series import series_baselines
from shared.commands.recipe import main
from shared.data.series.dataset import SeriesConfig, load_series
from shared.layers.recurrent import GRUConfig
from shared.training.config import TrainingConfig, build_optimizer, set_seed
from shared.training.fit import fit
from shared.training.forecast_report import write_forecast_report

if TYPE_CHECKING:
    import keras

    from shared.data.series.dataset import SeriesSplits
    from shared.runs.writer import RunFolder

VARIES = "the layer"
REFERENCE = ({},)


@dataclass(frozen=True)
class Config:
    """The same for every series recipe, but for the layer."""

    series: SeriesConfig = SeriesConfig(horizon=24)
    gru: GRUConfig = GRUConfig(units=64)
    training: TrainingConfig = TrainingConfig(
        optimizer="adam",
        learning_rate=0.002,
        batch_size=32,
        epochs=300,
        patience=20,
        global_clipnorm=1.0,
    )


def load_data(config: Config) -> SeriesSplits:
    """Return the windows, split in time into train, validation and test."""
    return load_series(config.series)


def build_model(config: Config, data: SeriesSplits) -> keras.Model:
    """Return windows (batch, steps, features) -> forecast (batch, horizon, ...)."""
    from keras import Model, layers

    from shared.baselines.season_layer import predict_start
    from shared.layers.forecasting import (
        add_known,
        add_latest,
        build_inputs,
        count_outputs,
        scale_changes,
    )
    from shared.layers.pooling import pool_steps

    read = build_inputs(data, config.series.scaling)
    memory = layers.GRU(**config.gru.arguments(), name="gru")(read.scaled)
    memory = add_known(pool_steps(memory, "mean"), read, data)
    outputs = count_outputs(data)
    change = layers.Dense(outputs, kernel_initializer="zeros", name="change")(memory)
    start = predict_start(config.series.start, read, data)
    forecast = add_latest(scale_changes(change, read, data, start), read, data)
    return Model(read.all, forecast, name="series_gru")


def run(config: Config, folder: RunFolder) -> None:
    """Train once and write a run folder."""
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
    record = fit(model, data, config.training, folder, config.gru)

    record.finish(data.test, lambda best: write_forecast_report(best, data, folder))


if __name__ == "__main__":
    main(Config, run)
