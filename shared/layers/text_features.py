"""Word features of any texts: those of imdb-best, or vectors from a file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from shared.core.errors import UserError
from shared.core.roles import Role
from shared.layers.tokens import check_vectors_file, start_vectors
from shared.layers.word_features import WordFeaturesConfig, limit_bigrams

if TYPE_CHECKING:
    import numpy as np

    from shared.data.text.config import TextConfig
    from shared.data.text.dataset import TextSplits


@dataclass(frozen=True)
class TextFeaturesConfig(WordFeaturesConfig):
    """How tokens and their neighbours become numbers."""

    vectors: Annotated[Literal["neighbours", "random"] | Path, Role.MODEL]
    """First vectors of tokens. neighbours: tokens that occur near the same tokens in
    the training texts start alike; no label is read. random: Keras' default. Or a file:
    GloVe, word2vec or fastText (.vec), text or binary, maybe packed as .gz or .xz.
    The size of its vectors replaces --embedding-size."""

    def validate(self) -> None:
        """Refuse what no words allow, and a file that does not exist.

        Raises:
            UserError: With the flag, what it accepts and how to fix it.
        """
        super().validate()
        if isinstance(self.vectors, Path):
            try:
                check_vectors_file(self.vectors)
            except UserError as error:
                raise UserError(
                    f"{error} The flag takes neighbours, random or a file."
                ) from None


def fit_features(
    features: TextFeaturesConfig, texts: TextConfig, data: TextSplits, seed: int
) -> tuple[TextFeaturesConfig, TextConfig, np.ndarray | None]:
    """Fit the user's choice to the training texts.

    Vectors from a file are scaled to the standard deviation of those that are learnt:
    the optimizer then changes them, and the bigrams beside them, as fast.

    Args:
        features: The user's choice.
        texts: The user's choice.
        data: Its training part decides how many tokens and bigrams there are.
        seed: Of random numbers for tokens that a file lacks.

    Returns:
        The features with no more bigrams than two training texts have; the texts with
        the vocabulary that was found and the size of the vectors; and the vectors of a
        file, float32, (num_ids, size), or None.

    Raises:
        UserError: If a file of vectors has another form.
    """
    from shared.layers.word_vectors import STD

    vocabulary = data.vocabulary.size
    features = limit_bigrams(features, data.train.inputs, vocabulary)
    texts = replace(texts, vocabulary=vocabulary)
    if not isinstance(features.vectors, Path):
        return features, texts, None
    start = start_vectors(features.vectors, data, seed)
    start *= STD / max(float(start.std()), 1e-12)
    return features, replace(texts, embedding_size=start.shape[1]), start
