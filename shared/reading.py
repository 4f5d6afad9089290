"""What a network knows of words before it trains, and how hard its training is made."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from shared.errors import UserError, check_at_least
from shared.recurrent import Surroundings

if TYPE_CHECKING:
    import keras

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


def prepare_reading(
    model: keras.Model, reading: ReadingConfig, splits: Splits, seed: int
) -> None:
    """Set the pairs and first vectors of a network, and how it is trained.

    Args:
        model: With the layers `words`, `pair_ids`, `pairs` and `read`, as in
            `recipes/imdb_best.py`; not trained yet.
        reading: What is asked for.
        splits: Reviews, of which only the words of the training part are read.
        seed: Of the run.
    """
    from shared.adversarial import train_adversarially
    from shared.word_pairs import find_frequent_pairs
    from shared.word_vectors import learn_word_vectors

    word_ids = splits.train.inputs
    words = model.get_layer("words")
    vocabulary, size = words.embeddings.shape
    pairs = find_frequent_pairs(word_ids, vocabulary, reading.pairs)
    model.get_layer("pair_ids").set_vocabulary(pairs)
    if reading.vectors == "neighbours":
        words.set_weights([learn_word_vectors(word_ids, vocabulary, size, seed)])
    if reading.radius:
        train_adversarially(model, "read", reading.radius)
