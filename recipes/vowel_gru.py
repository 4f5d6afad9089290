"""How close does a GRU come to a language whose entropy is known?

Reads eight vowels and predicts the next one. The text comes from a Markov source in
which three vowels decide the next. No model can be better than the source's entropy.
Then the network writes a text, and its n-grams are compared with those of the source.

    make vowel-gru        python recipes/vowel_gru.py --lookback 2

Compare with a window too short for the source: `make vowel-gru ARGS="--lookback 2"`.
Reference result: results/reference/controlled.csv.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.baselines.generated import vowel_baselines
from shared.commands.recipe import main
from shared.data.generated.vowels import VOWELS, VowelsConfig, make_vowels
from shared.inference.generation import write_vowels
from shared.layers.recurrent import GRUConfig
from shared.training.config import TrainingConfig, build_optimizer, set_seed
from shared.training.fit import fit

if TYPE_CHECKING:
    import keras

    from shared.data.splits import Splits
    from shared.runs.writer import RunFolder

VARIES = "a task of its own"
REFERENCE = ({},)
CONTEXTS = ("uou", "ioi")  # the run prints what the network expects after these


@dataclass(frozen=True)
class Config:
    """A language that a GRU learns in seconds."""

    vowels: VowelsConfig = VowelsConfig(
        order=3,
        source_seed=0,
        concentration=0.3,
        lookback=8,
        train_vowels=100_000,
        validation_vowels=20_000,
        test_vowels=20_000,
    )
    gru: GRUConfig = GRUConfig(units=32)
    training: TrainingConfig = TrainingConfig(
        optimizer="adam",
        learning_rate=0.01,
        batch_size=256,
        epochs=20,
        schedule="cosine",
    )


def load_data(config: Config) -> Splits:
    """Return the examples, split into train, validation and test."""
    return make_vowels(config.vowels, config.training.seed)


def build_model(config: Config, data: Splits) -> keras.Model:
    """Return vowels (batch, steps, 5) -> probabilities of the next (batch, 5)."""
    from keras import Input, Model, layers

    vowels = Input((config.vowels.lookback, len(VOWELS)), name="vowels")
    memory = layers.GRU(**config.gru.arguments(), name="gru")(vowels)
    if config.gru.return_sequences:
        memory = layers.GlobalAveragePooling1D(name="mean_of_steps")(memory)
    following = layers.Dense(len(VOWELS), activation="softmax", name="next")(memory)
    return Model(vowels, following, name="vowel_gru")


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

    folder.open(data, vowel_baselines(data), model)
    record = fit(model, data, config.training, folder, config.gru)

    record.finish(
        data.test,
        lambda best: write_vowels(
            best, data, config.vowels, CONTEXTS, config.training.seed, folder
        ),
    )


if __name__ == "__main__":
    main(Config, run)
