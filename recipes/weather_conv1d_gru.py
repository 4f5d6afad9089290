"""Does a convolution before the GRU save time, and what does it cost in accuracy?

Shortens the window with Conv1D, pooling and Conv1D. A GRU with dropout reads the 34
steps that remain of 120.

    make weather-conv1d-gru        python recipes/weather_conv1d_gru.py --filters 16

Compare score and seconds per epoch with weather-gru-dropout and weather-stacked-gru:
`make compare RUNS="weather-conv1d-gru weather-gru-dropout"`.
Reference result: results/reference/weather.csv.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from shared.baselines.forecast import forecast_baselines
from shared.commands.recipe import main
from shared.core.errors import UserError, check_at_least, check_size
from shared.core.roles import Role
from shared.data.weather.dataset import WeatherConfig, load_weather
from shared.layers.recurrent import GRUConfig
from shared.training.config import TrainingConfig, build_optimizer, set_seed
from shared.training.fit import fit

if TYPE_CHECKING:
    import keras

    from shared.data.weather.dataset import WeatherSplits
    from shared.runs.writer import RunFolder

VARIES = "34 steps instead of 120"
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
    filters: Annotated[int, Role.MODEL] = 32
    """Features that each convolution finds."""
    gru: GRUConfig = GRUConfig(units=32, dropout=0.1, recurrent_dropout=0.5)
    training: TrainingConfig = TrainingConfig(
        optimizer="rmsprop", learning_rate=0.001, batch_size=128, epochs=10
    )

    def validate(self) -> None:
        """Refuse a window too short for two convolutions and the pooling."""
        check_at_least(self, {"filters": 1})
        check_size(self, ["filters"], 5 * self.filters**2)
        if self.weather.lookback < 19:
            raise UserError(
                f"--lookback {self.weather.lookback}: two convolutions of width 5 with "
                "a pooling by 3 between them need at least 19 steps. Use --lookback 19 "
                "or more."
            )


def load_data(config: Config) -> WeatherSplits:
    """Return the examples, split into train, validation and test."""
    return load_weather(config.weather)


def build_model(config: Config, data: WeatherSplits) -> keras.Model:
    """Return windows (batch, steps, features) -> forecast in deg C (batch, 1)."""
    from keras import Input, Model, layers

    windows = Input(data.train.inputs.shape[1:], name="windows")
    steps = layers.Conv1D(config.filters, 5, activation="relu", name="fine")(windows)
    steps = layers.MaxPooling1D(3, name="third")(steps)
    steps = layers.Conv1D(config.filters, 5, activation="relu", name="coarse")(steps)
    memory = layers.GRU(**config.gru.arguments(), name="gru")(steps)
    if config.gru.return_sequences:
        memory = layers.GlobalAveragePooling1D(name="mean_of_steps")(memory)
    change = layers.Dense(1, name="change")(memory)
    degrees = layers.Rescaling(data.scale.step, data.scale.mean, name="degrees")
    return Model(windows, degrees(change), name="weather_conv1d_gru")


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
