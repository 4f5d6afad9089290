"""Does dropout on inputs and state make a GRU's forecast better?

Trains weather-gru with dropout and recurrent dropout. Nothing else differs, the number
of epochs included: the book trains such networks for longer (`--epochs 40`).

    make weather-gru-dropout        python recipes/weather_gru_dropout.py --dropout 0.5

Compare with weather-gru: `make compare RUNS="weather-gru-dropout weather-gru"`.
Reference result: results/reference/weather.csv.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.baselines.forecast import forecast_bars
from shared.cli import main
from shared.data.weather import WeatherConfig, load_weather
from shared.metrics import absolute_error
from shared.recurrent import GRUConfig
from shared.training import TrainingConfig, build_optimizer, fit, set_seed

if TYPE_CHECKING:
    import keras

    from shared.data.splits import Splits
    from shared.run_folder import RunFolder


@dataclass(frozen=True)
class Config:
    """The setting of the book, flag by flag."""

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


def build_model(config: Config, splits: Splits) -> keras.Model:
    """Return windows (batch, steps, features) -> forecast in deg C (batch, 1)."""
    from keras import Input, Model, layers

    windows = Input(splits.train.inputs.shape[1:], name="windows")
    memory = layers.GRU(**config.gru.arguments(), name="gru")(windows)
    if config.gru.return_sequences:
        memory = layers.GlobalAveragePooling1D(name="mean_of_steps")(memory)
    change = layers.Dense(1, name="change")(memory)
    degrees = layers.Rescaling(splits.scale.step, splits.scale.mean, name="degrees")
    return Model(windows, degrees(change), name="weather_gru_dropout")


def run(config: Config, folder: RunFolder) -> None:
    """Train once and leave a run folder."""
    set_seed(config.training.seed)

    splits = load_weather(config.weather)

    model = build_model(config, splits)
    model.compile(
        optimizer=build_optimizer(config.training),
        loss="mse",
        metrics=["mae"],
        **config.training.compile_arguments(),
    )

    bars = forecast_bars(splits, config.weather)
    folder.open(splits, bars, model, absolute_error(splits.scale.unit))
    record = fit(model, splits, config.training, folder)

    record.finish(splits.test)


if __name__ == "__main__":
    main(Config, run)
