"""Run Keras' own recurrent layers on the compiled loop of `shared.kernels.loop`.

The layer stays the one Keras built. It keeps its weights, its dropout draws and its
saved form. Only its loop over the steps is replaced. Outputs and gradients equal those
of Keras' loop up to rounding (tests/kernels/test_compiled.py).
"""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.core.text import shorten
from shared.core.waiting import say_while
from shared.kernels.ahead import forget_other_code, wait_for_compiling
from shared.kernels.loop import kinds
from shared.kernels.parts import LEARNED, Loop, go_back, read_batch
from shared.layers.recurrent import COMPILED_ACTIVATIONS

if TYPE_CHECKING:
    import keras
    import tensorflow as tf


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

    if isinstance(layer, layers.GRU):
        kind = kinds.GRU if layer.reset_after else kinds.GRU_RESET_BEFORE
    else:
        kind = kinds.LSTM if isinstance(layer, layers.LSTM) else kinds.SIMPLE_RNN
    gates = layer.activation if kind == kinds.SIMPLE_RNN else layer.recurrent_activation
    loop = Loop(
        kind,
        COMPILED_ACTIVATIONS.index(layer.activation.__name__),
        COMPILED_ACTIVATIONS.index(gates.__name__),
    )
    layer.inner_loop = types.MethodType(functools.partial(_inner_loop, loop), layer)
    _find_loop()
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

    cell = layer.cell
    mask = mask[0] if isinstance(mask, list | tuple) else mask
    mask = None if mask is None else tf.cast(mask, tf.bool)
    x_masks = cell.get_dropout_mask(sequences[:, 0, :]) if training else None
    h_masks = cell.get_recurrent_dropout_mask(initial_state[0]) if training else None
    if layer.go_backwards:
        sequences = tf.reverse(sequences, [1])
        mask = None if mask is None else tf.reverse(mask, [1])

    width, kernel = layer.units, tf.convert_to_tensor(cell.recurrent_kernel)
    inputs = {"x": sequences, "h0": initial_state[0]}
    if loop.kind == kinds.LSTM:
        inputs["c0"] = initial_state[1]
    inputs["x_weights"], inputs["h_weights"] = cell.kernel, kernel
    x_masks, h_masks = _list_masks(x_masks), _list_masks(h_masks)
    if cell.bias is not None:
        bias = tf.convert_to_tensor(cell.bias)
        biases = tf.unstack(bias) if len(bias.shape) == 2 else [bias]
        inputs |= dict(zip(("x_bias", "h_bias"), biases, strict=False))
    if loop.kind == kinds.GRU_RESET_BEFORE:
        inputs["h_weights"] = kernel[:, : 2 * width]
        inputs["last_weights"] = kernel[:, 2 * width :]
        if h_masks:
            inputs["last_mask"] = h_masks.pop()
    if mask is not None:
        inputs["mask"] = mask
    if x_masks:
        inputs["x_masks"] = tf.stack(x_masks)
    if h_masks:
        inputs["h_masks"] = tf.stack(h_masks)
    last, states, state, cell_state = _run(
        loop, layer.return_sequences, keep=bool(training), **inputs
    )
    if mask is not None:
        # Keras returns 0 where nothing was read, whatever the initial state.
        some = tf.reduce_any(mask, 1, keepdims=True)
        if layer.zero_output_for_mask:
            some = mask[:, -1:]
            states = tf.where(mask[:, :, None], states, tf.zeros_like(states))
        last = tf.where(some, last, tf.zeros_like(last))
    kept = [state, cell_state] if loop.kind == kinds.LSTM else [state]
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
        **inputs: See `parts.complete`.

    Returns:
        The last state, all states (only the last without `sequences`), and both
        states after the last step.
    """
    import tensorflow as tf

    learned = [name for name in LEARNED if name in inputs]
    names = [*learned, *(name for name in inputs if name not in LEARNED)]
    inputs = {name: tf.convert_to_tensor(inputs[name]) for name in names}
    dtype = inputs["x"].dtype
    batch, steps, _ = inputs["x"].shape
    width = inputs["h0"].shape[-1]

    def call(function: Callable, arrays: Sequence[tf.Tensor], outputs: int) -> list:
        # Not stateful: only the arrays decide the result, so calls need no order.
        return tf.numpy_function(function, arrays, [dtype] * outputs, stateful=False)

    @tf.custom_gradient
    def recurrence(*tensors: tf.Tensor) -> tuple:
        arrays = [*tensors, *(inputs[name] for name in names[len(learned) :])]
        states, h, c, *kept = call(
            functools.partial(read_batch, loop, names, sequences, keep), arrays, 5
        )
        states.set_shape((batch, steps if sequences else 0, width))
        h.set_shape((batch, width))
        c.set_shape((batch, width) if loop.kind == kinds.LSTM else (0, 0))

        def gradient(*upstream: tf.Tensor) -> list[tf.Tensor]:
            values = kept
            if not keep:
                again = functools.partial(read_batch, loop, names, False, True)
                *_, past, saved = call(again, arrays, 5)
                values = [past, saved]
            gradients = call(
                functools.partial(go_back, loop, names),
                [*arrays, *values, *upstream],
                len(learned),
            )
            for gradient, tensor in zip(gradients, tensors, strict=True):
                gradient.set_shape(tensor.shape)
            return gradients

        return ((h, c, states) if sequences else (h, c)), gradient

    h, c, *rest = recurrence(*(inputs[name] for name in learned))
    return h, rest[0] if rest else h[:, None], h, c


def _limit_blas() -> None:
    """Limit BLAS to one thread, so that the number of cores changes no bit.

    The loop calls no BLAS, but data and baselines may. Only the thread that set the
    limit first may change it (threadpoolctl 3.7). So it is set before TensorFlow calls
    the loop, which it does from other threads.
    """
    import scipy.linalg.cython_blas  # noqa: F401  load it, then limit
    from threadpoolctl import threadpool_limits

    threadpool_limits(1, user_api="blas")


@functools.cache
def _find_loop() -> None:
    """Forget what was compiled from older files, before the loop is first called."""
    from shared.kernels.loop.forward import run_forward

    forget_other_code(Path(run_forward.stats.cache_path))
