"""The first layer of a text network: a vector for each token."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keras import Input, layers

from shared.layers.embedding import set_gradient

if TYPE_CHECKING:
    import keras

    from shared.data.text.dataset import TextConfig, TextSplits


def build_tokens(
    config: TextConfig, data: TextSplits
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Return the input of a text network, and the vector of each token.

    Args:
        config: Sets size, mask and gradient of the vectors.
        data: Sets the number of tokens, and the length where batches have one.

    Returns:
        int32 (batch, steps), and (batch, steps, embedding_size).
    """
    ids = Input((data.steps,), dtype="int32", name="token_ids")
    embedding = layers.Embedding(
        data.vocabulary.size,
        config.embedding_size,
        mask_zero=config.mask,
        name="tokens",
    )
    return ids, set_gradient(embedding, config.embedding_gradient)(ids)
