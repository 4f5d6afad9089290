"""Word features of a text network: bigrams, first vectors, adversarial training."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Literal

from shared.core.context import Context
from shared.core.errors import UserError, check_at_least
from shared.core.roles import Role

if TYPE_CHECKING:
    import keras
    import numpy as np

    from shared.data.imdb.reviews import ReviewsConfig
    from shared.data.splits import Splits
    from shared.data.text.config import TextConfig


@dataclass(frozen=True)
class WordFeaturesConfig:
    """How words and their neighbours become numbers."""

    bigrams: Annotated[int, Role.MODEL]
    """Bigrams (pairs of neighbouring words) with a vector of their own, 1 or more: the
    most frequent."""
    vectors: Annotated[Literal["neighbours", "random"], Role.MODEL]
    """First word vectors. neighbours: words that occur near the same words in the
    training reviews start alike; no label is read. random: Keras' default."""
    adversarial_epsilon: Annotated[float, Role.TRAINING]
    """Train also at the worst inputs within this distance; 0 turns that off."""

    def validate(self) -> None:
        """Refuse fewer than one bigram, and a distance below 0.

        Raises:
            UserError: With the flag, what it accepts and how to fix it.
        """
        check_at_least(self, {"bigrams": 1})
        if not 0 <= self.adversarial_epsilon < math.inf:
            raise UserError(
                f"--adversarial-epsilon {self.adversarial_epsilon}: takes a distance "
                "of 0 or more, e.g. 5; 0 turns adversarial training off."
            )

    def resolve_defaults(
        self, context: Context
    ) -> tuple[WordFeaturesConfig, list[str]]:
        """Refuse XLA, and change nothing.

        Raises:
            UserError: With `--jit on`.
        """
        if context.jit == "on":
            raise UserError(
                "--jit on: XLA cannot compile the lookup of bigrams; omit the flag."
            )
        return self, []


def limit_bigrams(
    word_features: WordFeaturesConfig, word_ids: np.ndarray, vocabulary: int
) -> WordFeaturesConfig:
    """Return the settings with no more bigrams than two training texts have.

    A bigram of a single text tells nothing of another one, and its vector takes time.

    Args:
        word_features: The user's choice.
        word_ids: int32, (num_texts, length): the training texts.
        vocabulary: Number of word ids.
    """
    from shared.layers.bigrams import find_frequent_bigrams

    found = find_frequent_bigrams(word_ids, vocabulary, word_features.bigrams, 2)
    return replace(word_features, bigrams=max(1, len(found)))


def embed_words(
    word_ids: keras.KerasTensor,
    word_features: WordFeaturesConfig,
    reviews: ReviewsConfig | TextConfig,
    network: int,
) -> keras.KerasTensor:
    """Return the input of one network: the vector of each word plus that of its bigram.

    Args:
        word_ids: int32, (batch, steps).
        word_features: Sets the number of bigrams.
        reviews: Sets the number of words, the size of a vector and the mask.
        network: Number of the network in the ensemble. Layer names end with it.

    Returns:
        (batch, steps, embedding_size), normalised at each step.
    """
    from keras import layers

    from shared.layers.bigrams import embed_bigrams
    from shared.layers.embedding import set_gradient

    embedding = layers.Embedding(
        reviews.vocabulary,
        reviews.embedding_size,
        mask_zero=reviews.mask,
        name=f"words_{network}",
    )
    words = set_gradient(embedding, reviews.embedding_gradient)(word_ids)
    pairs = embed_bigrams(word_ids, word_features.bigrams, reviews, network)
    read = layers.LayerNormalization(name=f"read_{network}")
    return read(layers.Add(name=f"together_{network}")([words, pairs]))


def prepare_word_features(
    model: keras.Model,
    word_features: WordFeaturesConfig,
    ensemble_size: int,
    data: Splits,
    seed: int,
    output: str = "positive",
    start: np.ndarray | None = None,
) -> None:
    """Set the bigrams and first word vectors of every network, and how they train.

    Args:
        model: Not trained yet. The names of its layers `words`, `pair_ids`, `pairs`,
            `read` and the output end with the number of the network, as in
            `recipes/imdb_best.py`.
        word_features: The user's choice.
        ensemble_size: How many networks there are.
        data: Reviews. Only the words of the training part are read.
        seed: Of the run.
        output: Name of the output layer of a network, without its number.
        start: First word vectors, (num_ids, size), instead of the user's choice.
    """
    from shared.layers.bigrams import find_frequent_bigrams
    from shared.layers.ensemble import train_ensemble
    from shared.layers.word_vectors import learn_word_vectors

    word_ids = data.train.inputs
    vocabulary, size = model.get_layer("words_1").embeddings.shape
    bigrams = find_frequent_bigrams(word_ids, vocabulary, word_features.bigrams)
    vectors = start
    if start is None and word_features.vectors == "neighbours":
        vectors = learn_word_vectors(word_ids, vocabulary, size, seed)
    for n in range(1, ensemble_size + 1):
        model.get_layer(f"pair_ids_{n}").set_vocabulary(bigrams)
        if vectors is not None:
            model.get_layer(f"words_{n}").set_weights([vectors])
    epsilon = word_features.adversarial_epsilon
    train_ensemble(model, ensemble_size, output, "read", epsilon)
