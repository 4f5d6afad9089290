"""Run Keras' own recurrent layers on the compiled loop of `shared.kernels.loops`.

The layer stays the one Keras built. It keeps its weights, its dropout draws and its
saved form. Only its loop over the steps is replaced. Outputs and gradients equal those
of Keras' loop up to rounding (tests/kernels/test_compiled.py). The batch is cut into
parts of `ROWS` rows, whatever the number of cores, and the gradients of the parts are
summed in order. So the number of cores changes no result.
"""

from __future__ import annotations

import functools
import itertools
import math
import types
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.core.environment import count_threads
from shared.core.text import shorten
from shared.core.waiting import say_while
from shared.kernels.ahead import wait_for_compiling
from shared.layers.recurrent import COMPILED_ACTIVATIONS

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

ROWS = 16  # rows per call: enough for fast products, few enough for the cache
WIDE = 128  # units; above it a call reads WIDE_ROWS: the weights exceed the cache
WIDE_ROWS = 64  # at most
ALIGNMENT = 64  # bytes; TensorFlow copies arrays with another alignment


@dataclass(frozen=True)
class Loop:
    """What the compiled loop must know about a layer.

    Attributes:
        kind: Number of the cell in `shared.kernels.loops`.
        activation: Number of the candidate's activation.
        gate_activation: Number of the gates' activation.
    """

    kind: int
    activation: int
    gate_activation: int


@functools.cache
def prepare_loop() -> None:
    """Compile the loop for this processor, or load what an earlier run compiled."""
    import tensorflow as tf
    from keras import layers

    with say_while("Compiling the loop over the steps for this processor (only once)"):
        wait_for_compiling()
        # Draws no random numbers, so those of the run stay the same.
        zeros = {"kernel_initializer": "zeros", "recurrent_initializer": "zeros"}
        layer = layers.GRU(2, seed=0, dtype="float32", **zeros)
        use_compiled_loop(layer)
        with tf.GradientTape() as tape:
            states = layer(tf.zeros((1, 3, 2)), training=True)
        tape.gradient(states, [variable.value for variable in layer.variables[:1]])


@functools.cache
def find_problem() -> str:
    """Return why the compiled loop cannot run here; empty if it can.

    Compiles the loop, if no earlier run has.
    """
    try:
        import numba

        if numba.config.DISABLE_JIT:
            return "NUMBA_DISABLE_JIT is set"
        prepare_loop()
    except Exception as error:  # Numba, LLVM and the linker raise errors of all kinds
        return shorten(f"{type(error).__name__}: {error}")
    return ""


def use_compiled_loop(layer: keras.Layer) -> None:
    """Set a SimpleRNN, LSTM or GRU layer to run on the compiled loop.

    Args:
        layer: `Traits.list_unsupported_options` must find nothing for it.
    """
    from keras import layers

    from shared.kernels import loops

    if isinstance(layer, layers.GRU):
        kind = loops.GRU if layer.reset_after else loops.GRU_RESET_BEFORE
    else:
        kind = loops.LSTM if isinstance(layer, layers.LSTM) else loops.SIMPLE_RNN
    gates = layer.activation if kind == loops.SIMPLE_RNN else layer.recurrent_activation
    loop = Loop(
        kind,
        COMPILED_ACTIVATIONS.index(layer.activation.__name__),
        COMPILED_ACTIVATIONS.index(gates.__name__),
    )
    layer.inner_loop = types.MethodType(functools.partial(_inner_loop, loop), layer)
    _limit_blas()


def use_keras_loop(layer: keras.Layer) -> None:
    """Set a layer to run on its own loop again."""
    vars(layer).pop("inner_loop", None)


def runs_compiled(layer: keras.Layer) -> bool:
    """Return whether a layer runs on the compiled loop."""
    return "inner_loop" in vars(layer)


def _inner_loop(
    loop: Loop,
    layer: keras.Layer,
    sequences: tf.Tensor,
    initial_state: Sequence[tf.Tensor],
    mask: tf.Tensor | None,
    training: bool = False,
) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]:
    """Replace `keras.layers.RNN.inner_loop`.

    Args:
        loop: What to run.
        layer: The layer that owns the loop.
        sequences: (batch, steps, features).
        initial_state: One or (LSTM) two of (batch, units).
        mask: bool, (batch, steps), or a list of it, or None.
        training: Whether dropout is on.

    Returns:
        Last output (batch, units), outputs of all steps, states after the last.
    """
    import tensorflow as tf

    from shared.kernels import loops

    cell = layer.cell
    mask = mask[0] if isinstance(mask, list | tuple) else mask
    mask = None if mask is None else tf.cast(mask, tf.bool)
    x_masks = cell.get_dropout_mask(sequences[:, 0, :]) if training else None
    h_masks = cell.get_recurrent_dropout_mask(initial_state[0]) if training else None
    if layer.go_backwards:
        sequences = tf.reverse(sequences, [1])
        mask = None if mask is None else tf.reverse(mask, [1])

    batch, width = tf.shape(sequences)[0], layer.units
    dtype = sequences.dtype
    recurrent_kernel = tf.convert_to_tensor(cell.recurrent_kernel)
    kernel = tf.convert_to_tensor(cell.kernel)
    zeros = tf.zeros((kernel.shape[1],), dtype)
    x_bias, h_bias = zeros, zeros
    if cell.bias is not None:
        bias = tf.convert_to_tensor(cell.bias)
        x_bias, h_bias = tf.unstack(bias) if len(bias.shape) == 2 else (bias, zeros)
    x_masks, h_masks = _list_masks(x_masks), _list_masks(h_masks)
    last_kernel, last_mask = tf.zeros((0, 0), dtype), tf.zeros((0, 0), dtype)
    if loop.kind == loops.GRU_RESET_BEFORE:
        last_kernel = recurrent_kernel[:, 2 * width :]
        last_mask = h_masks[-1] if h_masks else tf.ones((batch, width), dtype)
        recurrent_kernel = recurrent_kernel[:, : 2 * width]
        h_masks, h_bias = h_masks[:2], h_bias[: 2 * width]
    no_mask = tf.zeros((0, batch, 0), dtype)

    last, states, state, cell_state = _run(
        loop,
        layer.return_sequences,
        keep=bool(training),
        x=sequences,
        h0=initial_state[0],
        c0=initial_state[-1],
        x_weights=kernel,
        h_weights=recurrent_kernel,
        last_weights=last_kernel,
        x_bias=x_bias,
        h_bias=h_bias,
        mask=tf.ones(tf.shape(sequences)[:2], tf.bool) if mask is None else mask,
        x_masks=tf.stack(x_masks) if x_masks else no_mask,
        h_masks=tf.stack(h_masks) if h_masks else no_mask,
        last_mask=last_mask,
    )
    if mask is not None:
        # Keras returns 0 where nothing was read, whatever the initial state.
        some = tf.reduce_any(mask, 1, keepdims=True)
        if layer.zero_output_for_mask:
            some = mask[:, -1:]
            states = tf.where(mask[:, :, None], states, tf.zeros_like(states))
        last = tf.where(some, last, tf.zeros_like(last))
    kept = [state, cell_state] if loop.kind == loops.LSTM else [state]
    return last, states, kept


def _list_masks(masks: Any) -> list[tf.Tensor]:
    """Return Keras' dropout masks as a list: none, one for all gates, one per gate."""
    if masks is None:
        return []
    return list(masks) if isinstance(masks, list | tuple) else [masks]


def _run(
    loop: Loop, sequences: bool, keep: bool, **inputs: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    """Add the compiled loop, with its gradient, to TensorFlow's graph.

    Args:
        loop: What to run.
        sequences: Whether to return the states of all steps.
        keep: Whether to save what the backward pass needs. Without it, the backward
            pass reads the batch once more.
        **inputs: The arguments of `run_forward` by name; `h0` and `c0` for `h`, `c`.
            Weights and biases are in Keras' form.

    Returns:
        The last state, all states (only the last without `sequences`), and both
        states after the last step.
    """
    import tensorflow as tf

    names = list(inputs)
    learned = [
        "x", "h0", "c0", "x_weights", "h_weights", "last_weights", "x_bias", "h_bias",
    ]  # fmt: skip
    dtype = inputs["x"].dtype
    batch, steps, _ = inputs["x"].shape
    width = inputs["h0"].shape[-1]

    def call(function: Callable, arrays: Sequence[tf.Tensor], outputs: int) -> list:
        # Not stateful: only the arrays decide the result, so calls need no order.
        return tf.numpy_function(function, arrays, [dtype] * outputs, stateful=False)

    @tf.custom_gradient
    def recurrence(*tensors: tf.Tensor) -> tuple:
        arrays = [*tensors, *(inputs[name] for name in names if name not in learned)]
        states, h, c, *kept = call(
            functools.partial(_forward, loop, names, sequences, keep), arrays, 5
        )
        states.set_shape((batch, steps if sequences else 0, width))
        h.set_shape((batch, width))
        c.set_shape((batch, width))

        def gradient(*upstream: tf.Tensor) -> list[tf.Tensor]:
            values = kept
            if not keep:
                again = functools.partial(_forward, loop, names, False, True)
                *_, past, saved = call(again, arrays, 5)
                values = [past, saved]
            d_states = upstream[2] if sequences else tf.zeros((0, 0, 0), dtype)
            gradients = call(
                functools.partial(_backward, loop, names),
                [*arrays, *values, d_states, upstream[0], upstream[1]],
                len(learned),
            )
            for gradient, tensor in zip(gradients, tensors, strict=True):
                gradient.set_shape(tensor.shape)
            return gradients

        return ((h, c, states) if sequences else (h, c)), gradient

    assert names[: len(learned)] == learned
    h, c, *rest = recurrence(*(inputs[name] for name in learned))
    return h, rest[0] if rest else h[:, None], h, c


def _forward(
    loop: Loop, names: Sequence[str], sequences: bool, keep: bool, *arrays: np.ndarray
) -> list[np.ndarray]:
    """Read a batch, its parts in parallel."""
    from shared.kernels import loops
    from shared.kernels.layout import order_gates, pack, round_up, spread, spread_bias

    named = dict(zip(names, arrays, strict=True))
    x, h, c = named["x"], named["h0"].copy(), named["c0"].copy()
    batch, steps, _ = x.shape
    units = h.shape[1]
    width, order = round_up(units, x.dtype), order_gates(loop.kind)
    h_blocks = loops.BLOCKS[loop.kind][3]
    x_masks, h_masks = _order_masks(named["x_masks"], order), named["h_masks"]
    x_weights = pack(spread(named["x_weights"], order, width), max(1, len(x_masks)))
    h_weights = spread(named["h_weights"], range(h_blocks), width)
    h_weights = pack(h_weights, max(1, len(h_masks)))
    last_weights = pack(spread(named["last_weights"], (0,), width))
    bias = spread_bias(loop.kind, named["x_bias"], named["h_bias"], width)
    states = _allocate((batch, steps if sequences else 0, units), x.dtype)
    past = _allocate((batch * (steps + 1) * width if keep else 0,), x.dtype)
    saved = loops.SAVED[loop.kind] * width
    saved = _allocate((batch * steps * saved if keep else 0,), x.dtype)

    def read(place: int, rows: np.ndarray) -> None:
        loops.run_forward(
            loop.kind, loop.activation, loop.gate_activation, rows, place, width,
            x.reshape(-1), x.shape[2], named["mask"], x_masks, h_masks,
            named["last_mask"], x_weights, h_weights, last_weights, bias, h, c,
            states.reshape(-1), past, saved,
        )  # fmt: skip

    _map(read, _cut_rows(named["mask"], units))
    return [states, h, c, past, saved]


def _backward(
    loop: Loop, names: Sequence[str], *arrays: np.ndarray
) -> list[np.ndarray]:
    """Go back over a batch and return the gradients of what is learned."""
    from shared.kernels import loops
    from shared.kernels.layout import (
        gather,
        order_gates,
        pack_transposed,
        round_up,
        spread,
    )

    named = dict(zip(names, arrays[: len(names)], strict=True))
    past, saved, d_states, d_h, d_c = arrays[len(names) :]
    x, d_h, d_c = named["x"], d_h.copy(), d_c.copy()
    features, units = x.shape[2], d_h.shape[1]
    width, order = round_up(units, x.dtype), order_gates(loop.kind)
    blocks, gates, first_block, h_blocks = loops.BLOCKS[loop.kind]
    x_masks, h_masks = _order_masks(named["x_masks"], order), named["h_masks"]
    x_weights, h_weights, last_weights = (
        pack_transposed(spread(named[name], gate_order, width), max(1, parts))
        for name, gate_order, parts in (
            ("x_weights", order, len(x_masks)),
            ("h_weights", range(h_blocks), len(h_masks)),
            ("last_weights", (0,), 1),
        )
    )
    d_x = _allocate(x.shape, x.dtype)
    last_units = len(named["last_weights"])
    sizes = (features * gates, units * h_blocks, last_units, blocks)

    def go_back(place: int, rows: np.ndarray) -> list[np.ndarray]:
        sums = [np.zeros(size * width, x.dtype) for size in sizes]
        loops.run_backward(
            loop.kind, loop.activation, loop.gate_activation, rows, place, width,
            x.reshape(-1), features, named["mask"], x_masks, h_masks,
            named["last_mask"], x_weights, h_weights, last_weights, past, saved,
            d_states.reshape(-1), d_h, d_c, d_x.reshape(-1), *sums,
        )  # fmt: skip
        return sums

    parts = _map(go_back, _cut_rows(named["mask"], units))
    if not parts:
        parts = [[np.zeros(size * width, x.dtype) for size in sizes]]
    d_x_weights, d_h_weights, d_last_weights, d_bias = (
        functools.reduce(np.add, part) for part in zip(*parts, strict=True)
    )
    d_bias = d_bias.reshape(1, blocks, width)
    return [
        d_x,
        d_h,
        d_c,
        gather(d_x_weights.reshape(features, gates, width), order, units),
        gather(d_h_weights.reshape(units, h_blocks, width), range(h_blocks), units),
        gather(d_last_weights.reshape(-1, 1, width), (0,), last_units),
        gather(d_bias[:, :gates], order, units)[0],
        gather(d_bias[:, first_block:], range(h_blocks), units)[0],
    ]


def _order_masks(masks: np.ndarray, order: Sequence[int]) -> np.ndarray:
    """Return the dropout masks of the inputs in the order of the loop's blocks."""
    return masks[list(order)] if len(masks) > 1 else masks


def _cut_rows(mask: np.ndarray, width: int) -> list[np.ndarray]:
    """Cut the rows of a batch into parts; rows of similar length share a part."""
    order = np.argsort(mask.sum(1), kind="stable")
    rows = ROWS
    if width > WIDE:  # two parts at least, one for each of two cores
        rows = min(max(math.ceil(len(order) / 2), ROWS), WIDE_ROWS)
    return [order[start : start + rows] for start in range(0, len(order), rows)]


def _map(work: Callable, parts: Sequence[np.ndarray]) -> list:
    """Do the work on every part, on all cores, the longest part first.

    Args:
        work: Takes how many rows the earlier parts have, and the rows of the part.
        parts: From `_cut_rows`.
    """
    places = [0, *itertools.accumulate(len(part) for part in parts)]
    tasks = list(zip(places, parts, strict=False))
    if len(parts) == 1 or count_threads() == 1:
        return [work(*task) for task in tasks]
    waiting = [_pool(count_threads()).submit(work, *task) for task in reversed(tasks)]
    return [done.result() for done in reversed(waiting)]


def _limit_blas() -> None:
    """Limit BLAS to one thread, so that the number of cores changes no bit.

    Only the thread that set the limit first may change it (threadpoolctl 3.7). So it is
    set before TensorFlow calls the loop, which it does from other threads.
    """
    import scipy.linalg.cython_blas  # noqa: F401  Numba calls it; load, then limit
    from threadpoolctl import threadpool_limits

    threadpool_limits(1, user_api="blas")


@functools.cache
def _pool(threads: int) -> ThreadPoolExecutor:
    """Return the pool of threads of this process."""
    return ThreadPoolExecutor(threads, thread_name_prefix="loop")


def _allocate(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Return an array that TensorFlow uses without a copy."""
    size = int(np.prod(shape)) * dtype.itemsize
    memory = np.empty(size + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size].view(dtype).reshape(shape)
