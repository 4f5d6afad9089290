"""Does a recurrent network beat yesterday's value, if told to start from there?

GRUs read how each step differs from the latest one; what they make of that is added to
the latest temperature. Some read it alone, which holds in seasons they never saw, some
all columns. Compare with weather-gru. README, "Better than the tutorials", has more.

    make weather-best             python recipes/weather_best.py --reads target
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from shared.baselines.forecast import forecast_bars
from shared.cli import main
from shared.data.weather import WeatherConfig, load_weather
from shared.errors import check_shares
from shared.members import MembersConfig, train_members
from shared.metrics import absolute_error
from shared.recurrent import GRUConfig
from shared.training import TrainingConfig, build_optimizer, fit, set_seed

if TYPE_CHECKING:
    import keras

    from shared.data.weather import WeatherSplits
    from shared.run_folder import RunFolder


@dataclass(frozen=True)
class Config:
    """Chosen by leaving out a third of the training and validation rows at a time."""

    weather: WeatherConfig = WeatherConfig(
        lookback=80,  # ten days
        sampling=18,  # of steps of three hours
        delay=8,
        target="T (degC)",
        train_share=0.5,
        validation_share=0.25,
        calendar="none",  # differences from the latest step would hide it
    )
    several: MembersConfig = MembersConfig(4)
    reads: Literal["both", "target", "all"] = "both"
    """Columns that members read. both: odd ones the target's alone, even ones all."""
    gru: GRUConfig = GRUConfig(units=32, return_sequences=True)
    output_dropout: float = 0.5
    """Share of what a GRU hands on that is dropped in training."""
    training: TrainingConfig = TrainingConfig(
        optimizer="adam", learning_rate=0.001, batch_size=128, epochs=3, clip=1.0
    )

    def check(self) -> None:
        """Refuse what is no share."""
        check_shares(self, ["output_dropout"])


def build_model(config: Config, splits: WeatherSplits) -> keras.Model:
    """Return windows (batch, steps, features) -> forecast in deg C (batch, 1)."""
    from keras import Input, Model, layers

    from shared.pooling import pool_steps

    windows = Input(splits.train.inputs.shape[1:], name="windows")
    latest = windows[:, :1] if config.weather.reverse else windows[:, -1:]
    every = layers.Subtract(name="differences")([windows, latest])
    column = splits.find_column(config.weather.target)
    target, now = every[:, :, column : column + 1], latest[:, 0, column : column + 1]
    now = layers.Rescaling(splits.scale.spread, splits.scale.mean, name="now")(now)
    reads = {"both": [target, every], "target": [target], "all": [every]}[config.reads]
    members = []
    for n in range(config.several.members):
        read = reads[n % len(reads)]
        memory = layers.GRU(**config.gru.arguments(), name=f"gru_{n + 1}")(read)
        memory = layers.Dropout(config.output_dropout)(pool_steps(memory, "mean"))
        change = layers.Dense(1, kernel_initializer="zeros")(memory)
        change = layers.Rescaling(splits.scale.step)(change)
        members.append(layers.Add(name=f"degrees_{n + 1}")([now, change]))
    mean = layers.Average(name="mean")(members) if members[1:] else members[0]
    return Model(windows, mean, name="weather_best")


def run(config: Config, folder: RunFolder) -> None:
    """Train once and leave a run folder."""
    set_seed(config.training.seed)

    splits = load_weather(config.weather)

    model = build_model(config, splits)
    train_members(model, config.several.members, "degrees")
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
