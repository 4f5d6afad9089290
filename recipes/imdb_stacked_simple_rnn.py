"""Do four SimpleRNN layers read reviews better than one?

Trains an embedding and a stack of SimpleRNN layers on the IMDB reviews; all but the
last hand the states of every step to the next. The layer flags hold for all of them.

    make imdb-stacked-simple-rnn        python recipes/imdb_stacked_simple_rnn.py

Compare with imdb-simple-rnn, which differs in the number of layers only:
`make compare RUNS="imdb-stacked-simple-rnn imdb-simple-rnn"`.
Reference result: results/reference/imdb.csv.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.baselines.reviews import review_bars
from shared.cli import main
from shared.data.imdb import ReviewsConfig, load_reviews
from shared.embedding import set_gradient
from shared.errors import UserError
from shared.recurrent import SimpleRNNConfig
from shared.training import TrainingConfig, build_optimizer, fit, set_seed

if TYPE_CHECKING:
    import keras

    from shared.run_folder import RunFolder


NUM_LAYERS = 4


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
    simple_rnn: SimpleRNNConfig = SimpleRNNConfig(units=32)
    training: TrainingConfig = TrainingConfig(
        optimizer="rmsprop", learning_rate=0.001, batch_size=128, epochs=10
    )

    def check(self) -> None:
        """Refuse what would show the upper layers a mask in the wrong order."""
        if self.simple_rnn.go_backwards and self.reviews.mask_side:
            raise UserError(
                "--go-backwards with masked padding: Keras turns the states between "
                "layers round but not their mask; take --batching fixed --no-mask."
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
    review = words
    for level in range(1, NUM_LAYERS + 1):
        flags = config.simple_rnn.arguments(
            go_backwards=config.simple_rnn.go_backwards and level == 1,  # turns all
            return_sequences=config.simple_rnn.return_sequences or level < NUM_LAYERS,
        )
        review = layers.SimpleRNN(**flags, name=f"simple_rnn_{level}")(review)
    if config.simple_rnn.return_sequences:
        review = layers.GlobalAveragePooling1D(name="mean_of_steps")(review)
    positive = layers.Dense(1, activation="sigmoid", name="positive")(review)
    return Model(word_ids, positive, name="imdb_stacked_simple_rnn")


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
