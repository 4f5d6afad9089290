"""Is the forecast better with a second, larger GRU layer on top?

Trains two GRU layers with dropout. The lower layer passes the states of all steps to
the upper one. The layer flags apply to both, except size and activation of the upper.

    make weather-stacked-gru    python recipes/weather_stacked_gru.py --upper-units 32

Compare with weather-gru-dropout, one layer with dropout, and weather-gru:
`make compare RUNS="weather-stacked-gru weather-gru-dropout weather-gru"`.
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
from shared.layers.recurrent import Activation, GRUConfig
from shared.training.config import TrainingConfig, build_optimizer, set_seed
from shared.training.fit import fit

if TYPE_CHECKING:
    import keras

    from shared.data.weather.dataset import WeatherSplits
    from shared.runs.writer import RunFolder

VARIES = "the depth of weather-gru-dropout"
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
    gru: GRUConfig = GRUConfig(units=32, dropout=0.1, recurrent_dropout=0.5)
    upper_units: Annotated[int, Role.MODEL] = 64
    """Size of the upper layer's state."""
    upper_activation: Annotated[Activation, Role.MODEL] = "relu"  # the book's choice
    """Applied to the upper layer's candidate state."""
    training: TrainingConfig = TrainingConfig(
        optimizer="rmsprop", learning_rate=0.001, batch_size=128, epochs=10
    )

    def validate(self) -> None:
        """Refuse an upper layer without units, or a kernel it cannot use."""
        check_at_least(self, {"upper_units": 1})
        check_size(self, ["upper_units"], self.upper_units**2)
        if self.gru.cudnn == "on" and self.upper_activation != "tanh":
            raise UserError(
                f"--cudnn on: cuDNN cannot run with --upper-activation "
                f"{self.upper_activation}. Use --upper-activation tanh or --cudnn auto."
            )


def load_data(config: Config) -> WeatherSplits:
    """Return the examples, split into train, validation and test."""
    return load_weather(config.weather)


def build_model(config: Config, data: WeatherSplits) -> keras.Model:
    """Return windows (batch, steps, features) -> forecast in deg C (batch, 1)."""
    from keras import Input, Model, layers

    windows = Input(data.train.inputs.shape[1:], name="windows")
    lower = config.gru.arguments(return_sequences=True)
    steps = layers.GRU(**lower, name="lower")(windows)
    upper = config.gru.arguments(
        units=config.upper_units,
        activation=config.upper_activation,
        go_backwards=False,  # the lower layer has reversed the steps already
    )
    memory = layers.GRU(**upper, name="upper")(steps)
    if config.gru.return_sequences:
        memory = layers.GlobalAveragePooling1D(name="mean_of_steps")(memory)
    change = layers.Dense(1, name="change")(memory)
    degrees = layers.Rescaling(data.scale.step, data.scale.mean, name="degrees")
    return Model(windows, degrees(change), name="weather_stacked_gru")


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
