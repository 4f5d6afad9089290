"""How well can recurrent networks classify your texts?

What imdb-best does, on any texts: adds the vectors of tokens and bigrams, normalises
the sums, and reads them in both directions. The largest state over all steps counts.
Training also uses the worst small change of the inputs. The prediction is the mean of
an ensemble, blended with that of the linear model on n-grams.

    make text-best ARGS="--file reviews.csv --text review --label stars"

Compare with text-gru: `make compare RUNS="text-best text-gru"`. More: docs/own-text.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from shared.baselines.ngrams import text_baselines
from shared.commands.recipe import main
from shared.core.errors import check_shares
from shared.core.roles import Role
from shared.data.text.dataset import TextConfig, load_text
from shared.layers.ensemble import EnsembleConfig
from shared.layers.recurrent import GRUConfig, build_bidirectional, check_bidirectional
from shared.layers.text_features import TextFeaturesConfig, fit_features
from shared.layers.word_features import embed_words, prepare_word_features
from shared.training.config import TrainingConfig, build_optimizer, set_seed
from shared.training.fit import fit
from shared.training.text_report import write_text_report

if TYPE_CHECKING:
    import keras

    from shared.data.text.dataset import TextSplits
    from shared.runs.writer import RunFolder

VARIES = "text-gru: bigrams, both directions, an ensemble blended with n-grams"
REFERENCE = ({},)


@dataclass(frozen=True)
class Config:
    """Chosen on validation texts: Chinese reviews and English questions."""

    text: TextConfig = TextConfig(padding="right")
    features: TextFeaturesConfig = TextFeaturesConfig(50_000, "neighbours", 5.0)
    ensemble: EnsembleConfig = EnsembleConfig(3)
    gru: GRUConfig = GRUConfig(units=64, dropout=0.5, return_sequences=True)
    pooling: Annotated[Literal["max", "mean"], Role.MODEL] = "max"
    """How the states of all steps become one; --no-return-sequences takes the last."""
    output_dropout: Annotated[float, Role.TRAINING] = 0.5
    """Share of the pooled states that is dropped in training."""
    training: TrainingConfig = TrainingConfig(
        "adam", learning_rate=0.001, batch_size=32, epochs=8, schedule="cosine"
    )

    def validate(self) -> None:
        """Refuse a wrong share, and flags that do not work with two directions."""
        check_shares(self, ["output_dropout"])
        check_bidirectional(self.gru, self.text.mask, "text-gru")


def load_data(config: Config) -> TextSplits:
    """Return the texts as token ids, split into train, validation and test."""
    return load_text(config.text, config.training.seed)


def build_model(config: Config, data: TextSplits) -> keras.Model:
    """Return token ids (batch, steps) -> probabilities of the classes."""
    from keras import Input, Model, layers

    from shared.baselines.ngram_layer import predict_ngrams
    from shared.layers.blend import blend_with_linear
    from shared.layers.pooling import pool_steps

    seed = config.training.seed
    features, texts, start = fit_features(config.features, config.text, data, seed)
    ids = Input((data.steps,), dtype="int32", name="token_ids")
    outputs = []
    size = config.ensemble.ensemble_size
    for n in range(1, size + 1):
        tokens = embed_words(ids, features, texts, n)
        gru = layers.GRU(**config.gru.arguments(), name=f"gru_{n}")
        text = build_bidirectional(gru, name=f"both_ways_{n}")(tokens)
        text = pool_steps(text, config.pooling, f"{config.pooling}_{n}")
        text = layers.Dropout(config.output_dropout, name=f"dropout_{n}")(text)
        count = len(data.task.classes)
        output = layers.Dense(count, activation="softmax", name=f"classes_{n}")
        outputs.append(output(text))
    classes = blend_with_linear(predict_ngrams(ids, data), outputs)
    model = Model(ids, classes, name="text_best")
    prepare_word_features(model, features, size, data, seed, "classes", start)
    return model


def run(config: Config, folder: RunFolder) -> None:
    """Train once and write a run folder."""
    from shared.layers.blend import ChooseBlend

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
    record = fit(model, data, config.training, folder, config.gru, [ChooseBlend(data)])

    record.finish(data.test, lambda best: write_text_report(best, data, folder))


if __name__ == "__main__":
    main(Config, run)
