"""Lookups of numbers that every format can compute: a search by halves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from shared.data.padding import START
from shared.layers.ngrams import NgramModel

BEHIND = np.iinfo(np.int64).max  # behind every code
Table = Callable[[Any], Any]
"""Places -> the rows there."""


def use_plain_lookups(model: keras.Model) -> keras.Model:
    """Return the same network for prediction, without hash tables and sorting."""
    return keras.models.clone_model(
        model, clone_function=lambda layer: layer, call_function=_call
    )


def use_keras_lookups(model: keras.Model) -> keras.Model:
    """Return the same network for prediction, with its n-grams in Keras' own layers."""

    def call(layer: keras.Layer, *arguments: Any, **options: Any) -> Any:
        if isinstance(layer, NgramModel):
            return _Ngrams(layer, _keep_in_layer).call(*arguments)
        return layer(*arguments, **options)

    return keras.models.clone_model(
        model, clone_function=lambda layer: layer, call_function=call
    )


def _call(layer: keras.Layer, *arguments: Any, **options: Any) -> Any:
    if isinstance(layer, layers.IntegerLookup):
        return _Lookup(layer)(*arguments)
    if isinstance(layer, NgramModel):
        return _Ngrams(layer)(*arguments)
    return layer(*arguments, **options)


def _keep(values: np.ndarray) -> Table:
    """Return a table of constants."""
    return lambda places: ops.take(ops.convert_to_tensor(values), places, axis=0)


def _keep_in_layer(values: np.ndarray) -> Table:
    """Return a table whose rows are the weights of an embedding layer."""
    rows = values.reshape(len(values), -1)
    layer = layers.Embedding(*rows.shape, "zeros", dtype=rows.dtype.name)
    layer.trainable = False
    layer.build()
    layer.set_weights([rows])
    return lambda places: layer(places)[..., 0] if values.ndim == 1 else layer(places)


class _Search:
    """Finds numbers in a sorted list.

    Args:
        keys: int64, (num_keys,), increasing.
        keep: Makes a table of them.
    """

    def __init__(
        self, keys: np.ndarray, keep: Callable[[np.ndarray], Table] = _keep
    ) -> None:
        self._bits = max(1, len(keys).bit_length())
        padding = np.full(2**self._bits - len(keys), BEHIND)
        self._keys = keep(np.concatenate([keys, padding]).astype(np.int64))

    def find(self, codes: Any) -> tuple[Any, Any]:
        """Return the place of each code, int32, and whether it is there."""
        place = ops.zeros_like(codes, dtype="int32")
        for bit in reversed(range(self._bits)):
            probe = place + 2**bit
            fits = ops.less_equal(self._keys(probe), codes)
            place = ops.where(fits, probe, place)
        return place, ops.equal(self._keys(place), codes)


class _Lookup(keras.Layer):
    """Returns the index of each number as an `IntegerLookup` does."""

    def __init__(self, inner: layers.IntegerLookup) -> None:
        super().__init__(name=f"{inner.name}_search")
        keys = np.array(inner.get_vocabulary()[1:], np.int64)
        order = np.argsort(keys)
        self._search = _Search(keys[order])
        self._indices = (order + 1).astype(np.int64)

    def call(self, codes: Any) -> Any:
        place, known = self._search.find(ops.cast(codes, "int64"))
        place = ops.minimum(place, len(self._indices) - 1)
        indices = ops.take(ops.convert_to_tensor(self._indices), place)
        return ops.where(known, indices, ops.zeros_like(indices))

    def compute_output_spec(self, codes: Any) -> keras.KerasTensor:
        return keras.KerasTensor(codes.shape, "int64")


class _Ngrams(keras.Layer):
    """Returns the probabilities of an `NgramModel`."""

    def __init__(
        self, inner: NgramModel, keep: Callable[[np.ndarray], Table] = _keep
    ) -> None:
        super().__init__(name=f"{inner.name}_search")
        self._inner = inner
        self._search = _Search(ops.convert_to_numpy(inner.codes), keep)
        self._weights = keep(ops.convert_to_numpy(inner.weights_of))
        self._biases = ops.convert_to_numpy(inner.biases)

    def call(self, ids: Any) -> Any:
        inner = self._inner
        ids = ops.cast(ids, "int64")
        tokens, real = ids + 1, ids > START
        code, inside = tokens, real
        is_first = inner.mark_first(real)
        sums = 0.0
        for n in range(inner.longest):
            if n:
                code = code[:, :-1] * inner.base + tokens[:, n:]
                inside = ops.logical_and(inside[:, :-1], real[:, n:])
            sums = sums + self._add_up(code, inside)
            if inner.first:
                marked = ops.logical_and(inside, is_first[:, n:])
                sums = sums + self._add_up(-code, marked)
        shares = ops.sigmoid(sums + self._biases)
        if inner.num_models == 1:
            return ops.concatenate([1 - shares, shares], axis=1)
        return shares / ops.sum(shares, axis=1, keepdims=True)

    def _add_up(self, codes: Any, inside: Any) -> Any:
        """Return the sum of the weights of all different codes of each text."""
        places, known = self._search.find(codes)
        places = ops.minimum(places, self._inner.num_ngrams - 1)
        same = ops.equal(
            ops.expand_dims(codes, 2), ops.expand_dims(codes, 1)
        )  # (batch, n, n)
        earlier = ops.tril(ops.cast(same, "float32"), -1)
        is_first = ops.sum(earlier, axis=2) < 0.5
        counts = ops.logical_and(ops.logical_and(known, inside), is_first)
        rows = self._weights(places)
        weights = ops.expand_dims(ops.cast(counts, "float32"), 2)
        return ops.sum(rows * weights, axis=1)

    def compute_output_spec(self, ids: Any) -> keras.KerasTensor:
        return keras.KerasTensor(self._inner.compute_output_shape(ids.shape))
