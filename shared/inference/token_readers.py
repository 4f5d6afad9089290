"""Read a text token by token, and return what the network expects next."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from shared.core.errors import UserError

if TYPE_CHECKING:
    import keras


LEAST = 1e-30
"""Smallest probability, so that its logarithm is finite."""


class TokenReader(Protocol):
    """Reads texts side by side, one token of each at a time."""

    def read(self, ids: np.ndarray) -> np.ndarray:
        """Read the next token of each text.

        Args:
            ids: int, (batch,). The batch stays the same for all calls.

        Returns:
            Logits of the token after it, float32, (batch, num_ids).
        """


class StateReader:
    """Keeps the state of each recurrent layer, so a token costs one step."""

    def __init__(self, model: keras.Model, batch: int = 1) -> None:
        """Prepare the step.

        Args:
            model: Token ids (batch, steps) -> logits (batch, steps, num_ids): one layer
                after the other.
            batch: Texts side by side.
        """
        import tensorflow as tf

        self._layers = _list_chain(model)
        self._step = tf.function(self._run_step, reduce_retracing=True)
        self._batch = batch
        self.restart()

    def restart(self) -> None:
        """Forget what was read."""
        import tensorflow as tf

        self._states = [
            tf.zeros((self._batch, state.shape[1]), layer.compute_dtype)
            for layer in self._layers
            for state in getattr(layer, "carried", ())
        ]

    def read(self, ids: np.ndarray) -> np.ndarray:
        """Read the next token of each text; see `TokenReader`."""
        import tensorflow as tf

        logits, self._states = self._step(tf.constant(ids, tf.int32), self._states)
        return logits.numpy()

    def _run_step(self, ids: Any, states: list) -> tuple[Any, list]:
        import tensorflow as tf

        from shared.layers.carried import CarryState

        values, left, new = ids, list(states), []
        for layer in self._layers:
            if isinstance(layer, CarryState):
                count = len(layer.carried)
                own, left = left[:count], left[count:]
                values, after = layer.layer.cell(values, own, training=False)
                new += after
            else:
                values = layer(values)  # outside of a training: no dropout
        return tf.cast(values, tf.float32), new


class WindowReader:
    """Reads the last tokens again for each one: the network carries no state."""

    def __init__(
        self,
        model: keras.Model,
        window: np.ndarray,
        encode: Callable[[np.ndarray], np.ndarray],
        first: int = 0,
    ) -> None:
        """Keep the first window.

        Args:
            model: Encoded windows -> probabilities (batch, num_tokens).
            window: int, (batch, lookback): the tokens before the first one read,
                counted from 0.
            encode: Tokens (batch, lookback), counted from 0 -> inputs of the model.
            first: Id of token 0.
        """
        self._model, self._window, self._encode = model, window, encode
        self._first = first

    def read(self, ids: np.ndarray) -> np.ndarray:
        """Read the next token of each text; see `TokenReader`."""
        tokens = ids[:, None] - self._first
        self._window = np.concatenate([self._window[:, 1:], tokens], axis=1)
        shares = self._model.predict_on_batch(self._encode(self._window))
        logits = np.log(np.maximum(np.asarray(shares, np.float64), LEAST))
        no_tokens = np.full((len(ids), self._first), -np.inf)
        return np.concatenate([no_tokens, logits], axis=1)


def _list_chain(model: keras.Model) -> list[keras.Layer]:
    """Return the layers of a writer in their order.

    Raises:
        UserError: If they are no chain: a token cannot be read step by step then.
    """
    from keras import layers

    from shared.layers.carried import CarryState

    chain = [one for one in model.layers if not isinstance(one, layers.InputLayer)]
    for one in chain:
        if isinstance(one.input, list):
            raise UserError(
                f"the layer {one.name} of the model has several inputs; writing needs "
                "layers one after the other."
            )
    if not any(isinstance(one, CarryState) for one in chain):
        raise UserError(
            "the model carries no state; wrap its recurrent layers in CarryState, as "
            "recipes/writer_gru.py does."
        )
    return chain
