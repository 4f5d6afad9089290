"""Can a network without memory forecast tomorrow's temperature?

Flattens five days of hourly weather and feeds them to a Dense layer. It is the control
for every recurrent recipe of this family. It reads the same numbers, each with a weight
of its own, and passes nothing from step to step.

    make weather-dense        python recipes/weather_dense.py --lookback 48

Compare with weather-gru, which reads the steps one by one, and with both baselines:
`make compare RUNS="weather-dense weather-gru"`.
Reference result: results/reference/weather.csv.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from shared.baselines.forecast import forecast_baselines
from shared.commands.recipe import main
from shared.core.errors import check_at_least
from shared.core.roles import Role
from shared.data.weather.dataset import WeatherConfig, load_weather
from shared.training.config import TrainingConfig, build_optimizer, set_seed
from shared.training.fit import fit

if TYPE_CHECKING:
    import keras

    from shared.data.weather.dataset import WeatherSplits
    from shared.runs.writer import RunFolder

VARIES = "no memory: the control"
REFERENCE = ({},)


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
    units: Annotated[int, Role.MODEL] = 16
    """Units of the hidden layer."""
    training: TrainingConfig = TrainingConfig(
        optimizer="rmsprop", learning_rate=0.001, batch_size=128, epochs=10
    )

    def validate(self) -> None:
        """Refuse a layer without units."""
        check_at_least(self, {"units": 1})


def load_data(config: Config) -> WeatherSplits:
    """Return the examples, split into train, validation and test."""
    return load_weather(config.weather)


def build_model(config: Config, data: WeatherSplits) -> keras.Model:
    """Return windows (batch, steps, features) -> forecast in deg C (batch, 1)."""
    from keras import Input, Model, layers

    windows = Input(data.train.inputs.shape[1:], name="windows")
    numbers = layers.Flatten(name="numbers")(windows)
    hidden = layers.Dense(config.units, activation="relu", name="hidden")(numbers)
    change = layers.Dense(1, name="change")(hidden)
    degrees = layers.Rescaling(data.scale.step, data.scale.mean, name="degrees")
    return Model(windows, degrees(change), name="weather_dense")


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
    record = fit(model, data, config.training, folder)

    record.finish(data.test)


if __name__ == "__main__":
    main(Config, run)
