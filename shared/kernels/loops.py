"""The loop over the steps, forward and backward, compiled for the processor by Numba.

One function reads a few rows of a batch from the first step to the last. Another goes
back and sums the gradients. Rows are independent, so several calls may run in parallel,
one per core. Three things make it fast:

- The weights and the states of a few rows stay in the core's cache.
- The BLAS library of SciPy projects the inputs of `CHUNK` steps in one product, and
  sums the gradients of the weights in one product.
- Steps at which every row is masked are skipped. Any length works without compiling
  again.

Arrays hold float32 or float64. `rows` counts the rows of a call, `width` is the size
of the state, `gates` is 1 for SimpleRNN, 3 for GRU and 4 for LSTM. The gates are in
Keras' order: GRU z, r, candidate; LSTM i, f, candidate, o. A dropout mask is the same
at all steps. There is none, one for all gates or one per gate, and the weights have
one block or one per gate: (blocks, inputs, gates * width / blocks).
"""

from __future__ import annotations

import math

import numba
import numpy as np
from numba.extending import overload

SIMPLE_RNN, LSTM, GRU, GRU_RESET_BEFORE = range(4)
LINEAR, TANH, SIGMOID, RELU = range(4)
GATES = {SIMPLE_RNN: 1, LSTM: 4, GRU: 3, GRU_RESET_BEFORE: 3}
SAVED = {SIMPLE_RNN: 0, LSTM: 5, GRU: 4, GRU_RESET_BEFORE: 3}
"""Values per unit and step that the backward pass needs besides the states."""
CHUNK = 16  # most steps projected together; more exceed the cache
QUICK = 1_000_000  # most multiplications that OpenBLAS does without packing
# Smaller gradients become 0: processors are slow with denormal numbers.
VANISHED, VANISHED_64 = 1e-20, 1e-290

# Fused products and fast divisions are allowed. NaN must stay visible.
OPTIONS = {
    "nogil": True,
    "cache": True,
    "error_model": "numpy",
    "fastmath": {"contract", "nsz", "arcp"},
}
_compile = numba.njit(**OPTIONS)
# No function assigns to a slice or picks rows by a list: Numba would also compile how
# to word the errors of that, which takes it seconds.
# Without reference counts, which took a third of the time in functions that cut
# slices. Such a function must not make arrays.
_compile_uncounted = numba.njit(_nrt=False, **OPTIONS)


def _tanh(value):
    """Return tanh(value). Numba compiles the function below in its place."""


@overload(_tanh)
def _overload_tanh(value):
    if value == numba.float64:
        return lambda value: math.tanh(value)

    def quick(value):
        # Odd over even polynomial, fitted to tanh on [0, 9] by least squares. The
        # weights were adjusted until the relative error (2e-8) was the same
        # everywhere. Beyond 9, tanh rounds to 1.
        x = np.float32(9) if value > np.float32(9) else value
        x = np.float32(-9) if x < np.float32(-9) else x
        s = x * x
        above = np.float32(1.335465632e-08)
        above = above * s + np.float32(2.060907743e-05)
        above = above * s + np.float32(3.495587766e-03)
        above = above * s + np.float32(1.338102531e-01)
        above = above * s + np.float32(9.999999794e-01)
        below = np.float32(7.776555863e-07)
        below = below * s + np.float32(3.285634276e-04)
        below = below * s + np.float32(2.587698074e-02)
        below = below * s + np.float32(4.671434090e-01)
        below = below * s + np.float32(1)
        x = x * above / below
        x = np.float32(1) if x > np.float32(1) else x
        return np.float32(-1) if x < np.float32(-1) else x

    return quick


@_compile_uncounted
def _activate(kind, values):
    """Apply an activation to a vector, in place."""
    zero, half = values.dtype.type(0), values.dtype.type(0.5)
    if kind == TANH:
        for j in range(len(values)):
            values[j] = _tanh(values[j])
    elif kind == SIGMOID:
        for j in range(len(values)):
            values[j] = half + half * _tanh(half * values[j])
    elif kind == RELU:
        for j in range(len(values)):
            values[j] = zero if values[j] < zero else values[j]


@_compile_uncounted
def _backward(kind, gradient, values):
    """Turn the gradient of activated values into that of their inputs, in place."""
    zero, one = values.dtype.type(0), values.dtype.type(1)
    if kind == TANH:
        for j in range(len(values)):
            gradient[j] *= one - values[j] * values[j]
    elif kind == SIGMOID:
        for j in range(len(values)):
            gradient[j] *= values[j] * (one - values[j])
    elif kind == RELU:
        for j in range(len(values)):
            gradient[j] = gradient[j] if values[j] > zero else zero


@_compile
def _project(inputs, masks, weights, out, dropped, block):
    """Write inputs (steps * rows, size) times weights into out (same, gates * width).

    The dropout masks, (0, 1 or gates; rows, size), are the same at every step.
    `dropped` and `block` are buffers for the inputs and for a block of the outputs.
    """
    if len(masks) == 0:
        np.dot(inputs, weights[0], out)
        return
    for b in range(len(masks)):
        _drop(inputs, masks, b, dropped)
        np.dot(dropped, weights[b], block)
        _put(block, out, b)


@_compile
def _project_back(gradient, masks, weights_t, out, dropped, block):
    """Turn the gradient of `out` into that of `inputs`; weights are transposed."""
    if len(masks) == 0:
        np.dot(gradient, weights_t[0], out)
        return
    for b in range(len(masks)):
        _take(gradient, b, block)
        np.dot(block, weights_t[b], dropped)
        _add_dropped(dropped, masks, b, out)


@_compile
def _add_weight_gradient(inputs, masks, gradient, out, dropped, block):
    """Add the gradient of the weights of `_project` to out (blocks, size, width)."""
    if len(masks) == 0:
        _add_to(np.dot(inputs.T, gradient), out[0])
        return
    for b in range(len(masks)):
        _drop(inputs, masks, b, dropped)
        _take(gradient, b, block)
        _add_to(np.dot(dropped.T, block), out[b])


@_compile_uncounted
def _drop(inputs, masks, b, out):
    """Write inputs (steps * rows, size) times mask b of each row into out."""
    rows = masks.shape[1]
    for start in range(0, len(inputs), rows):
        for k in range(rows):
            for j in range(inputs.shape[1]):
                out[start + k, j] = inputs[start + k, j] * masks[b, k, j]


@_compile_uncounted
def _add_dropped(values, masks, b, out):
    """Write values (steps * rows, size) times mask b into out; add where b > 0."""
    rows = masks.shape[1]
    for start in range(0, len(values), rows):
        for k in range(rows):
            if b == 0:
                for j in range(values.shape[1]):
                    out[start + k, j] = values[start + k, j] * masks[b, k, j]
            else:
                for j in range(values.shape[1]):
                    out[start + k, j] += values[start + k, j] * masks[b, k, j]


@_compile_uncounted
def _put(block, out, b):
    """Copy block b into its columns of out."""
    width = block.shape[1]
    for k in range(len(block)):
        for j in range(width):
            out[k, b * width + j] = block[k, j]


@_compile_uncounted
def _take(values, b, out):
    """Copy the columns of block b into out."""
    width = out.shape[1]
    for k in range(len(out)):
        for j in range(width):
            out[k, j] = values[k, b * width + j]


@_compile_uncounted
def _add_to(values, out):
    """Add a matrix to out."""
    for k in range(len(out)):
        for j in range(out.shape[1]):
            out[k, j] += values[k, j]


@_compile_uncounted
def _read(batch, rows, t, out):
    """Copy step t of some rows of a batch (batch, steps, values) into out."""
    for k in range(len(rows)):
        i = rows[k]
        for j in range(out.shape[1]):
            out[k, j] = batch[i, t, j]


@_compile_uncounted
def _write(values, begins, batch, rows, t):
    """Copy values into step t of some rows of a batch, or 0 before a row begins."""
    for k in range(len(rows)):
        i = rows[k]
        for j in range(values.shape[1]):
            batch[i, t, j] = values[k, j] if t >= begins[k] else 0


@_compile
def _choose_chunk(rows, features, width, wide):
    """Return how many steps to project together: CHUNK, or down to half if faster.

    Where even half is not a fast product (`wide` is a block's width), CHUNK is better.
    """
    chunk = QUICK // (rows * max(features, width) * wide)
    return chunk if CHUNK // 2 <= chunk < CHUNK else CHUNK


@_compile_uncounted
def _find_steps(mask, rows, begins):
    """Find which steps are read, and write the first one of each row into begins.

    Returns:
        The first step that any row reads, and one past the last.
    """
    steps = mask.shape[1]
    first, stop = steps, 0
    for k in range(len(rows)):
        begins[k] = steps
        for t in range(steps):
            if mask[rows[k], t]:
                begins[k] = min(begins[k], t)
                stop = max(stop, t + 1)
        first = min(first, begins[k])
    return first, stop


@_compile_uncounted
def _pick(values, rows, out):
    """Copy some rows of values (all rows, size) into out."""
    for k in range(len(rows)):
        for j in range(out.shape[1]):
            out[k, j] = values[rows[k], j]


@_compile_uncounted
def _put_rows(values, rows, out):
    """Copy values into some rows of out (all rows, size)."""
    for k in range(len(rows)):
        for j in range(values.shape[1]):
            out[rows[k], j] = values[k, j]


@_compile_uncounted
def _pick_masks(masks, rows, out):
    """Copy some rows of dropout masks (masks, all rows, size) into out."""
    for b in range(len(masks)):
        for k in range(len(rows)):
            for j in range(out.shape[2]):
                out[b, k, j] = masks[b, rows[k], j]


@_compile_uncounted
def _clear(values, start):
    """Set the rows of a matrix to 0, from `start` on."""
    for k in range(start, len(values)):
        for j in range(values.shape[1]):
            values[k, j] = 0


@_compile_uncounted
def _clear_steps(batch, rows, start, stop):
    """Set some steps of some rows of a batch (batch, steps, values) to 0."""
    for k in range(len(rows)):
        for t in range(start, stop):
            for j in range(batch.shape[2]):
                batch[rows[k], t, j] = 0


@_compile
def run_forward(
    kind,
    activation,
    gate_activation,
    rows,
    x,
    mask,
    x_masks,
    h_masks,
    last_mask,
    x_weights,
    h_weights,
    last_weights,
    x_bias,
    h_bias,
    h,
    c,
    states,
    saved,
):
    """Read some rows of a batch.

    Args:
        kind: SIMPLE_RNN, LSTM, GRU or GRU_RESET_BEFORE.
        activation: Of the candidate: LINEAR, TANH, SIGMOID or RELU.
        gate_activation: Of the gates.
        rows: int64, which rows of the batch.
        x: (batch, steps, features).
        mask: bool, (batch, steps); a masked step does not change the state.
        x_masks: Dropout of the inputs, (0, 1 or gates; batch, features).
        h_masks: Dropout of the state, likewise; of GRU_RESET_BEFORE only for z and r.
        last_mask: Its dropout mask of the candidate, (batch, width); 1 without dropout.
        x_weights: (blocks, features, gates * width / blocks).
        h_weights: (blocks, width, gates * width / blocks), without `last_weights`.
        last_weights: Of GRU_RESET_BEFORE: from the reset state to the candidate,
            (width, width). Otherwise (0, 0).
        x_bias: (gates * width,), added to the projected inputs.
        h_bias: (gates * width,), added to the projected state.
        h: (batch, width): state before the first step. Becomes that after the last.
        c: LSTM's cell state, likewise.
        states: Output, (batch, steps, width): the state after every step; 0 before
            the first step that is not masked.
        saved: Output for `run_backward`, (batch, steps or 0, SAVED[kind] * width).
    """
    num, steps, features = len(rows), x.shape[1], x.shape[2]
    width = h.shape[1]
    keep = saved.shape[1] > 0
    chunk = _choose_chunk(num, features, width, x_weights.shape[2])
    begins = np.empty(num, np.int64)
    first, stop = _find_steps(mask, rows, begins)
    x_part = np.empty((len(x_masks), num, features), x.dtype)
    _pick_masks(x_masks, rows, x_part)
    h_part = np.empty((len(h_masks), num, width), x.dtype)
    _pick_masks(h_masks, rows, h_part)
    h_now = np.empty((num, width), x.dtype)
    _pick(h, rows, h_now)
    inputs = np.zeros((chunk * num, features), x.dtype)
    from_x = np.empty((chunk * num, len(x_bias)), x.dtype)
    from_h = np.empty((num, h_weights.shape[0] * h_weights.shape[2]), x.dtype)
    values = saved if keep else np.empty((1, 1, 5 * width), x.dtype)
    x_dropped = np.empty((chunk * num, features), x.dtype)
    x_block = np.empty((chunk * num, x_weights.shape[2]), x.dtype)
    h_dropped = np.empty((num, width), x.dtype)
    h_block = np.empty((num, h_weights.shape[2]), x.dtype)
    _clear_steps(states, rows, 0, first)
    for start in range(first, stop, chunk):
        size = min(chunk, stop - start)
        for s in range(size):
            _read(x, rows, start + s, inputs[s * num :])
        _project(inputs, x_part, x_weights, from_x, x_dropped, x_block)
        for s in range(size):
            t = start + s
            _project(h_now, h_part, h_weights, from_h, h_dropped, h_block)
            _step(
                kind, activation, gate_activation, rows, t, mask, from_x[s * num :],
                from_h, x_bias, h_bias, last_mask, last_weights, h_now, c, values, keep,
            )  # fmt: skip
            _write(h_now, begins, states, rows, t)
    for t in range(stop, steps):
        _write(h_now, begins, states, rows, t)
    _put_rows(h_now, rows, h)


@_compile_uncounted
def _step(
    kind, activation, gate_activation, rows, t, mask, from_x, from_h, x_bias, h_bias,
    last_mask, last_weights, h_now, c, saved, keep,
):  # fmt: skip
    """Take some rows one step forward: updates h_now and c, fills `saved`."""
    for k in range(len(rows)):
        i = rows[k]
        if not mask[i, t]:
            continue
        a, b, h = from_x[k], from_h[k], h_now[k]
        values = saved[i, t] if keep else saved[0, 0]
        for j in range(len(a)):
            a[j] += x_bias[j]
        for j in range(len(b)):
            b[j] += h_bias[j]
        if kind == SIMPLE_RNN:
            for j in range(len(h)):
                h[j] = a[j] + b[j]
            _activate(activation, h)
        elif kind == LSTM:
            _step_lstm(a, b, activation, gate_activation, h, c[i], values)
        elif kind == GRU:
            _step_gru(a, b, activation, gate_activation, h, values)
        else:
            _step_gru_reset_before(
                a, b, activation, gate_activation, h, values, last_mask[i], last_weights
            )


@_compile_uncounted
def _step_lstm(a, b, activation, gate_activation, h, c, values):
    """Compute c' = f c + i g, h' = o act(c'); saves i, f, g, o and c."""
    width = len(h)
    for j in range(4 * width):
        values[j] = a[j] + b[j]
    _activate(gate_activation, values[: 2 * width])
    _activate(activation, values[2 * width : 3 * width])
    _activate(gate_activation, values[3 * width : 4 * width])
    for j in range(width):
        values[4 * width + j] = c[j]
        c[j] = values[width + j] * c[j] + values[j] * values[2 * width + j]
        h[j] = c[j]
    _activate(activation, h)
    for j in range(width):
        h[j] *= values[3 * width + j]


@_compile_uncounted
def _step_gru(a, b, activation, gate_activation, h, values):
    """Compute n = act(a_n + r b_n), h' = z h + (1 - z) n; saves z, r, n and b_n."""
    width = len(h)
    for j in range(2 * width):
        values[j] = a[j] + b[j]
    _activate(gate_activation, values[: 2 * width])
    for j in range(width):
        product = b[2 * width + j]
        values[3 * width + j] = product
        values[2 * width + j] = a[2 * width + j] + values[width + j] * product
    _activate(activation, values[2 * width : 3 * width])
    for j in range(width):
        n = values[2 * width + j]
        h[j] = n + values[j] * (h[j] - n)


@_compile_uncounted
def _step_gru_reset_before(
    a, b, activation, gate_activation, h, values, last_mask, last_weights
):
    """Compute n = act(a_n + (r h) U), h' = z h + (1 - z) n; saves z, r and n."""
    width = len(h)
    for j in range(2 * width):
        values[j] = a[j] + b[j]
    _activate(gate_activation, values[: 2 * width])
    for j in range(width):
        values[2 * width + j] = a[2 * width + j]
    for k in range(width):
        reset = values[width + k] * h[k] * last_mask[k]
        for j in range(width):
            values[2 * width + j] += reset * last_weights[k, j]
    _activate(activation, values[2 * width : 3 * width])
    for j in range(width):
        n = values[2 * width + j]
        h[j] = n + values[j] * (h[j] - n)


@_compile
def run_backward(
    kind,
    activation,
    gate_activation,
    rows,
    x,
    mask,
    x_masks,
    h_masks,
    last_mask,
    x_weights_t,
    h_weights_t,
    last_weights,
    h0,
    states,
    saved,
    d_states,
    d_h,
    d_c,
    d_x,
    d_x_weights,
    d_h_weights,
    d_last_weights,
    d_x_bias,
    d_h_bias,
):
    """Go back over some rows of a batch that `run_forward` has read.

    Args:
        kind: As in `run_forward`, like every argument of the same name.
        activation: As in `run_forward`.
        gate_activation: As in `run_forward`.
        rows: As in `run_forward`.
        x: As in `run_forward`.
        mask: As in `run_forward`.
        x_masks: As in `run_forward`.
        h_masks: As in `run_forward`.
        last_mask: As in `run_forward`.
        x_weights_t: (blocks, gates * width / blocks, features): transposed.
        h_weights_t: (blocks, gates * width / blocks, width): transposed.
        last_weights: As in `run_forward`, not transposed.
        h0: (batch, width): state before the first step.
        states: What `run_forward` wrote.
        saved: What `run_forward` wrote.
        d_states: Gradient of the loss by every state, (batch, steps or 0, width).
        d_h: Gradient by the state after the last step, (batch, width). Becomes that
            by the state before the first.
        d_c: Gradient by LSTM's cell state, likewise.
        d_x: Output, (batch, steps, features).
        d_x_weights: Added to; blocks as in `run_forward`, like the other weights.
        d_h_weights: Added to.
        d_last_weights: Added to.
        d_x_bias: Added to, (gates * width,).
        d_h_bias: Added to.
    """
    num, steps, features = len(rows), x.shape[1], x.shape[2]
    width = h0.shape[1]
    begins = np.empty(num, np.int64)
    first, stop = _find_steps(mask, rows, begins)
    x_part = np.empty((len(x_masks), num, features), x.dtype)
    _pick_masks(x_masks, rows, x_part)
    h_part = np.empty((len(h_masks), num, width), x.dtype)
    _pick_masks(h_masks, rows, h_part)
    d_now = np.empty((num, width), x.dtype)
    _pick(d_h, rows, d_now)
    from_h = h_weights_t.shape[0] * h_weights_t.shape[1]
    chunk = _choose_chunk(num, features, width, x_weights_t.shape[1])
    inputs = np.zeros((chunk * num, features), x.dtype)
    before = np.zeros((chunk * num, width), x.dtype)
    d_a = np.zeros((chunk * num, len(d_x_bias)), x.dtype)
    d_b = np.zeros((chunk * num, from_h), x.dtype)
    d_inputs = np.empty((chunk * num, features), x.dtype)
    d_before = np.empty((num, width), x.dtype)
    squashed = np.empty(width, x.dtype)
    x_dropped = np.empty((chunk * num, features), x.dtype)
    x_block = np.empty((chunk * num, x_weights_t.shape[1]), x.dtype)
    h_dropped = np.empty((chunk * num, width), x.dtype)
    h_block = np.empty((chunk * num, h_weights_t.shape[1]), x.dtype)
    _clear_steps(d_x, rows, 0, first)
    _clear_steps(d_x, rows, stop, steps)
    if d_states.shape[1] > 0:
        for k in range(num):
            for t in range(max(stop, begins[k]), steps):
                for j in range(width):
                    d_now[k, j] += d_states[rows[k], t, j]
    for start in range(first + (stop - first - 1) // chunk * chunk, first - 1, -chunk):
        size = min(chunk, stop - start)
        for buffer in (inputs, before, d_a, d_b):
            _clear(buffer, size * num)
        for s in range(size - 1, -1, -1):
            t = start + s
            q = slice(s * num, (s + 1) * num)
            _read(x, rows, t, inputs[q])
            _back(
                kind, activation, gate_activation, rows, begins, t, mask, h0, states,
                saved, d_states, before[q], d_a[q], d_b[q], d_now, d_c, squashed,
                last_mask, last_weights, d_last_weights,
            )  # fmt: skip
            _project_back(
                d_b[q], h_part, h_weights_t, d_before, h_dropped[:num], h_block[:num]
            )
            _add(d_before, rows, mask, t, d_now)
        _project_back(d_a, x_part, x_weights_t, d_inputs, x_dropped, x_block)
        _add_weight_gradient(inputs, x_part, d_a, d_x_weights, x_dropped, x_block)
        _add_weight_gradient(before, h_part, d_b, d_h_weights, h_dropped, h_block)
        for s in range(size):
            _write(d_inputs[s * num :], begins, d_x, rows, start + s)
        _sum(d_a, d_x_bias)
        _sum(d_b, d_h_bias)
    _put_rows(d_now, rows, d_h)


@_compile_uncounted
def _vanished(values):
    """Return the bound `VANISHED` in the type of the values."""
    return values.dtype.type(VANISHED if values.itemsize == 4 else VANISHED_64)


@_compile_uncounted
def _add(d_before, rows, mask, t, d_now):
    """Add the gradient through the state's weights in rows that read step t."""
    zero, vanished = d_now.dtype.type(0), _vanished(d_now)
    for k in range(len(rows)):
        if mask[rows[k], t]:
            for j in range(d_now.shape[1]):
                total = d_now[k, j] + d_before[k, j]
                d_now[k, j] = zero if abs(total) < vanished else total


@_compile_uncounted
def _sum(values, out):
    """Add all rows to out."""
    for k in range(len(values)):
        for j in range(len(out)):
            out[j] += values[k, j]


@_compile_uncounted
def _back(
    kind, activation, gate_activation, rows, begins, t, mask, h0, states, saved,
    d_states, before, d_a, d_b, d_now, d_c, squashed, last_mask, last_weights,
    d_last_weights,
):  # fmt: skip
    """Take some rows one step back: updates d_now and d_c, fills d_a and d_b."""
    for k in range(len(rows)):
        i = rows[k]
        h, d_h, a, b = before[k], d_now[k], d_a[k], d_b[k]
        if d_states.shape[1] > 0 and t >= begins[k]:
            for j in range(len(h)):
                d_h[j] += d_states[i, t, j]
        if not mask[i, t]:
            for values in (h, a, b):
                for j in range(len(values)):
                    values[j] = 0
            continue
        past = states[i, t - 1] if t > begins[k] else h0[i]
        for j in range(len(h)):
            h[j] = past[j]
        values = saved[i, t]
        if kind == SIMPLE_RNN:
            _backward(activation, d_h, states[i, t])
            for j in range(len(h)):
                a[j] = d_h[j]
                d_h[j] = 0
        elif kind == LSTM:
            _back_lstm(activation, gate_activation, values, d_h, d_c[i], a, squashed)
        elif kind == GRU:
            _back_gru(activation, gate_activation, values, h, d_h, a, b)
        else:
            _back_gru_reset_before(
                activation, gate_activation, values, h, d_h, a, last_mask[i],
                last_weights, d_last_weights,
            )  # fmt: skip
        if kind != GRU:
            for j in range(len(b)):
                b[j] = a[j]


@_compile_uncounted
def _back_lstm(activation, gate_activation, values, d_h, d_c, d_a, squashed):
    """Compute the gradients by the gates' sums; d_h becomes 0, d_c becomes f d_c."""
    width = len(d_h)
    zero, vanished = d_h.dtype.type(0), _vanished(d_h)
    for j in range(width):
        squashed[j] = (
            values[width + j] * values[4 * width + j]
            + values[j] * values[2 * width + j]
        )
    _activate(activation, squashed)
    for j in range(width):
        d_a[3 * width + j] = d_h[j] * squashed[j]
        d_h[j] *= values[3 * width + j]
    _backward(activation, d_h, squashed)
    for j in range(width):
        total = d_c[j] + d_h[j]
        d_a[j] = total * values[2 * width + j]
        d_a[width + j] = total * values[4 * width + j]
        d_a[2 * width + j] = total * values[j]
        total *= values[width + j]
        d_c[j] = zero if abs(total) < vanished else total
        d_h[j] = 0
    _backward(gate_activation, d_a[: 2 * width], values[: 2 * width])
    _backward(activation, d_a[2 * width : 3 * width], values[2 * width : 3 * width])
    _backward(gate_activation, d_a[3 * width :], values[3 * width : 4 * width])


@_compile_uncounted
def _back_gru(activation, gate_activation, values, h, d_h, d_a, d_b):
    """Compute the gradients by the products with the inputs (d_a) and state (d_b)."""
    width = len(d_h)
    for j in range(width):
        z, n = values[j], values[2 * width + j]
        d_a[j] = d_h[j] * (h[j] - n)
        d_a[2 * width + j] = d_h[j] - d_h[j] * z
        d_h[j] *= z
    _backward(activation, d_a[2 * width :], values[2 * width : 3 * width])
    for j in range(width):
        d_a[width + j] = d_a[2 * width + j] * values[3 * width + j]
    _backward(gate_activation, d_a[: 2 * width], values[: 2 * width])
    for j in range(2 * width):
        d_b[j] = d_a[j]
    for j in range(width):
        d_b[2 * width + j] = d_a[2 * width + j] * values[width + j]


@_compile_uncounted
def _back_gru_reset_before(
    activation, gate_activation, values, h, d_h, d_a, last_mask, last_weights,
    d_last_weights,
):  # fmt: skip
    """Compute the gradients by the gates' sums; adds to d_last_weights."""
    width = len(d_h)
    for j in range(width):
        z, n = values[j], values[2 * width + j]
        d_a[j] = d_h[j] * (h[j] - n)
        d_a[2 * width + j] = d_h[j] - d_h[j] * z
        d_h[j] *= z
    _backward(activation, d_a[2 * width :], values[2 * width : 3 * width])
    for k in range(width):
        r, kept = values[width + k], h[k] * last_mask[k]
        d_reset = d_h.dtype.type(0)
        for j in range(width):
            d_reset += last_weights[k, j] * d_a[2 * width + j]
            d_last_weights[k, j] += r * kept * d_a[2 * width + j]
        d_a[width + k] = d_reset * kept
        d_h[k] += d_reset * r * last_mask[k]
    _backward(gate_activation, d_a[: 2 * width], values[: 2 * width])
