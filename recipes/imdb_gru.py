"""How well does one GRU layer read film reviews?

Trains an embedding and one GRU on the IMDB reviews. The network predicts whether a
review is positive.

    make imdb-gru        python recipes/imdb_gru.py --units 64 --epochs 3

Compare with imdb-lstm and imdb-simple-rnn, which differ in the layer only, and with
imdb-gru-dropout: `make compare RUNS="imdb-gru imdb-lstm imdb-simple-rnn"`.
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

VARIES = "the layer"
REFERENCE = ({}, {"batching": "fixed"}, {"go_backwards": True})


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
    gru: GRUConfig = GRUConfig(units=32)
    training: TrainingConfig = TrainingConfig(
        optimizer="rmsprop", learning_rate=0.001, batch_size=128, epochs=10
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
    return Model(word_ids, positive, name="imdb_gru")


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
