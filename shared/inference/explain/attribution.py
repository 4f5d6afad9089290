"""How much each input of one example moves an output: gradients along a path."""

from __future__ import annotations

import contextlib
import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

STEPS = 32  # of the path of integrated gradients


@dataclass(frozen=True)
class Attribution:
    """How much each step of an input adds to one output.

    Attributes:
        gradient: Gradient times input, (steps,) or (steps, features).
        integrated: Integrated gradients, of the same shape. Their sum is nearly the
            output at the example minus the output at the baseline.
        output: Output at the example.
        baseline: Output at the baseline.
    """

    gradient: np.ndarray
    integrated: np.ndarray
    output: float
    baseline: float

    def invert(self) -> Attribution:
        """Return the attribution of one minus the output."""
        return Attribution(
            -self.gradient, -self.integrated, 1 - self.output, 1 - self.baseline
        )


class TokenAttributor:
    """Attributes outputs of a network to the tokens of texts.

    The path leads from vectors of zeros to the vectors of the tokens. Where a token has
    several vectors (words and bigrams, several networks), their parts are added.
    Sundararajan, Taly and Yan 2017, ICML.
    """

    def __init__(self, model: keras.Model) -> None:
        """Prepare.

        Args:
            model: Token ids -> outputs, (batch, num_outputs), with Keras' own kernels.

        Raises:
            ValueError: If the model has no embedding layer.
        """
        import tensorflow as tf
        from keras import layers

        self._model = model
        self._embeddings = [
            one for one in model.layers if isinstance(one, layers.Embedding)
        ]
        if not self._embeddings:
            raise ValueError("the model has no embedding layer")
        self._compute = tf.function(self._differentiate, reduce_retracing=True)

    def attribute(self, ids: np.ndarray, outputs: np.ndarray) -> list[Attribution]:
        """Attribute one output of each text to its tokens.

        Args:
            ids: int32, (num_texts, steps).
            outputs: int, (num_texts,): which output.
        """
        import tensorflow as tf

        path = _make_path()
        values, products = self._compute(
            tf.constant(np.repeat(ids, len(path), axis=0)),
            tf.constant(np.tile(path, len(ids))),
            tf.constant(np.repeat(outputs, len(path)), tf.int32),
        )
        values = values.numpy().reshape(len(ids), len(path))
        products = products.numpy().reshape(len(ids), len(path), -1)
        return [
            Attribution(one[-1], _average(one), float(value[-1]), float(value[0]))
            for one, value in zip(products, values, strict=True)
        ]

    def _differentiate(
        self, ids: tf.Tensor, shares: tf.Tensor, which: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return outputs (rows,), and gradient times vector, (rows, steps)."""
        import tensorflow as tf

        ids = tf.ensure_shape(ids, (None, self._model.input_shape[1]))
        scaling = _scale_outputs(self._embeddings, shares)
        with scaling as seen, tf.GradientTape() as tape:
            seen.tape = tape
            found = self._model(ids, training=False)
            outputs = tf.gather(found, which, batch_dims=1)
        total = tf.zeros(tf.shape(ids), tf.float64)
        gradients = tape.gradient(outputs, seen.scaled)
        for gradient, vectors in zip(gradients, seen.whole, strict=True):
            if gradient is not None:  # else this output does not read the embedding
                product = tf.cast(gradient, tf.float64) * tf.cast(vectors, tf.float64)
                total += tf.reduce_sum(product, axis=-1)
        return tf.cast(outputs, tf.float64), total


def attribute_window(
    model: keras.Model,
    inputs: list[np.ndarray],
    baseline: list[np.ndarray],
    output: int,
) -> list[Attribution]:
    """Attribute one number of a forecast to the steps and columns of a window.

    Args:
        model: Windows -> forecasts, with Keras' own kernels.
        inputs: Each input of one example, (steps, features).
        baseline: Where the path starts, of the same shapes.
        output: Which number of the flat forecast.

    Returns:
        One for each input, (steps, features).
    """
    import tensorflow as tf

    shares = _make_path()[:, None, None]
    paths = [
        tf.constant((low + shares * (high - low)).astype(np.float32))
        for low, high in zip(baseline, inputs, strict=True)
    ]
    with tf.GradientTape() as tape:
        tape.watch(paths)
        outputs = model(paths if paths[1:] else paths[0], training=False)
        outputs = tf.reshape(outputs, (len(shares), -1))[:, output]
    found = []
    values = outputs.numpy()
    for by_input, low, high in zip(
        tape.gradient(outputs, paths), baseline, inputs, strict=True
    ):
        slope = np.zeros((len(shares), *high.shape))
        if by_input is not None:
            slope = by_input.numpy()
        found.append(
            Attribution(
                slope[-1] * high,
                _average(slope * (high - low)),
                float(values[-1]),
                float(values[0]),
            )
        )
    return found


def _make_path() -> np.ndarray:
    """Return the shares of the way: 0, the middles of equal parts, and 1."""
    middles = (np.arange(STEPS) + 0.5) / STEPS
    return np.concatenate([[0.0], middles, [1.0]]).astype(np.float32)


def _average(values: np.ndarray) -> np.ndarray:
    """Return the mean over the middles of the path."""
    return values[1:-1].mean(axis=0)


class _Seen:
    """What the embedding layers returned while they were watched."""

    def __init__(self) -> None:
        self.tape: tf.GradientTape | None = None
        self.whole: list[tf.Tensor] = []
        self.scaled: list[tf.Tensor] = []


@contextlib.contextmanager
def _scale_outputs(embeddings: list[keras.Layer], shares: tf.Tensor) -> Iterator[_Seen]:
    """Let embedding layers return their vectors times a share for each row, (rows,)."""
    import tensorflow as tf

    seen, kept = _Seen(), [layer.call for layer in embeddings]

    def patch(layer: keras.Layer) -> None:
        plain = layer.call

        def call(_: Any, *inputs: Any, **options: Any) -> tf.Tensor:
            vectors = plain(*inputs, **options)
            # The mask of the layer belongs to the vectors that it returns.
            scaled = vectors * tf.cast(shares[:, None, None], vectors.dtype)
            seen.tape.watch(scaled)
            seen.whole.append(vectors)
            seen.scaled.append(scaled)
            return scaled

        layer.call = types.MethodType(call, layer)

    for layer in embeddings:
        patch(layer)
    try:
        yield seen
    finally:
        for layer, call in zip(embeddings, kept, strict=True):
            layer.call = call
