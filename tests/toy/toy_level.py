"""Does a network find the level of a noisy series?

A recipe for the tests, with a flag of its own for the data, one for the split and one
for the computation. No other file knows these flags.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np

from shared.baselines.baseline import make_baseline
from shared.commands.recipe import main
from shared.core.roles import Role
from shared.data.splits import Examples, Splits
from shared.layers.recurrent import GRUConfig
from shared.tasks.task import Regression
from shared.training.config import TrainingConfig, build_optimizer, set_seed
from shared.training.fit import fit

if TYPE_CHECKING:
    import keras

    from shared.runs.writer import RunFolder

VARIES = "the level"
REFERENCE = ()


@dataclass(frozen=True)
class SeriesConfig:
    """A series around a level."""

    level: Annotated[float, Role.DATA] = 0.0
    """Mean of the series."""
    holdout: Annotated[int, Role.SPLIT] = 24
    """Examples of the test part."""
    chunk: Annotated[int, Role.COMPUTATION] = 4
    """Examples that are generated at a time."""


@dataclass(frozen=True)
class Config:
    """A network that trains in a second."""

    series: SeriesConfig = SeriesConfig()
    gru: GRUConfig = GRUConfig(units=3)
    training: TrainingConfig = TrainingConfig("adam", 0.01, batch_size=8, epochs=1)


def load_data(config: Config) -> Splits:
    """Return windows (n, 5, 1) and the level with noise, (n,)."""
    random = np.random.default_rng(0)
    level = config.series.level

    def draw(count: int) -> Examples:
        inputs = random.normal(level, 1, (count, 5, 1)).astype(np.float32)
        return Examples(inputs, (inputs.mean(axis=(1, 2))).astype(np.float32))

    train, validation = draw(40), draw(16)
    test = draw(config.series.holdout)
    return Splits("levels", train, validation, test, task=Regression(quantity="level"))


def build_model(config: Config, data: Splits) -> keras.Model:
    """Return windows (batch, 5, 1) -> level (batch, 1)."""
    from keras import Input, Model, layers

    window = Input(data.train.inputs.shape[1:], name="window")
    memory = layers.GRU(**config.gru.arguments(), name="gru")(window)
    return Model(window, layers.Dense(1, name="level")(memory), name="toy_level")


def run(config: Config, folder: RunFolder) -> None:
    """Train once and leave a run folder."""
    set_seed(config.training.seed)

    data = load_data(config)

    model = build_model(config, data)
    model.compile(
        optimizer=build_optimizer(config.training),
        loss=data.task.loss,
        metrics=data.task.metrics(),
        **config.training.compile_arguments(),
    )

    zero = make_baseline("predict 0", data, lambda part: np.zeros(len(part)))
    folder.open(data, [zero], model)
    record = fit(model, data, config.training, folder, config.gru)

    record.finish(data.test)


if __name__ == "__main__":
    main(Config, run)
