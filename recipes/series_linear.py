"""How well does a network without memory forecast your series?

Trains one linear layer on all differences from the latest value of a window. It is the
control for the recurrent layers.

    make series-linear ARGS="--file sales.csv --time date --target sales --horizon 24"
    python recipes/series_linear.py --data sample --horizon 12

Then `make predict RUN=series-linear` forecasts beyond the end of the file. Compare with
series-gru, which has a memory: `make compare RUNS="series-gru series-linear"`.
Walk-through: docs/own-series.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.baselines.series import series_baselines
from shared.commands.recipe import main
from shared.data.series.dataset import SeriesConfig, load_series
from shared.training.config import TrainingConfig, build_optimizer, set_seed
from shared.training.fit import fit
from shared.training.forecast_report import write_forecast_report

if TYPE_CHECKING:
    import keras

    from shared.data.series.dataset import SeriesSplits
    from shared.runs.writer import RunFolder

VARIES = "series-gru: one linear layer, without memory"
REFERENCE = ({},)


@dataclass(frozen=True)
class Config:
    """The same for every series recipe, but for the layer."""

    series: SeriesConfig = SeriesConfig(horizon=24)
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

    read = build_inputs(data, config.series.scaling)
    window = layers.Flatten(name="window")(read.scaled)
    window = add_known(window, read, data)
    outputs = count_outputs(data)
    change = layers.Dense(outputs, kernel_initializer="zeros", name="change")(window)
    start = predict_start(config.series.start, read, data)
    forecast = add_latest(scale_changes(change, read, data, start), read, data)
    return Model(read.all, forecast, name="series_linear")


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
    record = fit(model, data, config.training, folder)

    record.finish(data.test, lambda best: write_forecast_report(best, data, folder))


if __name__ == "__main__":
    main(Config, run)
