"""What a network knows of words before it trains, and how hard its training is made."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from shared.errors import UserError, check_at_least
from shared.recurrent import Surroundings

if TYPE_CHECKING:
    import keras

    from shared.data.imdb import ReviewsConfig
    from shared.data.splits import Splits


@dataclass(frozen=True)
class ReadingConfig:
    """How words and their neighbours are read."""

    pairs: int
    """Pairs of neighbouring words with a vector of their own: the most frequent."""
    vectors: Literal["neighbours", "random"]
    """First vectors of words. neighbours: words that stand near the same words in the
    training reviews begin alike; no label is read."""
    radius: float
    """Train also at the worst inputs within this distance; 0 does not."""

    def check(self) -> None:
        """Refuse what is no number of pairs or no distance.

        Raises:
            UserError: With the flag, what it takes and the way out.
        """
        check_at_least(self, {"pairs": 1})
        if not 0 <= self.radius < math.inf:
            raise UserError(
                f"--radius {self.radius}: takes a distance, e.g. 5; 0 trains without."
            )

    def resolve(self, around: Surroundings) -> tuple[ReadingConfig, list[str]]:
        """Refuse XLA, and change nothing.

        Raises:
            UserError: If XLA was asked for.
        """
        if around.jit == "on":
            raise UserError(
                "--jit on: XLA cannot look up pairs of words; leave the flag away."
            )
        return self, []


def read_words(
    word_ids: keras.KerasTensor,
    reading: ReadingConfig,
    reviews: ReviewsConfig,
    member: int,
) -> keras.KerasTensor:
    """Return what a member reads: the vector of each word, plus that of its pair.

    Args:
        word_ids: int32, (batch, steps).
        reading: How many pairs there are.
        reviews: Says how many words there are, how long a vector is, and whether
            padding is masked.
        member: Number of the network, which ends the names of its layers.

    Returns:
        (batch, steps, embedding_size), normalised step by step.
    """
    from keras import layers

    from shared.embedding import set_gradient
    from shared.word_pairs import embed_pairs

    embedding = layers.Embedding(
        reviews.vocabulary,
        reviews.embedding_size,
        mask_zero=reviews.mask,
        name=f"words_{member}",
    )
    words = set_gradient(embedding, reviews.embedding_gradient)(word_ids)
    pairs = embed_pairs(word_ids, reading.pairs, reviews, member)
    read = layers.LayerNormalization(name=f"read_{member}")
    return read(layers.Add(name=f"together_{member}")([words, pairs]))


def prepare_reading(
    model: keras.Model,
    reading: ReadingConfig,
    members: int,
    splits: Splits,
    seed: int,
) -> None:
    """Set the pairs and first vectors of every member, and how they train.

    Args:
        model: Its layers `words`, `pair_ids`, `pairs`, `read` and `positive` end in the
            number of the member, as in `recipes/imdb_best.py`; not trained yet.
        reading: What is asked for.
        members: How many there are.
        splits: Reviews, of which only the words of the training part are read.
        seed: Of the run.
    """
    from shared.members import train_members
    from shared.word_pairs import find_frequent_pairs
    from shared.word_vectors import learn_word_vectors

    word_ids = splits.train.inputs
    vocabulary, size = model.get_layer("words_1").embeddings.shape
    pairs = find_frequent_pairs(word_ids, vocabulary, reading.pairs)
    vectors = None
    if reading.vectors == "neighbours":
        vectors = learn_word_vectors(word_ids, vocabulary, size, seed)
    for n in range(1, members + 1):
        model.get_layer(f"pair_ids_{n}").set_vocabulary(pairs)
        if vectors is not None:
            model.get_layer(f"words_{n}").set_weights([vectors])
    train_members(model, members, "positive", "read", reading.radius)
