"""Does it help to read a review in both directions?

Trains an embedding and two LSTMs on the IMDB reviews. One reads forwards, the other
backwards. The network predicts whether a review is positive.

    make imdb-bidirectional-lstm        python recipes/imdb_bidirectional_lstm.py

Compare with imdb-lstm, which reads forwards only and has half the recurrent
parameters: `make compare RUNS="imdb-bidirectional-lstm imdb-lstm"`.
Reference result: results/reference/imdb.csv.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.baselines.text import review_baselines
from shared.commands.recipe import main
from shared.data.imdb.reviews import ReviewsConfig, load_reviews
from shared.layers.embedding import set_gradient
from shared.layers.recurrent import LSTMConfig, build_bidirectional, check_bidirectional
from shared.training.config import TrainingConfig, build_optimizer, set_seed
from shared.training.fit import fit

if TYPE_CHECKING:
    import keras

    from shared.data.splits import Splits
    from shared.runs.writer import RunFolder

VARIES = "the direction of imdb-lstm"
REFERENCE = ({}, {"batching": "fixed"})


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
    lstm: LSTMConfig = LSTMConfig(units=32)
    training: TrainingConfig = TrainingConfig(
        optimizer="rmsprop", learning_rate=0.001, batch_size=128, epochs=10
    )

    def validate(self) -> None:
        """Refuse layer flags that do not work with two directions."""
        check_bidirectional(self.lstm, self.reviews.mask, "imdb-lstm")


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
    lstm = layers.LSTM(**config.lstm.arguments(), name="lstm")
    review = build_bidirectional(lstm, name="both_ways")(words)
    if config.lstm.return_sequences:
        review = layers.GlobalAveragePooling1D(name="mean_of_steps")(review)
    positive = layers.Dense(1, activation="sigmoid", name="positive")(review)
    return Model(word_ids, positive, name="imdb_bidirectional_lstm")


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
    record = fit(model, data, config.training, folder, config.lstm)

    record.finish(data.test)


if __name__ == "__main__":
    main(Config, run)
