"""Does a recurrent network beat yesterday's value if it starts from there?

Each GRU reads how every step differs from the latest one. Its output is added to the
latest temperature. Odd GRUs read the temperature only, which also works in seasons that
are not in the training data. Even GRUs read all columns.

    make weather-best             python recipes/weather_best.py --reads target

Compare with weather-gru: `make compare RUNS="weather-best weather-gru"`. Why these
parts: see docs/results.md, "Better than the tutorials".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from shared.baselines.forecast import forecast_baselines
from shared.commands.recipe import main
from shared.core.errors import check_shares
from shared.core.roles import Role
from shared.data.weather.dataset import WeatherConfig, load_weather
from shared.layers.ensemble import EnsembleConfig, train_ensemble
from shared.layers.recurrent import GRUConfig
from shared.training.config import TrainingConfig, build_optimizer, set_seed
from shared.training.fit import fit

if TYPE_CHECKING:
    import keras

    from shared.data.weather.dataset import WeatherSplits
    from shared.runs.writer import RunFolder

VARIES = "weather-gru: differences from the latest step, an ensemble of four"
REFERENCE = ({},)


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
        calendar="none",  # the differences would hide it
    )
    ensemble: EnsembleConfig = EnsembleConfig(4)
    reads: Annotated[Literal["both", "target", "all"], Role.MODEL] = "both"
    """Columns that each GRU reads. both: odd ones the target only, even ones all."""
    gru: GRUConfig = GRUConfig(units=32, return_sequences=True)
    output_dropout: Annotated[float, Role.TRAINING] = 0.5
    """Share of a GRU's output that is dropped in training."""
    training: TrainingConfig = TrainingConfig(
        optimizer="adam",
        learning_rate=0.001,
        batch_size=128,
        epochs=3,
        global_clipnorm=1.0,
    )

    def validate(self) -> None:
        """Refuse a number that is not a share."""
        check_shares(self, ["output_dropout"])


def load_data(config: Config) -> WeatherSplits:
    """Return the examples, split into train, validation and test."""
    return load_weather(config.weather)


def build_model(config: Config, data: WeatherSplits) -> keras.Model:
    """Return windows (batch, steps, features) -> forecast in deg C (batch, 1)."""
    from keras import Input, Model, layers

    from shared.layers.pooling import pool_steps

    windows = Input(data.train.inputs.shape[1:], name="windows")
    latest = windows[:, :1] if config.weather.reverse else windows[:, -1:]
    every = layers.Subtract(name="differences")([windows, latest])
    column = data.find_column(config.weather.target)
    target, now = every[:, :, column : column + 1], latest[:, 0, column : column + 1]
    now = layers.Rescaling(data.scale.std, data.scale.mean, name="now")(now)
    reads = {"both": [target, every], "target": [target], "all": [every]}[config.reads]
    outputs = []
    for n in range(config.ensemble.ensemble_size):
        read = reads[n % len(reads)]
        memory = layers.GRU(**config.gru.arguments(), name=f"gru_{n + 1}")(read)
        memory = layers.Dropout(config.output_dropout)(pool_steps(memory, "mean"))
        change = layers.Dense(1, kernel_initializer="zeros")(memory)
        change = layers.Rescaling(data.scale.step)(change)
        outputs.append(layers.Add(name=f"degrees_{n + 1}")([now, change]))
    mean = layers.Average(name="mean")(outputs) if outputs[1:] else outputs[0]
    model = Model(windows, mean, name="weather_best")
    train_ensemble(model, config.ensemble.ensemble_size, "degrees")
    return model


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
