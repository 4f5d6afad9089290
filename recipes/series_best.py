"""Does a recurrent network help on top of a linear forecast?

Odd GRUs of an ensemble learn what ridge regression leaves, and read the window in
segments. Even ones start as series-gru; they read the level of a series that keeps it.
Their mean is blended with ridge.

    make series-best ARGS="--file sales.csv --time date --target sales --horizon 24"

Compare: `make compare RUNS="series-best series-gru"`. Reasons: docs/own-series.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from shared.baselines.series import series_baselines
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

VARIES = "series-gru: an ensemble of four, blended with ridge, half the learning rate"
REFERENCE = ({},)


@dataclass(frozen=True)
class Config:
    """Small batches and much patience, for short series."""

    series: SeriesConfig = SeriesConfig(horizon=24, scaling="auto")
    ensemble: EnsembleConfig = EnsembleConfig(4)
    corrects: Annotated[Literal["both", "ridge", "start"], Role.MODEL] = "both"
    """What the GRUs correct. both: odd ones ridge, even ones what --start says."""
    segment: Annotated[int, Role.MODEL] = 8
    """Steps that a GRU reads at once, 1 or more."""
    output_dropout: Annotated[float, Role.TRAINING] = 0.3
    """Share of a GRU's state that is dropped in training, if it reads differences."""
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

    from shared.baselines.ridge_layer import predict_ridge
    from shared.baselines.season_layer import predict_start
    from shared.layers import forecasting as net
    from shared.layers.blend import blend_with_linear
    from shared.layers.pooling import pool_steps

    read = net.build_inputs(data, config.series.scaling)
    outputs, ridge = net.count_outputs(data), predict_ridge(read, data)
    start, drop = predict_start(config.series.start, read, data), config.output_dropout
    odd = ridge, net.cut_segments(read.changes, config.segment), drop
    even = start, read.scaled, 0.0 if read.reads_level else drop
    kinds = {"ridge": [odd], "start": [even]}.get(config.corrects, [odd, even])
    forecasts = []
    for n in range(config.ensemble.ensemble_size):
        start, steps, drop = kinds[n % len(kinds)]
        memory = layers.GRU(**config.gru.arguments(), name=f"gru_{n + 1}")(steps)
        memory = layers.Dropout(drop)(pool_steps(memory, "mean"))
        memory = net.add_known(memory, read, data)
        change = layers.Dense(outputs, kernel_initializer="zeros")(memory)
        change = net.scale_changes(change, read, data, start)
        forecasts.append(net.add_latest(change, read, data, f"forecast_{n + 1}"))
    blended = blend_with_linear(net.add_latest(ridge, read, data, "linear"), forecasts)
    model = Model(read.all, blended, name="series_best")
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
    record = fit(model, data, config.training, folder, config.gru, [ChooseBlend(data)])

    record.finish(data.test, lambda best: write_forecast_report(best, data, folder))


if __name__ == "__main__":
    main(Config, run)
