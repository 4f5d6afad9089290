"""Does dropout on inputs and state keep a larger GRU from overfitting?

Trains an embedding and a GRU with dropout and recurrent dropout on the IMDB reviews.
The settings are those of the tutorials, with one exception: held-out training reviews
choose the epoch. The test set is scored once, at the end.

    make imdb-gru-dropout        python recipes/imdb_gru_dropout.py --dropout 0.5

Compare with imdb-gru --units 64, or with this recipe without dropout:
`make imdb-gru-dropout ARGS="--dropout 0 --recurrent-dropout 0"`.
Reference result: results/reference/imdb.csv.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.baselines.text import review_baselines
from shared.commands.recipe import main
from shared.data.imdb.reviews import ReviewsConfig, load_reviews
from shared.layers.embedding import set_gradient
from shared.layers.recurrent import GRUConfig
from shared.training.config import TrainingConfig, build_optimizer, set_seed
from shared.training.fit import fit

if TYPE_CHECKING:
    import keras

    from shared.data.splits import Splits
    from shared.runs.writer import RunFolder

VARIES = "imdb-gru: size, dropout, adam, batch 32, 5 epochs"
REFERENCE = ({}, {"recurrent_dropout": 0.0})


@dataclass(frozen=True)
class Config:
    """The settings of the tutorials."""

    reviews: ReviewsConfig = ReviewsConfig(
        vocabulary=10_000,
        length=500,  # twice the mean length; cuts one review in twelve
        keep="end",  # as Keras' pad_sequences; the verdict is often there
        padding="left",  # so that the last step is a word
        mask=False,
        batching="bucketed",  # faster and better than fixed, see docs/kernels.md
        embedding_size=32,
        validation_share=0.2,
    )
    gru: GRUConfig = GRUConfig(units=64, dropout=0.2, recurrent_dropout=0.2)
    training: TrainingConfig = TrainingConfig(
        optimizer="adam", learning_rate=0.001, batch_size=32, epochs=5
    )


def load_data(config: Config) -> Splits:
    """Return the examples, split into train, validation and test."""
    return load_reviews(config.reviews, config.training.seed)


def build_model(config: Config, data: Splits) -> keras.Model:
    """Return word ids (batch, steps) -> probability of a positive review (batch, 1)."""
    from keras import Input, Model, layers

    word_ids = Input((config.reviews.steps,), dtype="int32", name="word_ids")
    embedding = layers.Embedding(
        config.reviews.vocabulary,
        config.reviews.embedding_size,
        mask_zero=config.reviews.mask,
        name="words",
    )
    words = set_gradient(embedding, config.reviews.embedding_gradient)(word_ids)
    review = layers.GRU(**config.gru.arguments(), name="gru")(words)
    if config.gru.return_sequences:
        review = layers.GlobalAveragePooling1D(name="mean_of_steps")(review)
    positive = layers.Dense(1, activation="sigmoid", name="positive")(review)
    return Model(word_ids, positive, name="imdb_gru_dropout")


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

    folder.open(data, review_baselines(data), model)
    record = fit(model, data, config.training, folder, config.gru)

    record.finish(data.test)


if __name__ == "__main__":
    main(Config, run)
