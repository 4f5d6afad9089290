"""Does dropout on inputs and state keep a larger GRU from overfitting?

Trains an embedding and a GRU with dropout and recurrent dropout on the IMDB reviews, in
the tutorials' setting but for one thing: the epoch is chosen on held-out training
reviews, and the test set is scored once, at the end.

    make imdb-gru-dropout        python recipes/imdb_gru_dropout.py --dropout 0.5

Compare with imdb-gru --units 64, or with this recipe without dropout:
`make imdb-gru-dropout ARGS="--dropout 0 --recurrent-dropout 0"`.
Reference result: results/reference/imdb.csv.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.baselines.reviews import review_bars
from shared.cli import main
from shared.data.imdb import ReviewsConfig, load_reviews
from shared.embedding import set_gradient
from shared.recurrent import GRUConfig
from shared.training import TrainingConfig, build_optimizer, fit, set_seed

if TYPE_CHECKING:
    import keras

    from shared.run_folder import RunFolder


@dataclass(frozen=True)
class Config:
    """The setting of the tutorials, flag by flag."""

    reviews: ReviewsConfig = ReviewsConfig(
        vocabulary=10_000,
        length=500,  # twice the mean review, cuts one in twelve
        keep="end",  # what Keras' pad_sequences does, and where the verdict stands
        padding="left",  # so that the last step read is a word
        mask=False,
        batching="bucketed",  # quicker and better than fixed, see README
        embedding_size=32,
        validation_share=0.2,
    )
    gru: GRUConfig = GRUConfig(units=64, dropout=0.2, recurrent_dropout=0.2)
    training: TrainingConfig = TrainingConfig(
        optimizer="adam", learning_rate=0.001, batch_size=32, epochs=5
    )


def build_model(config: Config) -> keras.Model:
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
    """Train once and leave a run folder."""
    set_seed(config.training.seed)

    splits = load_reviews(config.reviews, config.training.seed)

    model = build_model(config)
    model.compile(
        optimizer=build_optimizer(config.training),
        loss="binary_crossentropy",
        metrics=["accuracy"],
        **config.training.compile_arguments(),
    )

    folder.open(splits, review_bars(splits), model)
    record = fit(model, splits, config.training, folder)

    record.finish(splits.test)


if __name__ == "__main__":
    main(Config, run)
