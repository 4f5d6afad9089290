"""Does a second, larger GRU layer on top make the forecast better?

Trains two GRU layers with dropout: the lower hands the states of every step to the
upper. The layer flags hold for both, but for the size and activation of the upper.

    make weather-stacked-gru    python recipes/weather_stacked_gru.py --upper-units 32

Compare with weather-gru-dropout, one layer with dropout, and weather-gru:
`make compare RUNS="weather-stacked-gru weather-gru-dropout weather-gru"`.
Reference result: results/reference/weather.csv.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.baselines.forecast import forecast_bars
from shared.cli import main
from shared.data.weather import WeatherConfig, load_weather
from shared.errors import UserError, check_at_least
from shared.metrics import absolute_error
from shared.recurrent import Activation, GRUConfig
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
    gru: GRUConfig = GRUConfig(units=32, dropout=0.1, recurrent_dropout=0.5)
    upper_units: int = 64
    """Size of the upper layer's state."""
    upper_activation: Activation = "relu"  # the book's choice
    """Applied to the upper layer's candidate state."""
    training: TrainingConfig = TrainingConfig(
        optimizer="rmsprop", learning_rate=0.001, batch_size=128, epochs=10
    )

    def check(self) -> None:
        """Refuse an upper layer without units, or a kernel it cannot have."""
        check_at_least(self, {"upper_units": 1})
        if self.gru.cudnn == "on" and self.upper_activation != "tanh":
            raise UserError(
                f"--cudnn on: cuDNN cannot run with --upper-activation "
                f"{self.upper_activation} (needs tanh); change that, or take --cudnn "
                "auto."
            )


def build_model(config: Config, splits: Splits) -> keras.Model:
    """Return windows (batch, steps, features) -> forecast in deg C (batch, 1)."""
    from keras import Input, Model, layers

    windows = Input(splits.train.inputs.shape[1:], name="windows")
    lower = config.gru.arguments(return_sequences=True)
    steps = layers.GRU(**lower, name="lower")(windows)
    upper = config.gru.arguments(
        units=config.upper_units,
        activation=config.upper_activation,
        go_backwards=False,  # what the lower hands on is turned round already
    )
    memory = layers.GRU(**upper, name="upper")(steps)
    if config.gru.return_sequences:
        memory = layers.GlobalAveragePooling1D(name="mean_of_steps")(memory)
    change = layers.Dense(1, name="change")(memory)
    degrees = layers.Rescaling(splits.scale.step, splits.scale.mean, name="degrees")
    return Model(windows, degrees(change), name="weather_stacked_gru")


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
