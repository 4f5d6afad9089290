"""Over how many steps does a GRU remember?

The target depends on steps far back in a sequence: the sum of two marked numbers
(`--task adding`) or the marked symbol (`--task recall`). A model without memory learns
nothing here. The baseline shows what such a model scores.

    make memory-gru        python recipes/memory_gru.py --task recall --lag 200

Compare with memory-lstm, which differs in the layer only, and memory-simple-rnn.
`make memory-horizon` finds the longest lag that each solves.
Reference result: results/horizon/horizon.csv.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.baselines.generated import memory_baselines
from shared.commands.recipe import main
from shared.data.generated.memory_tasks import MemoryConfig, make_memory
from shared.layers.recurrent import GRUConfig, refuse_shortcuts
from shared.training.config import TrainingConfig, build_optimizer, set_seed
from shared.training.fit import fit

if TYPE_CHECKING:
    import keras

    from shared.data.splits import Splits
    from shared.runs.writer import RunFolder

VARIES = "the layer"
REFERENCE = ({},)


@dataclass(frozen=True)
class Config:
    """The smallest settings in which a gated layer bridges a hundred steps."""

    memory: MemoryConfig = MemoryConfig(
        task="adding",
        lag=50,
        symbols=8,
        delays="mixed",  # with fixed ones gated layers get no gradient at first
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

    def validate(self) -> None:
        """Refuse layer flags with which the task needs no memory."""
        refuse_shortcuts(self.gru)


def load_data(config: Config) -> Splits:
    """Return the examples, split into train, validation and test."""
    return make_memory(config.memory, config.training.seed)


def build_model(config: Config, data: Splits) -> keras.Model:
    """Return sequences (batch, steps, features) -> the answer.

    With adding it is the sum, (batch, 1). With recall it is the probability of every
    symbol, (batch, symbols).
    """
    from keras import Input, Model, layers

    sequence = Input((config.memory.steps, config.memory.features), name="sequence")
    layer = layers.GRU(**config.gru.arguments(), name="gru")
    memory = layer(sequence)
    if config.memory.task == "adding":
        answer = layers.Dense(1, name="sum")(memory)
    else:
        symbols = config.memory.symbols
        answer = layers.Dense(symbols, activation="softmax", name="symbol")(memory)
    return Model(sequence, answer, name="memory_gru")


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

    folder.open(data, memory_baselines(data), model)
    record = fit(model, data, config.training, folder, config.gru)

    record.finish(data.test)


if __name__ == "__main__":
    main(Config, run)
