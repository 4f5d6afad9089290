"""Does dropout on inputs and state improve a GRU's forecast?

Trains weather-gru with dropout and recurrent dropout. Nothing else differs, and the
number of epochs is the same. The book trains such networks longer (`--epochs 40`).

    make weather-gru-dropout        python recipes/weather_gru_dropout.py --dropout 0.5

Compare with weather-gru: `make compare RUNS="weather-gru-dropout weather-gru"`.
Reference result: results/reference/weather.csv.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.baselines.forecast import forecast_baselines
from shared.commands.recipe import main
from shared.data.weather.dataset import WeatherConfig, load_weather
from shared.layers.recurrent import GRUConfig
from shared.training.config import TrainingConfig, build_optimizer, set_seed
from shared.training.fit import fit

if TYPE_CHECKING:
    import keras

    from shared.data.weather.dataset import WeatherSplits
    from shared.runs.writer import RunFolder

VARIES = "the dropout of weather-gru"
REFERENCE = ({}, {"recurrent_dropout": 0.0}, {"dropout": 0.1, "recurrent_dropout": 0.5})


@dataclass(frozen=True)
class Config:
    """The settings of the book."""

    weather: WeatherConfig = WeatherConfig(
        lookback=120,  # five days of hourly steps
        sampling=6,  # the station writes every ten minutes
        delay=24,  # a day after the last step
        target="T (degC)",
        train_share=0.5,
        validation_share=0.25,
    )
    gru: GRUConfig = GRUConfig(units=32, dropout=0.2, recurrent_dropout=0.2)
    training: TrainingConfig = TrainingConfig(
        optimizer="rmsprop", learning_rate=0.001, batch_size=128, epochs=10
    )


def load_data(config: Config) -> WeatherSplits:
    """Return the examples, split into train, validation and test."""
    return load_weather(config.weather)


def build_model(config: Config, data: WeatherSplits) -> keras.Model:
    """Return windows (batch, steps, features) -> forecast in deg C (batch, 1)."""
    from keras import Input, Model, layers

    windows = Input(data.train.inputs.shape[1:], name="windows")
    memory = layers.GRU(**config.gru.arguments(), name="gru")(windows)
    if config.gru.return_sequences:
        memory = layers.GlobalAveragePooling1D(name="mean_of_steps")(memory)
    change = layers.Dense(1, name="change")(memory)
    degrees = layers.Rescaling(data.scale.step, data.scale.mean, name="degrees")
    return Model(windows, degrees(change), name="weather_gru_dropout")


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

    folder.open(data, forecast_baselines(data, config.weather), model)
    record = fit(model, data, config.training, folder, config.gru)

    record.finish(data.test)


if __name__ == "__main__":
    main(Config, run)
