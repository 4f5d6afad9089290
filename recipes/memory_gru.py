"""Over how many steps does a GRU remember?

Reads a sequence whose target stands far back: the sum of two marked numbers among many
(`--task adding`), or the symbol that was marked (`--task recall`). Without memory
nothing is to be had, and the bar says what nothing scores.

    make memory-gru        python recipes/memory_gru.py --task recall --lag 200

Compare with memory-lstm, which differs in the layer only, and memory-simple-rnn;
`make memory-horizon` finds the longest lag that each solves.
Reference result: results/horizon/horizon.csv.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.baselines.controlled import memory_bars
from shared.cli import main
from shared.data.memory import MemoryConfig, make_memory, refuse_shortcuts
from shared.metrics import ACCURACY, SQUARED_ERROR
from shared.recurrent import GRUConfig
from shared.training import TrainingConfig, build_optimizer, fit, set_seed

if TYPE_CHECKING:
    import keras

    from shared.run_folder import RunFolder


@dataclass(frozen=True)
class Config:
    """The smallest setting in which a gated layer bridges a hundred steps."""

    memory: MemoryConfig = MemoryConfig(
        task="adding",
        lag=50,
        symbols=8,
        delays="mixed",  # with fixed ones gated layers see no gradient to begin with
        train_sequences=5_000,
        validation_sequences=1_000,
        test_sequences=2_000,
    )
    gru: GRUConfig = GRUConfig(units=32)
    training: TrainingConfig = TrainingConfig(
        optimizer="adam",
        learning_rate=0.005,
        batch_size=50,
        epochs=40,
    )

    def check(self) -> None:
        """Refuse a layer that would need no memory."""
        refuse_shortcuts(self.gru)


def build_model(config: Config) -> keras.Model:
    """Return sequences (batch, steps, features) -> what is asked for.

    In adding that is the sum, (batch, 1), in recall the probabilities of the symbols,
    (batch, symbols).
    """
    from keras import Input, Model, layers

    sequence = Input((config.memory.steps, config.memory.features), name="sequence")
    layer = layers.GRU(**config.gru.arguments(), name="gru")
    memory = layer(sequence)
    if config.memory.task == "adding":
        answer = layers.Dense(1, name="sum")(memory)
    else:
        answer = layers.Dense(
            config.memory.symbols, activation="softmax", name="symbol"
        )(memory)
    return Model(sequence, answer, name="memory_gru")


def run(config: Config, folder: RunFolder) -> None:
    """Train once and leave a run folder."""
    set_seed(config.training.seed)

    splits = make_memory(config.memory, config.training.seed)

    adding = config.memory.task == "adding"
    model = build_model(config)
    model.compile(
        optimizer=build_optimizer(config.training),
        loss="mse" if adding else "sparse_categorical_crossentropy",
        metrics=["mse" if adding else "accuracy"],
        **config.training.compile_arguments(),
    )

    score = SQUARED_ERROR if adding else ACCURACY
    folder.open(splits, memory_bars(splits), model, score)
    record = fit(model, splits, config.training, folder)

    record.finish(splits.test)


if __name__ == "__main__":
    main(Config, run)
