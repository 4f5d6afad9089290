"""Hand examples to Keras: arrays as they are, windows and buckets in a stream."""

from __future__ import annotations

import itertools
import math
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
        shuffle_seed: Sets the order of windows and buckets, another one every epoch;
            None takes windows in order, and buckets from short to long (see
            `restore_order`). Keras shuffles arrays by itself.
    """
    if isinstance(examples.inputs, Windows):
        return {"x": stream_windows(examples, batch_size, shuffle_seed)}
    if examples.buckets is not None:
        return {"x": stream_buckets(examples, batch_size, shuffle_seed)}
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
    return _stream(order.batch(batch_size).map(cut))


def stream_buckets(
    examples: Examples, batch_size: int, shuffle_seed: int | None = None
) -> tf.data.Dataset:
    """Stream batches of sequences of like length, cut to what they need.

    Args:
        examples: Inputs int32, (num_examples, length), with buckets.
        batch_size: Examples per batch; one batch may be smaller.
        shuffle_seed: Sets the batches, others every epoch; None goes from short to
            long.

    Returns:
        Pairs of int32 (batch, steps), where steps is one of the edges, and targets.
    """
    import tensorflow as tf

    inputs, targets = tf.constant(examples.inputs), tf.constant(examples.targets)
    buckets = examples.buckets
    epochs = itertools.count()

    def draw(_: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        random = None
        if shuffle_seed is not None:
            random = np.random.default_rng([shuffle_seed, next(epochs)])
        drawn = buckets.cut_batches(batch_size, random)
        rows = np.zeros((len(drawn), batch_size), np.int64)
        for k, (batch, _) in enumerate(drawn):
            rows[k, : len(batch)] = batch
        sizes = np.array([len(batch) for batch, _ in drawn])
        return rows, sizes, np.array([steps for _, steps in drawn])

    def cut(
        rows: tf.Tensor, size: tf.Tensor, steps: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        rows = rows[:size]
        rows.set_shape((None,))
        whole = tf.gather(inputs, rows)
        part = whole[:, -steps:] if buckets.padding == "left" else whole[:, :steps]
        return part, tf.gather(targets, rows)

    def draw_epoch(number: tf.Tensor) -> tf.data.Dataset:
        # Not a generator: TensorFlow (2.21) sets malloc for one so that all memory of
        # a step goes back to the system and is fetched again, a sixth of the time.
        drawn = tf.numpy_function(draw, [number], [tf.int64] * 3)
        return tf.data.Dataset.from_tensor_slices(tuple(drawn))

    batches = tf.data.Dataset.range(1).flat_map(draw_epoch)
    number = math.ceil(len(examples) / batch_size)
    stream = batches.apply(tf.data.experimental.assert_cardinality(number))
    return _stream(stream.map(cut))


def restore_order(examples: Examples, predictions: np.ndarray) -> np.ndarray:
    """Put predictions from `feed` without a shuffle into the order of the examples."""
    if examples.buckets is None:
        return predictions
    restored = np.empty_like(predictions)
    restored[examples.buckets.order] = predictions
    return restored


def _stream(batches: tf.data.Dataset) -> tf.data.Dataset:
    """Return the batches made ahead of the training step.

    Without autotuning, which has nothing to tune here: its thread is not always woken
    when an epoch ends (TensorFlow 2.21), and the next waits for it, up to as long as
    the epoch took.
    """
    import tensorflow as tf

    options = tf.data.Options()
    options.autotune.enabled = False
    return batches.prefetch(2).with_options(options)


_LATEST: dict[str, Any] = {}


def _share(series: np.ndarray) -> tf.Tensor:
    """Return a series as a tensor, the same one for all parts of a split."""
    import tensorflow as tf

    if _LATEST.get("series") is not series:
        _LATEST.update(series=series, tensor=tf.constant(series))
    return _LATEST["tensor"]
