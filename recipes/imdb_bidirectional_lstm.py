"""Does reading a review from both ends help?

Trains an embedding and an LSTM that reads forwards beside one that reads backwards
on the IMDB reviews: is a review positive?

    make imdb-bidirectional-lstm        python recipes/imdb_bidirectional_lstm.py

Compare with imdb-lstm, which reads forwards only (and has half the recurrent
parameters): `make compare RUNS="imdb-bidirectional-lstm imdb-lstm"`.
Reference result: results/reference/imdb.csv.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.baselines.reviews import review_bars
from shared.cli import main
from shared.data.imdb import ReviewsConfig, load_reviews
from shared.embedding import set_gradient
from shared.recurrent import LSTMConfig, build_bidirectional, check_both_ways
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
    lstm: LSTMConfig = LSTMConfig(units=32)
    training: TrainingConfig = TrainingConfig(
        optimizer="rmsprop", learning_rate=0.001, batch_size=128, epochs=10
    )

    def check(self) -> None:
        """Refuse what two directions leave no room for, or Keras computes wrongly."""
        check_both_ways(self.lstm, self.reviews.mask, "imdb-lstm")


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
    lstm = layers.LSTM(**config.lstm.arguments(), name="lstm")
    review = build_bidirectional(lstm, name="both_ways")(words)
    if config.lstm.return_sequences:
        review = layers.GlobalAveragePooling1D(name="mean_of_steps")(review)
    positive = layers.Dense(1, activation="sigmoid", name="positive")(review)
    return Model(word_ids, positive, name="imdb_bidirectional_lstm")


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
