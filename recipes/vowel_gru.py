"""How close does a GRU come to a language whose entropy is known?

Reads eight vowels and predicts the next one. The text comes from a Markov source in
which three vowels decide the next: its entropy is what nobody can undercut. Then the
network writes a text of its own, and its n-grams are held against the source's.

    make vowel-gru        python recipes/vowel_gru.py --lookback 2

Compare with a window too short for the source: `make vowel-gru ARGS="--lookback 2"`.
Reference result: results/reference/vowels.csv.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.baselines.controlled import vowel_bars
from shared.cli import main
from shared.data.vowels import VOWELS, VowelsConfig, make_vowels
from shared.generation import write_vowels
from shared.metrics import CROSS_ENTROPY
from shared.recurrent import GRUConfig
from shared.training import TrainingConfig, build_optimizer, fit, set_seed

if TYPE_CHECKING:
    import keras

    from shared.run_folder import RunFolder

CONTEXTS = ("uou", "ioi")  # after these the network's expectation is told


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


def build_model(config: Config) -> keras.Model:
    """Return vowels (batch, steps, 5) -> probabilities of the next (batch, 5)."""
    from keras import Input, Model, layers

    vowels = Input((config.vowels.lookback, len(VOWELS)), name="vowels")
    memory = layers.GRU(**config.gru.arguments(), name="gru")(vowels)
    if config.gru.return_sequences:
        memory = layers.GlobalAveragePooling1D(name="mean_of_steps")(memory)
    following = layers.Dense(len(VOWELS), activation="softmax", name="next")(memory)
    return Model(vowels, following, name="vowel_gru")


def run(config: Config, folder: RunFolder) -> None:
    """Train once and leave a run folder."""
    set_seed(config.training.seed)

    splits = make_vowels(config.vowels, config.training.seed)

    from keras.metrics import SparseCategoricalCrossentropy

    model = build_model(config)
    model.compile(
        optimizer=build_optimizer(config.training),
        loss="sparse_categorical_crossentropy",
        metrics=[SparseCategoricalCrossentropy(name="cross_entropy"), "accuracy"],
        **config.training.compile_arguments(),
    )

    folder.open(splits, vowel_bars(splits), model, CROSS_ENTROPY)
    record = fit(model, splits, config.training, folder)

    record.finish(
        splits.test,
        lambda best: write_vowels(
            best, splits, config.vowels, CONTEXTS, config.training.seed, folder
        ),
    )


if __name__ == "__main__":
    main(Config, run)
