"""Does a GRU learn to add, which a matrix does exactly?

Reads ten random vectors of five numbers and tells their sum. A linear model solves the
task to the last digit, and the summary says so: not every sequence needs a recurrent
network.

    make sum-gru        python recipes/sum_gru.py --steps 20

Compare with a longer window: `make sum-gru ARGS="--steps 20"`.
Reference result: results/reference/sums.csv.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.baselines.controlled import sum_bars
from shared.cli import main
from shared.data.splits import Splits
from shared.data.sums import SumsConfig, make_sums
from shared.metrics import SQUARED_ERROR
from shared.recurrent import GRUConfig
from shared.training import TrainingConfig, build_optimizer, fit, set_seed

if TYPE_CHECKING:
    import keras

    from shared.run_folder import RunFolder


@dataclass(frozen=True)
class Config:
    """The task of the tutorial, with its target centred."""

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


def build_model(config: Config, splits: Splits) -> keras.Model:
    """Return windows (batch, steps, features) -> their sum (batch, 1)."""
    from keras import Input, Model, layers

    window = Input((config.sums.steps, config.sums.features), name="window")
    memory = layers.GRU(**config.gru.arguments(), name="gru")(window)
    if config.gru.return_sequences:
        memory = layers.GlobalAveragePooling1D(name="mean_of_steps")(memory)
    centred = layers.Dense(1, name="centred")(memory)
    total = layers.Rescaling(splits.scale.spread, splits.scale.mean, name="total")
    return Model(window, total(centred), name="sum_gru")


def run(config: Config, folder: RunFolder) -> None:
    """Train once and leave a run folder."""
    set_seed(config.training.seed)

    splits = make_sums(config.sums, config.training.seed)

    model = build_model(config, splits)
    model.compile(
        optimizer=build_optimizer(config.training),
        loss="mse",
        metrics=["mse"],
        **config.training.compile_arguments(),
    )

    folder.open(splits, sum_bars(splits), model, SQUARED_ERROR)
    record = fit(model, splits, config.training, folder)

    record.finish(splits.test)


if __name__ == "__main__":
    main(Config, run)
