"""Which class does a text of yours belong to?

Trains an embedding and one GRU on any labelled texts: a table, or a folder per class.
Words or characters are read one after the other, in any language.

    make text-gru ARGS="--file reviews.csv --text review --label stars"
    python recipes/text_gru.py --folder reviews/ --units 128

Then `make predict RUN=text-gru TEXT="I expected more."` tells the class.
Compare with text-lstm and text-simple-rnn, which differ in the layer only:
`make compare RUNS="text-gru text-lstm text-simple-rnn"`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.baselines.ngrams import text_baselines
from shared.commands.recipe import main
from shared.data.text.dataset import TextConfig, load_text
from shared.layers.recurrent import GRUConfig
from shared.layers.tokens import VectorsConfig, build_tokens
from shared.training.config import TrainingConfig, build_optimizer, set_seed
from shared.training.fit import fit
from shared.training.text_report import write_text_report

if TYPE_CHECKING:
    import keras

    from shared.data.text.dataset import TextSplits
    from shared.runs.writer import RunFolder

VARIES = "the layer"
REFERENCE = ({},)


@dataclass(frozen=True)
class Config:
    """The same for every text recipe, but for the layer."""

    text: TextConfig = TextConfig()
    vectors: VectorsConfig = VectorsConfig()
    gru: GRUConfig = GRUConfig(units=64)
    training: TrainingConfig = TrainingConfig(
        "adam", learning_rate=0.001, batch_size=64, epochs=20, patience=3
    )


def load_data(config: Config) -> TextSplits:
    """Return the texts as token ids, split into train, validation and test."""
    return load_text(config.text, config.training.seed)


def build_model(config: Config, data: TextSplits) -> keras.Model:
    """Return token ids (batch, steps) -> probabilities of the classes."""
    from keras import Model, layers

    from shared.layers.pooling import pool_steps

    seed = config.training.seed
    ids, tokens = build_tokens(config.text, config.vectors, data, seed)
    text = layers.GRU(**config.gru.arguments(), name="gru")(tokens)
    text = pool_steps(text, "mean", "mean_of_steps")
    classes = layers.Dense(len(data.task.classes), activation="softmax", name="classes")
    return Model(ids, classes(text), name="text_gru")


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

    folder.open(data, text_baselines(data), model)
    record = fit(model, data, config.training, folder, config.gru)

    record.finish(data.test, lambda best: write_text_report(best, data, folder))


if __name__ == "__main__":
    main(Config, run)
