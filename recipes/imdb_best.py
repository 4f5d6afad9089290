"""How accurate can a recurrent network become from the labelled reviews alone?

Adds the vectors of words and bigrams, normalises the sums, and reads them in both
directions. The largest state over all steps counts. Training also uses the worst small
change of the inputs. The prediction is the mean probability of an ensemble.

    make imdb-best                      python recipes/imdb_best.py --ensemble-size 1

Compare with imdb-gru: `make compare RUNS="imdb-best imdb-gru"`. Why these parts: see
docs/results.md, "Better than the tutorials".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from shared.baselines.text import review_baselines
from shared.commands.recipe import main
from shared.core.errors import check_shares
from shared.core.roles import Role
from shared.data.imdb.reviews import ReviewsConfig, load_reviews
from shared.layers.ensemble import EnsembleConfig
from shared.layers.recurrent import GRUConfig, build_bidirectional, check_bidirectional
from shared.layers.word_features import (
    WordFeaturesConfig,
    embed_words,
    prepare_word_features,
)
from shared.training.config import TrainingConfig, build_optimizer, set_seed
from shared.training.fit import fit

if TYPE_CHECKING:
    import keras

    from shared.data.splits import Splits
    from shared.runs.writer import RunFolder

VARIES = "imdb-gru: bigrams, both directions, max pooling, adversarial, ensemble of 3"
REFERENCE = ({},)


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
    word_features: WordFeaturesConfig = WordFeaturesConfig(100_000, "neighbours", 5.0)
    ensemble: EnsembleConfig = EnsembleConfig(3)
    gru: GRUConfig = GRUConfig(units=64, dropout=0.5, return_sequences=True)
    pooling: Annotated[Literal["max", "mean"], Role.MODEL] = "max"
    """How the states of all steps become one; --no-return-sequences takes the last."""
    output_dropout: Annotated[float, Role.TRAINING] = 0.5
    """Share of the pooled states that is dropped in training."""
    training: TrainingConfig = TrainingConfig(
        "adam", learning_rate=0.001, batch_size=64, epochs=3, schedule="cosine"
    )

    def validate(self) -> None:
        """Refuse a wrong share, and flags that do not work with two directions."""
        check_shares(self, ["output_dropout"])
        check_bidirectional(self.gru, self.reviews.mask, "imdb-gru")


def load_data(config: Config) -> Splits:
    """Return the examples, split into train, validation and test."""
    return load_reviews(config.reviews, config.training.seed)


def build_model(config: Config, data: Splits) -> keras.Model:
    """Return word ids (batch, steps) -> probability of a positive review (batch, 1)."""
    from keras import Input, Model, layers

    from shared.layers.pooling import pool_steps

    reviews = config.reviews
    word_ids = Input((reviews.steps,), dtype="int32", name="word_ids")
    outputs = []
    size = config.ensemble.ensemble_size
    for n in range(1, size + 1):
        words = embed_words(word_ids, config.word_features, reviews, n)
        gru = layers.GRU(**config.gru.arguments(), name=f"gru_{n}")
        review = build_bidirectional(gru, name=f"both_ways_{n}")(words)
        review = pool_steps(review, config.pooling, f"{config.pooling}_{n}")
        review = layers.Dropout(config.output_dropout, name=f"dropout_{n}")(review)
        output = layers.Dense(1, activation="sigmoid", name=f"positive_{n}")
        outputs.append(output(review))
    positive = layers.Average(name="positive")(outputs) if size > 1 else outputs[0]
    model = Model(word_ids, positive, name="imdb_best")
    prepare_word_features(model, config.word_features, size, data, config.training.seed)
    return model


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
