"""A linear model of n-grams as a layer, so that a network can be blended with it."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from shared.data.padding import START


@keras.saving.register_keras_serializable(package="rnn_recipes")
class NgramModel(keras.Layer):
    """Reads token ids (batch, steps), returns probabilities of the classes.

    A text is the set of its n-grams. Each has a weight for each class, and a second one
    among the first tokens of a text. A logistic function makes shares of their sums.
    `set_model` sets the weights; no gradient changes them.
    """

    def __init__(
        self,
        base: int,
        longest: int,
        num_ngrams: int,
        num_models: int,
        first: int = 0,
        **arguments: Any,
    ) -> None:
        """Keep the sizes.

        Args:
            base: The code of an n-gram is a number with its ids plus one as digits.
            longest: Tokens of the longest n-grams.
            num_ngrams: N-grams with a weight.
            num_models: Classes; 1 where there are two of them.
            first: N-grams of so many first tokens count once more, by minus their code.
            **arguments: Those of every Keras layer.
        """
        super().__init__(**{"trainable": False} | arguments)
        self.base, self.longest = base, longest
        self.num_ngrams, self.num_models = num_ngrams, num_models
        self.first = first

    def build(self, input_shape: tuple) -> None:
        """Create the weights, all zeros."""
        shape = (self.num_ngrams, self.num_models)
        self.codes = self._add("codes", shape[:1], "int64")
        self.weights_of = self._add("weights_of", shape, "float32")
        self.biases = self._add("biases", shape[1:], "float32")

    def _add(self, name: str, shape: tuple, dtype: str) -> keras.Variable:
        return self.add_weight(
            name=name, shape=shape, dtype=dtype, initializer="zeros", trainable=False
        )

    def set_model(self, codes: Any, weights: Any, biases: Any) -> None:
        """Set the codes of the n-grams, increasing, their weights, and the biases."""
        self.codes.assign(codes)
        self.weights_of.assign(weights)
        self.biases.assign(biases)

    def call(self, ids: Any) -> Any:
        """Return (batch, num_classes)."""
        ids = ops.cast(ids, "int64")
        tokens, real = ids + 1, ids > START
        code, inside = tokens, real
        is_first = self.mark_first(real)
        sums = ops.zeros_like(self.biases)
        for n in range(self.longest):
            if n:
                code = code[:, :-1] * self.base + tokens[:, n:]
                inside = ops.logical_and(inside[:, :-1], real[:, n:])
            sums = sums + self._add_up(ops.where(inside, code, -1))
            if self.first:
                marked = ops.logical_and(inside, is_first[:, n:])
                sums = sums + self._add_up(ops.where(marked, -code, -1))
        shares = ops.sigmoid(sums + self.biases)
        if self.num_models == 1:
            return ops.concatenate([1 - shares, shares], axis=1)
        return shares / ops.sum(shares, axis=1, keepdims=True)

    def mark_first(self, real: Any) -> Any:
        """Return which tokens are among the first ones.

        Args:
            real: Which steps hold a token, (batch, steps).
        """
        return ops.cumsum(ops.cast(real, "int32"), axis=1) <= self.first

    def _add_up(self, codes: Any) -> Any:
        """Return the sum of the weights of all different codes of each text."""
        codes = ops.sort(codes, axis=1)
        before = ops.pad(codes[:, :-1], ((0, 0), (1, 0)), constant_values=-1)
        codes = ops.where(codes == before, -1, codes)
        places = ops.searchsorted(self.codes.value, ops.reshape(codes, (-1,)))
        places = ops.reshape(places, ops.shape(codes))
        places = ops.minimum(places, self.num_ngrams - 1)
        known = ops.cast(ops.take(self.codes, places) == codes, "float32")
        return ops.sum(ops.take(self.weights_of, places, axis=0) * known[..., None], 1)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Return the shape of the probabilities."""
        return input_shape[0], max(2, self.num_models)

    def get_config(self) -> dict[str, Any]:
        """Return what Keras needs to build the layer again."""
        sizes = ("base", "longest", "num_ngrams", "num_models", "first")
        return super().get_config() | {name: getattr(self, name) for name in sizes}
