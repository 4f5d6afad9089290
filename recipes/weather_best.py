"""Does a recurrent network beat yesterday's value, if told to start from there?

A GRU reads how each hour differs from the latest one, and what it makes of that is
added to the latest temperature. So it begins as the forecast it has to beat, and need
not learn the seasons, of which one year shows each but once.

    make weather-best            python recipes/weather_best.py --lookback 48

Compare with weather-gru, the book's network:
`make compare RUNS="weather-best weather-gru"`.
Reference result: results/reference/weather-best.csv.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.baselines.forecast import forecast_bars
from shared.cli import main
from shared.data.weather import WeatherConfig, load_weather
from shared.errors import check_shares
from shared.metrics import absolute_error
from shared.recurrent import GRUConfig
from shared.training import TrainingConfig, build_optimizer, fit, set_seed

if TYPE_CHECKING:
    import keras

    from shared.data.weather import WeatherSplits
    from shared.run_folder import RunFolder


@dataclass(frozen=True)
class Config:
    """Chosen on the validation part of the one-year file, seed 0."""

    weather: WeatherConfig = WeatherConfig(
        lookback=240,  # ten days of hourly steps
        sampling=6,
        delay=24,
        target="T (degC)",
        train_share=0.5,
        validation_share=0.25,
        calendar="none",  # differences from the latest hour would hide it
    )
    gru: GRUConfig = GRUConfig(units=64, dropout=0.5)
    output_dropout: float = 0.5
    """Share of what the GRU hands on that is dropped in training."""
    training: TrainingConfig = TrainingConfig(
        optimizer="adam", learning_rate=0.0005, batch_size=128, epochs=20, clip=1.0
    )

    def check(self) -> None:
        """Refuse what is no share."""
        check_shares(self, ["output_dropout"])


def build_model(config: Config, splits: WeatherSplits) -> keras.Model:
    """Return windows (batch, steps, features) -> forecast in deg C (batch, 1)."""
    from keras import Input, Model, layers

    windows = Input(splits.train.inputs.shape[1:], name="windows")
    latest = windows[:, :1] if config.weather.reverse else windows[:, -1:]
    differences = layers.Subtract(name="differences")([windows, latest])
    memory = layers.GRU(**config.gru.arguments(), name="gru")(differences)
    if config.gru.return_sequences:
        memory = layers.GlobalAveragePooling1D(name="mean_of_steps")(memory)
    memory = layers.Dropout(config.output_dropout, name="dropout")(memory)
    change = layers.Dense(1, kernel_initializer="zeros", name="change")(memory)
    change = layers.Rescaling(splits.scale.step, name="degrees_of_change")(change)
    column = splits.find_column(config.weather.target)
    now = layers.Rescaling(splits.scale.spread, splits.scale.mean, name="now")(
        latest[:, 0, column : column + 1]
    )
    degrees = layers.Add(name="degrees")([now, change])
    return Model(windows, degrees, name="weather_best")


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
