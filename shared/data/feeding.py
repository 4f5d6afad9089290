"""Hand examples to Keras: arrays as they are, windows in a stream cut on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from shared.data.splits import Examples
from shared.data.windows import Windows

if TYPE_CHECKING:
    import tensorflow as tf


def feed(
    examples: Examples, batch_size: int, shuffle_seed: int | None = None
) -> dict[str, Any]:
    """Return the arguments of `fit` and `evaluate` for some examples.

    Args:
        examples: Inputs as an array or as windows.
        batch_size: Examples per batch.
        shuffle_seed: Sets the order of windows, another one every epoch; None keeps
            them in order. Keras shuffles arrays by itself.
    """
    if isinstance(examples.inputs, Windows):
        return {"x": stream_windows(examples, batch_size, shuffle_seed)}
    return {"x": examples.inputs, "y": examples.targets, "batch_size": batch_size}


def stream_windows(
    examples: Examples, batch_size: int, shuffle_seed: int | None = None
) -> tf.data.Dataset:
    """Stream batches of windows and targets.

    Args:
        examples: Inputs are windows; targets (num_windows,).
        batch_size: Windows per batch; the last batch may be smaller.
        shuffle_seed: Sets the order, another one every epoch; None keeps it.

    Returns:
        Pairs of float32 (batch, steps, features) and targets (batch,).
    """
    import tensorflow as tf

    windows = examples.inputs
    series = _share(windows.series)
    starts = tf.constant(windows.starts)
    offsets = tf.constant(windows.offsets)
    targets = tf.constant(examples.targets)

    def cut(which: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        rows = tf.gather(starts, which)[:, None] + offsets
        return tf.gather(series, rows), tf.gather(targets, which)

    order = tf.data.Dataset.range(len(examples))
    if shuffle_seed is not None:
        order = order.shuffle(len(examples), seed=shuffle_seed)
    return order.batch(batch_size).map(cut).prefetch(2)


_LATEST: dict[str, Any] = {}


def _share(series: np.ndarray) -> tf.Tensor:
    """Return a series as a tensor, the same one for all parts of a split."""
    import tensorflow as tf

    if _LATEST.get("series") is not series:
        _LATEST.update(series=series, tensor=tf.constant(series))
    return _LATEST["tensor"]
