"""Does it help a forecast to read the past days in both directions?

Trains two GRUs on five days of hourly weather. One reads forwards, the other backwards.

    make weather-bidirectional-gru        python recipes/weather_bidirectional_gru.py

Compare with weather-gru, forwards and with --reverse:
`make compare RUNS="weather-bidirectional-gru weather-gru"`.
Reference result: results/reference/weather.csv.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.baselines.forecast import forecast_baselines
from shared.commands.recipe import main
from shared.data.weather.dataset import WeatherConfig, load_weather
from shared.layers.recurrent import GRUConfig, build_bidirectional, check_bidirectional
from shared.training.config import TrainingConfig, build_optimizer, set_seed
from shared.training.fit import fit

if TYPE_CHECKING:
    import keras

    from shared.data.weather.dataset import WeatherSplits
    from shared.runs.writer import RunFolder

VARIES = "the direction of weather-gru"
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
    gru: GRUConfig = GRUConfig(units=32)
    training: TrainingConfig = TrainingConfig(
        optimizer="rmsprop", learning_rate=0.001, batch_size=128, epochs=10
    )

    def validate(self) -> None:
        """Refuse layer flags that do not work with two directions."""
        check_bidirectional(self.gru, False, "weather-gru")


def load_data(config: Config) -> WeatherSplits:
    """Return the examples, split into train, validation and test."""
    return load_weather(config.weather)


def build_model(config: Config, data: WeatherSplits) -> keras.Model:
    """Return windows (batch, steps, features) -> forecast in deg C (batch, 1)."""
    from keras import Input, Model, layers

    windows = Input(data.train.inputs.shape[1:], name="windows")
    gru = layers.GRU(**config.gru.arguments(), name="gru")
    memory = build_bidirectional(gru, name="both_ways")(windows)
    if config.gru.return_sequences:
        memory = layers.GlobalAveragePooling1D(name="mean_of_steps")(memory)
    change = layers.Dense(1, name="change")(memory)
    degrees = layers.Rescaling(data.scale.step, data.scale.mean, name="degrees")
    return Model(windows, degrees(change), name="weather_bidirectional_gru")


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
