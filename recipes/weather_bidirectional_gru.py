"""Does reading the days before from both ends help a forecast?

Trains a GRU that reads five days of hourly weather forwards beside one that reads them
backwards.

    make weather-bidirectional-gru        python recipes/weather_bidirectional_gru.py

Compare with weather-gru, forwards and with --reverse:
`make compare RUNS="weather-bidirectional-gru weather-gru"`.
Reference result: results/reference/weather.csv.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.baselines.forecast import forecast_bars
from shared.cli import main
from shared.data.weather import WeatherConfig, load_weather
from shared.metrics import absolute_error
from shared.recurrent import GRUConfig, build_bidirectional, check_both_ways
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
    gru: GRUConfig = GRUConfig(units=32)
    training: TrainingConfig = TrainingConfig(
        optimizer="rmsprop", learning_rate=0.001, batch_size=128, epochs=10
    )

    def check(self) -> None:
        """Refuse the one flag that two directions leave no room for."""
        check_both_ways(self.gru, False, "weather-gru")


def build_model(config: Config, splits: Splits) -> keras.Model:
    """Return windows (batch, steps, features) -> forecast in deg C (batch, 1)."""
    from keras import Input, Model, layers

    windows = Input(splits.train.inputs.shape[1:], name="windows")
    gru = layers.GRU(**config.gru.arguments(), name="gru")
    memory = build_bidirectional(gru, name="both_ways")(windows)
    if config.gru.return_sequences:
        memory = layers.GlobalAveragePooling1D(name="mean_of_steps")(memory)
    change = layers.Dense(1, name="change")(memory)
    degrees = layers.Rescaling(splits.scale.step, splits.scale.mean, name="degrees")
    return Model(windows, degrees(change), name="weather_bidirectional_gru")


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
