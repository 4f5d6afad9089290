"""Does a GRU learn to add, which a linear model does exactly?

Reads ten random vectors of five numbers and predicts the sum of all numbers. A linear
model solves the task to the last digit, and the summary shows it. So not every sequence
needs a recurrent network.

    make sum-gru        python recipes/sum_gru.py --steps 20

Compare with a longer window: `make sum-gru ARGS="--steps 20"`.
Reference result: results/reference/controlled.csv.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.baselines.generated import sum_baselines
from shared.commands.recipe import main
from shared.data.generated.sums import SumsConfig, make_sums
from shared.data.splits import Splits
from shared.layers.recurrent import GRUConfig
from shared.training.config import TrainingConfig, build_optimizer, set_seed
from shared.training.fit import fit

if TYPE_CHECKING:
    import keras

    from shared.data.splits import Splits
    from shared.runs.writer import RunFolder

VARIES = "a task of its own"
REFERENCE = ({},)


@dataclass(frozen=True)
class Config:
    """The task of the tutorial, with a centred target."""

    sums: SumsConfig = SumsConfig(
        steps=10,
        features=5,
        train_windows=20_000,
        validation_windows=5_000,
        test_windows=5_000,
    )
    gru: GRUConfig = GRUConfig(units=64)
    training: TrainingConfig = TrainingConfig(
        optimizer="adam",
        learning_rate=0.002,
        batch_size=128,
        epochs=20,
        schedule="cosine",
    )


def load_data(config: Config) -> Splits:
    """Return the examples, split into train, validation and test."""
    return make_sums(config.sums, config.training.seed)


def build_model(config: Config, data: Splits) -> keras.Model:
    """Return windows (batch, steps, features) -> their sum (batch, 1)."""
    from keras import Input, Model, layers

    window = Input((config.sums.steps, config.sums.features), name="window")
    memory = layers.GRU(**config.gru.arguments(), name="gru")(window)
    if config.gru.return_sequences:
        memory = layers.GlobalAveragePooling1D(name="mean_of_steps")(memory)
    centred = layers.Dense(1, name="centred")(memory)
    total = layers.Rescaling(data.scale.std, data.scale.mean, name="total")
    return Model(window, total(centred), name="sum_gru")


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

    folder.open(data, sum_baselines(data), model)
    record = fit(model, data, config.training, folder, config.gru)

    record.finish(data.test)


if __name__ == "__main__":
    main(Config, run)
