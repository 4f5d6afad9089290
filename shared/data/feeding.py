"""Feed examples to Keras: arrays unchanged, windows and buckets as a stream."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.data.splits import Examples
from shared.data.windows import FutureSteps, Streams, Windows

if TYPE_CHECKING:
    import tensorflow as tf

ITERATORS = 2
"""Iterators over a stream that `fit` makes in each epoch: one that it reads, and one at
the end that it drops (Keras 3.15). Each draws an order of windows."""


def feed(
    examples: Examples,
    batch_size: int,
    shuffle_seed: int | None = None,
    first_epoch: int = 0,
) -> dict[str, Any]:
    """Return the arguments of `fit` and `evaluate` for some examples.

    Args:
        examples: Inputs as an array or as windows.
        batch_size: Examples per batch.
        shuffle_seed: Sets the order of windows and buckets, a new one every epoch. None
            takes windows in order, and buckets from short to long (see
            `restore_order`). Keras shuffles arrays itself.
        first_epoch: The first epoch that is read, counted from 0. Keras (3.15) draws
            the order of arrays from the global seed, for each epoch from the same
            state, so it is the same in every epoch.
    """
    if isinstance(examples.inputs, Streams):
        return {"x": stream_text(examples.inputs, batch_size, first_epoch)}
    if isinstance(examples.inputs, Windows):
        return {"x": stream_windows(examples, batch_size, shuffle_seed, first_epoch)}
    if examples.buckets is not None:
        return {"x": stream_buckets(examples, batch_size, shuffle_seed, first_epoch)}
    return {"x": examples.inputs, "y": examples.targets, "batch_size": batch_size}


def stream_windows(
    examples: Examples,
    batch_size: int,
    shuffle_seed: int | None = None,
    first_epoch: int = 0,
) -> tf.data.Dataset:
    """Stream batches of windows and targets.

    Args:
        examples: Inputs are windows; targets (num_windows, ...).
        batch_size: Windows per batch. The last batch may be smaller.
        shuffle_seed: Sets the order, a new one every epoch. None keeps the order.
        first_epoch: The first epoch that is read, counted from 0.

    Returns:
        Pairs of float32 (batch, steps, features) and targets (batch, ...). Where the
        future of some columns is known, the inputs are a pair too: the windows, and
        float32 (batch, horizon, num_known).
    """
    import tensorflow as tf

    windows = examples.inputs
    series = _share(windows.series)
    starts = tf.constant(windows.starts)
    offsets = tf.constant(windows.offsets)
    known = getattr(windows, "known", None)
    future = None if known is None else _share(known)
    find_targets = _gather_targets(examples.targets)

    def cut(which: tf.Tensor) -> tuple[Any, tf.Tensor]:
        first = tf.gather(starts, which)[:, None]
        inputs = tf.gather(series, first + offsets)
        if future is not None:
            inputs = inputs, tf.gather(future, first + windows.ahead)
        return inputs, find_targets(which)

    order = tf.data.Dataset.range(len(examples))
    if shuffle_seed is not None:
        order = order.shuffle(len(examples), seed=shuffle_seed)
    stream = _stream(order.batch(batch_size).map(cut))
    for _ in range(first_epoch * ITERATORS if shuffle_seed is not None else 0):
        iter(stream)  # draws an order
    return stream


def stream_text(
    streams: Streams, batch_size: int, first_epoch: int = 0
) -> tf.data.Dataset:
    """Stream batches of a text, each the continuation of the one before.

    Args:
        streams: Ids of the text.
        batch_size: Places at which the text is read side by side.
        first_epoch: The first epoch that is read, counted from 0.

    Returns:
        Pairs of int32 (batch, steps): ids, and the id after each. The next epoch goes
        on where this one ended.
    """
    import tensorflow as tf

    ids, rows = _share(streams.series), len(streams.series)
    ahead = np.arange(streams.steps + 1)
    epochs = itertools.count(first_epoch)

    def draw_epoch(number: tf.Tensor) -> tf.data.Dataset:
        starts = tf.numpy_function(
            lambda _: streams.place(batch_size, next(epochs)), [number], tf.int64
        )
        starts.set_shape((None, batch_size))
        return tf.data.Dataset.from_tensor_slices(starts)

    def cut(starts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        read = tf.gather(ids, (starts[:, None] + ahead) % rows)
        return read[:, :-1], read[:, 1:]

    batches = tf.data.Dataset.range(1).flat_map(draw_epoch)
    number = len(streams.place(batch_size, 0))
    stream = batches.apply(tf.data.experimental.assert_cardinality(number))
    return _stream(stream.map(cut))


def stream_buckets(
    examples: Examples,
    batch_size: int,
    shuffle_seed: int | None = None,
    first_epoch: int = 0,
) -> tf.data.Dataset:
    """Stream batches of sequences of similar length, cut to their longest one.

    Args:
        examples: Inputs int32, (num_examples, length), with buckets.
        batch_size: Examples per batch. One batch may be smaller.
        shuffle_seed: Sets the batches, new ones every epoch. None goes from short to
            long.
        first_epoch: The first epoch that is read, counted from 0.

    Returns:
        Pairs of int32 (batch, steps) and targets. `steps` is one of the edges.
    """
    import tensorflow as tf

    inputs, targets = tf.constant(examples.inputs), tf.constant(examples.targets)
    buckets = examples.buckets
    epochs = itertools.count(first_epoch)

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
        padded = tf.gather(inputs, rows)
        part = padded[:, -steps:] if buckets.padding == "left" else padded[:, :steps]
        return part, tf.gather(targets, rows)

    def draw_epoch(number: tf.Tensor) -> tf.data.Dataset:
        # Not a generator: for one, TensorFlow (2.21) makes malloc return the memory of
        # every step to the system and request it again: a sixth of the time.
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
    """Prepare the batches ahead of the training step.

    Autotuning is off, because there is nothing to tune. At the end of an epoch its
    thread does not always wake up (TensorFlow 2.21), and the next epoch waits for it,
    at most as long as the epoch took.
    """
    import tensorflow as tf

    options = tf.data.Options()
    options.autotune.enabled = False
    return batches.prefetch(2).with_options(options)


def _gather_targets(targets: np.ndarray | FutureSteps) -> Callable:
    """Return a function from numbers of examples to their targets."""
    import tensorflow as tf

    if not isinstance(targets, FutureSteps):
        tensor = tf.constant(targets)
        return lambda which: tf.gather(tensor, which)
    values, first = _share(targets.values), tf.constant(targets.first)
    steps = np.arange(targets.steps)
    return lambda which: tf.gather(values, tf.gather(first, which)[:, None] + steps)


_LATEST: list[tuple[np.ndarray, Any]] = []
MOST_SHARED = 3  # the inputs, the known future and the targets of one split


def _share(series: np.ndarray) -> tf.Tensor:
    """Return a series as a tensor, one for all parts of a split."""
    import tensorflow as tf

    for known, tensor in _LATEST:
        if known is series:
            return tensor
    del _LATEST[: len(_LATEST) - MOST_SHARED + 1]
    _LATEST.append((series, tf.constant(series)))
    return _LATEST[-1][1]
