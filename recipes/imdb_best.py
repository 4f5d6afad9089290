"""How far does a recurrent network get on the labelled reviews alone?

Adds and normalises vectors of words and of pairs of words and reads them both ways; the
largest states count. Trained to be right after the worst small step of its inputs, too.
Several such networks, trained beside each other, give their mean probability.

    make imdb-best                      python recipes/imdb_best.py --members 1

Compare with imdb-gru: `make compare RUNS="imdb-best imdb-gru"`. What each part is:
README, "Better than the tutorials".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from shared.baselines.reviews import review_bars
from shared.cli import main
from shared.data.imdb import ReviewsConfig, load_reviews
from shared.errors import check_shares
from shared.members import MembersConfig
from shared.reading import ReadingConfig, prepare_reading, read_words
from shared.recurrent import GRUConfig, build_bidirectional, check_both_ways
from shared.training import TrainingConfig, build_optimizer, fit, set_seed

if TYPE_CHECKING:
    import keras

    from shared.run_folder import RunFolder


@dataclass(frozen=True)
class Config:
    """Chosen on the validation reviews of seed 0."""

    reviews: ReviewsConfig = ReviewsConfig(
        vocabulary=30_000,
        length=500,
        keep="end",
        padding="right",
        mask=False,
        embedding_size=64,
        validation_share=0.2,
        embedding_gradient="dense",
        batching="bucketed",
    )
    reading: ReadingConfig = ReadingConfig(100_000, "neighbours", radius=5.0)
    several: MembersConfig = MembersConfig(3)
    gru: GRUConfig = GRUConfig(units=64, dropout=0.5, return_sequences=True)
    pooling: Literal["max", "mean"] = "max"
    """What of all steps' states is read; --no-return-sequences reads the last."""
    output_dropout: float = 0.5
    """Share of what is read of the states that is dropped in training."""
    training: TrainingConfig = TrainingConfig(
        "adam", learning_rate=0.001, batch_size=64, epochs=3, schedule="cosine"
    )

    def check(self) -> None:
        """Refuse no share, and what two directions leave no room for."""
        check_shares(self, ["output_dropout"])
        check_both_ways(self.gru, self.reviews.mask, "imdb-gru")


def build_model(config: Config) -> keras.Model:
    """Return word ids (batch, steps) -> probability of a positive review (batch, 1)."""
    from keras import Input, Model, layers

    from shared.pooling import pool_steps

    reviews = config.reviews
    word_ids = Input((reviews.steps,), dtype="int32", name="word_ids")
    members = []
    for n in range(1, config.several.members + 1):
        read = read_words(word_ids, config.reading, reviews, n)
        gru = layers.GRU(**config.gru.arguments(), name=f"gru_{n}")
        review = build_bidirectional(gru, name=f"both_ways_{n}")(read)
        review = pool_steps(review, config.pooling, f"{config.pooling}_{n}")
        review = layers.Dropout(config.output_dropout, name=f"dropout_{n}")(review)
        output = layers.Dense(1, activation="sigmoid", name=f"positive_{n}")
        members.append(output(review))
    positive = layers.Average(name="positive")(members) if members[1:] else members[0]
    return Model(word_ids, positive, name="imdb_best")


def run(config: Config, folder: RunFolder) -> None:
    """Train once and leave a run folder."""
    set_seed(config.training.seed)

    splits = load_reviews(config.reviews, config.training.seed)

    model = build_model(config)
    members, seed = config.several.members, config.training.seed
    prepare_reading(model, config.reading, members, splits, seed)
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
