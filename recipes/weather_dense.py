"""Can tomorrow's temperature be read off the window without any memory?

Flattens five days of hourly weather and puts a Dense layer on them: the control for
every recurrent recipe of this family. It sees the same numbers, each with a weight of
its own, and carries nothing from step to step.

    make weather-dense        python recipes/weather_dense.py --lookback 48

Compare with weather-gru, which reads the steps one by one, and with both bars:
`make compare RUNS="weather-dense weather-gru"`.
Reference result: results/reference/weather.csv.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.baselines.forecast import forecast_bars
from shared.cli import main
from shared.data.weather import WeatherConfig, load_weather
from shared.errors import check_at_least
from shared.metrics import absolute_error
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
    units: int = 16
    """Units of the hidden layer."""
    training: TrainingConfig = TrainingConfig(
        optimizer="rmsprop", learning_rate=0.001, batch_size=128, epochs=10
    )

    def check(self) -> None:
        """Refuse a layer without units."""
        check_at_least(self, {"units": 1})


def build_model(config: Config, splits: Splits) -> keras.Model:
    """Return windows (batch, steps, features) -> forecast in deg C (batch, 1)."""
    from keras import Input, Model, layers

    windows = Input(splits.train.inputs.shape[1:], name="windows")
    numbers = layers.Flatten(name="numbers")(windows)
    hidden = layers.Dense(config.units, activation="relu", name="hidden")(numbers)
    change = layers.Dense(1, name="change")(hidden)
    degrees = layers.Rescaling(splits.scale.step, splits.scale.mean, name="degrees")
    return Model(windows, degrees(change), name="weather_dense")


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
