"""The first layer of a text network: a vector for each token."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np

from shared.core.errors import UserError
from shared.core.roles import Role

if TYPE_CHECKING:
    import keras

    from shared.data.text.dataset import TextConfig, TextSplits


@dataclass(frozen=True)
class VectorsConfig:
    """Which vectors the tokens start with."""

    vectors: Annotated[Path | None, Role.MODEL] = None
    """File with first vectors of words: GloVe, word2vec or fastText (.vec), text or
    binary, maybe packed as .gz or .xz. Their size replaces --embedding-size. Omit it
    for random vectors."""
    train_vectors: Annotated[bool, Role.TRAINING] = True
    """Train the vectors of --vectors further; --no-train-vectors keeps them."""

    def validate(self) -> None:
        """Refuse vectors that stay as they are where none are given.

        Raises:
            UserError: With the flag, and how to fix it.
        """
        if self.vectors is None and not self.train_vectors:
            raise UserError(
                "--no-train-vectors: keeps the vectors of --vectors, but no file is "
                "named; name one, or omit the flag."
            )
        if self.vectors is not None:
            check_vectors_file(self.vectors)


def build_tokens(
    config: TextConfig, vectors: VectorsConfig, data: TextSplits, seed: int
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Return the input of a text network, and the vector of each token.

    A token that the file of vectors lacks starts with random numbers of the same
    standard deviation.

    Args:
        config: Sets size, mask and gradient of the vectors.
        vectors: Which vectors they start with.
        data: Sets the number of tokens, and the length where batches have one.
        seed: Of the random numbers beside a file of vectors.

    Returns:
        int32 (batch, steps), and (batch, steps, size).

    Raises:
        UserError: If the file of vectors has another form.
    """
    from keras import Input, layers

    from shared.layers.embedding import set_gradient

    ids = Input((data.steps,), dtype="int32", name="token_ids")
    first = (
        None if vectors.vectors is None else start_vectors(vectors.vectors, data, seed)
    )
    size = config.embedding_size if first is None else first.shape[1]
    embedding = layers.Embedding(
        data.vocabulary.size, size, mask_zero=config.mask, name="tokens"
    )
    tokens = set_gradient(embedding, config.embedding_gradient)(ids)
    if first is not None:
        embedding.set_weights([first])
        embedding.trainable = vectors.train_vectors
    return ids, tokens


def start_vectors(path: Path, data: TextSplits, seed: int) -> np.ndarray:
    """Return first vectors from a file, float32, (num_ids, size).

    Prints how many tokens have one. A token that the file lacks gets random numbers of
    the same standard deviation.

    Args:
        path: GloVe, word2vec or fastText.
        data: Its vocabulary is looked for.
        seed: Of the random numbers.

    Raises:
        UserError: If the file has another form, or has none of the tokens.
    """
    from shared.data.text.vectors import read_vectors

    read = read_vectors(path, data.vocabulary)
    count = int(read.found.sum())
    total = len(data.vocabulary.tokens)
    print(f"  vectors: {path} has {count:,} of {total:,} tokens ({count / total:.0%})")
    deviation = float(read.values[read.found].std())
    random = np.random.default_rng(seed)
    missing = random.normal(0, deviation, read.values.shape).astype(np.float32)
    return np.where(read.found[:, None], read.values, missing)


def check_vectors_file(path: Path) -> None:
    """Refuse a file of vectors that does not exist.

    Raises:
        UserError: If there is no such file.
    """
    if not path.is_file():
        raise UserError(f"--vectors {path}: there is no such file.")
