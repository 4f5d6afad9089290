"""The loop over the steps, forward and backward, compiled for the processor by Numba.

One function reads a few rows of a batch from the first step to the last. Another goes
back and sums the gradients. Rows are independent, so several calls may run in parallel,
one per core. Four things make it fast:

- The products and the equations use the processor's vectors (`products`, `equations`).
- The weights and the states of a few rows stay in the core's cache.
- The inputs of several steps are projected in one product. The gradients of the weights
  are summed in one product.
- Steps at which every row is masked are skipped. Any length works without compiling
  again.

Arrays hold float32 or float64. The buffers are flat. A row of a buffer has blocks, one
per gate, in the order of `shared.kernels.equations`. A block is as wide as the state,
rounded up to whole vectors (`width`); the values beyond the `units` are 0. A dropout
mask is the same at all steps. There is none, one for all gates or one per gate.
"""

from __future__ import annotations

import numpy as np

from shared.kernels import equations
from shared.kernels.products import add_outer, compile_counted, compile_loop, multiply
from shared.kernels.vectors import copy_vector, count_lanes

SIMPLE_RNN, LSTM, GRU, GRU_RESET_BEFORE = range(4)
GATES = {SIMPLE_RNN: 1, LSTM: 4, GRU: 3, GRU_RESET_BEFORE: 3}
# Per kind: blocks of a row of sums; how many of them the inputs are projected to, from
# the first on; the first one that the state is projected to, and how many are.
BLOCKS = ((1, 1, 0, 1), (4, 4, 0, 4), (4, 3, 1, 3), (3, 3, 1, 2))
SAVED = (0, 5, 4, 3)
"""Blocks per step that the backward pass needs besides the states."""
TOGETHER = 256  # rows whose inputs are projected together; more exceed the cache


@compile_counted
def run_forward(
    kind, activation, gate_activation, rows, place, width, x, features, mask, x_masks,
    h_masks, last_mask, x_weights, h_weights, last_weights, bias, h, c, states, past,
    saved,
):  # fmt: skip
    """Read some rows of a batch.

    Args:
        kind: SIMPLE_RNN, LSTM, GRU or GRU_RESET_BEFORE.
        activation: Of the candidate: LINEAR, TANH, SIGMOID or RELU.
        gate_activation: Of the gates.
        rows: int64, which rows of the batch.
        place: How many rows the parts of the batch before this one have.
        width: Units, rounded up to whole vectors.
        x: (batch, steps, features), flat.
        features: Values of a step of a row.
        mask: bool, (batch, steps); a masked step does not change the state.
        x_masks: Dropout of the inputs, (0, 1 or gates; batch, features).
        h_masks: Dropout of the state, likewise; of GRU_RESET_BEFORE only for z and r.
        last_mask: Its dropout mask of the candidate, (batch, units); 1 without dropout.
        x_weights: Packed, block after block of `x_masks`: (features, gates * width).
        h_weights: Packed likewise, (units, blocks * width).
        last_weights: Of GRU_RESET_BEFORE: from the reset state to the candidate,
            packed, (units, width).
        bias: (blocks * width,), the first sum.
        h: (batch, units): state before the first step. Becomes that after the last.
        c: LSTM's cell state, likewise.
        states: Output, (batch, steps, units), flat, or empty: the state after every
            step; 0 before the first step that is not masked.
        past: Output for `run_backward`: the state before every step and after the last,
            (steps + 1, rows, width) of each part; empty: not kept.
        saved: Output for `run_backward`, (steps, rows, SAVED * width) of each part.
    """
    num, steps, units = len(rows), mask.shape[1], h.shape[1]
    blocks, gates, first_block, h_blocks = BLOCKS[kind]
    row, keep = blocks * width, len(past) > 0
    chunk = max(1, TOGETHER // num)
    begins = np.empty(num, np.int64)
    first, stop = _find_steps(mask, rows, begins)
    inputs = np.empty(chunk * num * features, x.dtype)
    x_dropped = np.empty(len(inputs) if len(x_masks) else 0, x.dtype)
    h_dropped = np.empty(num * units if len(h_masks) else 0, x.dtype)
    sums = np.empty(chunk * num * row, x.dtype)
    cell = np.zeros(num * width, x.dtype)
    reset = np.zeros(num * width, x.dtype)
    last = np.zeros(num * width, x.dtype)
    many = num * width
    history = past if keep else np.empty((chunk + 1) * many, x.dtype)
    values = saved if keep else np.empty(num * SAVED[kind] * width, x.dtype)
    start_h = place * (steps + 1) * width + first * many if keep else 0
    start_saved = place * steps * SAVED[kind] * width if keep else 0
    _fill_rows(h, rows, width, history, start_h)
    if kind == LSTM:
        _fill_rows(c, rows, width, cell, 0)
    if kind == GRU_RESET_BEFORE:
        _fill_rows(last_mask, rows, width, last, 0)
    now = start_h
    _clear_steps(states, rows, steps, units, 0, first)
    for start in range(first, stop, chunk):
        size = min(chunk, stop - start)
        if not keep and start > first:
            for j in range(many):
                history[j] = history[now + j]
            now = 0
        _read(x, rows, steps, features, start, size, inputs)
        _repeat(bias, size * num, sums)
        _project(
            inputs, 0, features, features, size * num, rows, x_masks, x_weights,
            gates * width, sums, 0, row, x_dropped,
        )  # fmt: skip
        begin = now
        for s in range(size):
            t, at = start + s, s * num * row
            _project(
                history, now, width, units, num, rows, h_masks, h_weights,
                h_blocks * width, sums, at + first_block * width, row, h_dropped,
            )  # fmt: skip
            at_saved = start_saved + (t * SAVED[kind] * many if keep else 0)
            _step(
                kind, activation, gate_activation, rows, t, width, mask, sums, at, row,
                history, now, now + many, cell, values, at_saved, last, last_weights,
                reset, units,
            )  # fmt: skip
            now += many
        _write(history, begin + many, width, begins, states, rows, steps, units, start,
               size)  # fmt: skip
    for t in range(stop, steps):
        _write(history, now, width, begins, states, rows, steps, units, t, 1)
    _take_rows(history, now, width, rows, h)
    if kind == LSTM:
        _take_rows(cell, 0, width, rows, c)


@compile_loop
def _step(
    kind, activation, gate_activation, rows, t, width, mask, sums, at, row, history,
    now, then, cell, saved, at_saved, last, last_weights, reset, units,
):  # fmt: skip
    """Take some rows one step forward."""
    num, wide = len(rows), SAVED[kind] * width
    if kind == GRU_RESET_BEFORE:
        for k in range(num):
            if mask[rows[k], t]:
                equations.reset_gru(
                    (sums, history, last, saved, reset),
                    (at + k * row, now + k * width, k * width, at_saved + k * wide,
                     k * width),
                    width, activation, gate_activation,
                )  # fmt: skip
        multiply(
            reset, 0, width, 1, num, units, last_weights, 0, 0, width, sums, at, row
        )
    for k in range(num):
        a, h, new = at + k * row, now + k * width, then + k * width
        if not mask[rows[k], t]:
            for j in range(width):
                history[new + j] = history[h + j]
        elif kind == SIMPLE_RNN:
            equations.step_simple(
                (sums, history, history), (a, h, new), width, activation,
                gate_activation,
            )  # fmt: skip
        elif kind == LSTM:
            equations.step_lstm(
                (sums, history, history, cell, saved),
                (a, h, new, k * width, at_saved + k * wide), width, activation,
                gate_activation,
            )  # fmt: skip
        elif kind == GRU:
            equations.step_gru(
                (sums, history, history, saved), (a, h, new, at_saved + k * wide),
                width, activation, gate_activation,
            )  # fmt: skip
        else:
            equations.step_reset_gru(
                (sums, history, history, saved), (a, h, new, at_saved + k * wide),
                width, activation, gate_activation,
            )  # fmt: skip


@compile_counted
def run_backward(
    kind, activation, gate_activation, rows, place, width, x, features, mask, x_masks,
    h_masks, last_mask, x_weights_t, h_weights_t, last_weights_t, past, saved, d_states,
    d_h, d_c, d_x, d_x_weights, d_h_weights, d_last_weights, d_sums_total,
):  # fmt: skip
    """Go back over some rows of a batch that `run_forward` has read.

    Args:
        kind: As in `run_forward`, like every argument of the same name.
        activation: As in `run_forward`.
        gate_activation: As in `run_forward`.
        rows: As in `run_forward`.
        place: As in `run_forward`.
        width: As in `run_forward`.
        x: As in `run_forward`.
        features: As in `run_forward`.
        mask: As in `run_forward`.
        x_masks: As in `run_forward`.
        h_masks: As in `run_forward`.
        last_mask: As in `run_forward`.
        x_weights_t: Transposed and packed: (gates * width, features), block after block
            of `x_masks`; the features are rounded up to whole vectors.
        h_weights_t: Likewise, (blocks * width, width).
        last_weights_t: Likewise, (width, width).
        past: What `run_forward` wrote.
        saved: What `run_forward` wrote.
        d_states: Gradient of the loss by every state, (batch, steps, units), flat; or
            empty.
        d_h: Gradient by the state after the last step, (batch, units). Becomes that
            by the state before the first.
        d_c: Gradient by LSTM's cell state, likewise.
        d_x: Output, (batch, steps, features), flat.
        d_x_weights: Added to, (features, gates * width), flat like those that follow.
        d_h_weights: Added to, (units, blocks * width).
        d_last_weights: Added to, (units, width).
        d_sums_total: Added to, (blocks * width,): the gradient by the bias.
    """
    num, steps, units = len(rows), mask.shape[1], d_h.shape[1]
    blocks, gates, first_block, h_blocks = BLOCKS[kind]
    row, many = blocks * width, num * width
    lanes = count_lanes(d_x)
    in_row = (features + lanes - 1) // lanes * lanes
    chunk = max(1, TOGETHER // num)
    begins = np.empty(num, np.int64)
    first, stop = _find_steps(mask, rows, begins)
    inputs = np.empty(chunk * num * features, x.dtype)
    d_inputs = np.empty(chunk * num * in_row, x.dtype)
    x_dropped = np.empty(len(d_inputs) if len(x_masks) else 0, x.dtype)
    h_dropped = np.empty(chunk * many if len(h_masks) else 0, x.dtype)
    d_sums = np.empty(chunk * num * row, x.dtype)
    d_now = np.empty(many, x.dtype)
    d_cell = np.zeros(many, x.dtype)
    last = np.zeros(many, x.dtype)
    d_reset = np.zeros(many, x.dtype)
    tiles = np.empty(chunk * num * max(features, units), x.dtype)
    panel = np.empty(chunk * num * 2 * lanes, x.dtype)
    reset = np.zeros(chunk * many if kind == GRU_RESET_BEFORE else 0, x.dtype)
    start_h = place * (steps + 1) * width
    start_saved = place * steps * SAVED[kind] * width
    _fill_rows(d_h, rows, width, d_now, 0)
    if kind == LSTM:
        _fill_rows(d_c, rows, width, d_cell, 0)
    if kind == GRU_RESET_BEFORE:
        _fill_rows(last_mask, rows, width, last, 0)
    d_after = np.empty(chunk * many if len(d_states) else 0, x.dtype)
    _clear_steps(d_x, rows, steps, features, 0, first)
    _clear_steps(d_x, rows, steps, features, stop, steps)
    for t in range(stop, steps):
        _read_states(d_states, rows, begins, steps, units, t, 1, width, d_after)
        _add_states(d_after, 0, d_now)
    for start in range(first + (stop - first - 1) // chunk * chunk, first - 1, -chunk):
        size = min(chunk, stop - start)
        before = start_h + start * many
        _read_states(d_states, rows, begins, steps, units, start, size, width, d_after)
        for s in range(size - 1, -1, -1):
            t, at = start + s, s * num * row
            _add_states(d_after, s * many, d_now)
            _back(
                kind, activation, gate_activation, rows, t, width, mask, d_now, d_cell,
                past, before + s * many, before + (s + 1) * many, saved,
                start_saved + t * SAVED[kind] * many, d_sums, at, row, last,
                last_weights_t, d_reset, reset, s * many,
            )  # fmt: skip
            _project_back(
                d_sums, at + first_block * width, row, h_blocks * width, num, rows,
                h_masks, h_weights_t, d_now, width, units, h_dropped,
            )  # fmt: skip
        _read(x, rows, steps, features, start, size, inputs)
        for j in range(size * num * in_row):
            d_inputs[j] = 0
        _project_back(
            d_sums, 0, row, gates * width, size * num, rows, x_masks, x_weights_t,
            d_inputs, in_row, features, x_dropped,
        )  # fmt: skip
        _write(d_inputs, 0, in_row, begins, d_x, rows, steps, features, start, size)
        _add_weight_gradient(
            inputs, 0, features, features, size * num, rows, x_masks, d_sums, 0, row,
            gates * width, d_x_weights, x_dropped, tiles, panel,
        )  # fmt: skip
        _add_weight_gradient(
            past, before, width, units, size * num, rows, h_masks, d_sums,
            first_block * width, row, h_blocks * width, d_h_weights, h_dropped, tiles,
            panel,
        )  # fmt: skip
        if kind == GRU_RESET_BEFORE:
            add_outer(
                reset, 0, width, units, size * num, d_sums, 0, row, width,
                d_last_weights, 0, width, tiles, panel,
            )  # fmt: skip
        for k in range(size * num):
            for j in range(row):
                d_sums_total[j] += d_sums[k * row + j]
    _take_rows(d_now, 0, width, rows, d_h)
    if kind == LSTM:
        _take_rows(d_cell, 0, width, rows, d_c)


@compile_loop
def _back(
    kind, activation, gate_activation, rows, t, width, mask, d_now, d_cell, past,
    before, after, saved, at_saved, d_sums, at, row, last, last_weights_t, d_reset,
    reset, at_reset,
):  # fmt: skip
    """Take some rows one step back, without the product with the state's weights."""
    num, wide = len(rows), SAVED[kind] * width
    for k in range(num):
        d, h, new = k * width, before + k * width, after + k * width
        values, a = at_saved + k * wide, at + k * row
        if not mask[rows[k], t]:
            for j in range(row):
                d_sums[a + j] = 0
            if kind == GRU_RESET_BEFORE:
                for j in range(width):
                    d_reset[d + j] = reset[at_reset + d + j] = 0
        elif kind == SIMPLE_RNN:
            equations.back_simple(
                (d_now, past, d_sums), (d, new, a), width, activation, gate_activation
            )
        elif kind == LSTM:
            equations.back_lstm(
                (d_now, d_cell, saved, d_sums), (d, d, values, a), width, activation,
                gate_activation,
            )  # fmt: skip
        elif kind == GRU:
            equations.back_gru(
                (d_now, past, saved, d_sums), (d, h, values, a), width, activation,
                gate_activation,
            )  # fmt: skip
        else:
            equations.back_step_reset_gru(
                (d_now, past, saved, d_sums, d_reset), (d, h, values, a, d), width,
                activation, gate_activation,
            )  # fmt: skip
    if kind == GRU_RESET_BEFORE:
        multiply(
            d_sums, at, row, 1, num, width, last_weights_t, 0, 0, width, d_reset, 0,
            width,
        )  # fmt: skip
        for k in range(num):
            if mask[rows[k], t]:
                d = k * width
                equations.back_reset_gru(
                    (d_now, past, last, saved, d_sums, d_reset, reset),
                    (d, before + d, d, at_saved + k * wide, at + k * row, d,
                     at_reset + d),
                    width, activation, gate_activation,
                )  # fmt: skip


@compile_loop
def _project(
    a, a0, a_row, depth, count, rows, masks, weights, columns, sums, at, row, dropped
):
    """Add rows of a (count, depth) times weights (depth, columns) to sums.

    The dropout masks, (0, 1 or blocks; batch, depth), are the same at every step.
    """
    if len(masks) == 0:
        multiply(
            a, a0, a_row, 1, count, depth, weights, 0, 0, columns, sums, at, row
        )  # fmt: skip
        return
    wide = columns // len(masks)
    for b in range(len(masks)):
        _drop(a, a0, a_row, depth, count, rows, masks[b], dropped)
        multiply(
            dropped, 0, depth, 1, count, depth, weights, b * depth * wide, 0, wide,
            sums, at + b * wide, row,
        )  # fmt: skip


@compile_loop
def _project_back(
    d_sums, at, row, depth, count, rows, masks, weights_t, out, out_row, size, dropped
):
    """Add the gradient by what `_project` read to out (count, out_row).

    `size` is its values per row; the others of `out` are for whole vectors.
    """
    if len(masks) == 0:
        multiply(
            d_sums, at, row, 1, count, depth, weights_t, 0, 0, out_row, out, 0, out_row
        )
        return
    deep, num = depth // len(masks), len(rows)
    for b in range(len(masks)):
        for j in range(count * out_row):
            dropped[j] = 0
        multiply(
            d_sums, at + b * deep, row, 1, count, deep, weights_t, b * deep * out_row,
            0, out_row, dropped, 0, out_row,
        )  # fmt: skip
        for k in range(count):
            i = rows[k % num]
            for j in range(size):
                out[k * out_row + j] += dropped[k * out_row + j] * masks[b, i, j]


@compile_loop
def _add_weight_gradient(
    a, a0, a_row, size, count, rows, masks, d_sums, at, row, columns, out, dropped,
    tiles, panel,
):  # fmt: skip
    """Add the gradient by the weights of `_project` to out (size, columns)."""
    if len(masks) == 0:
        add_outer(
            a, a0, a_row, size, count, d_sums, at, row, columns, out, 0, columns, tiles,
            panel,
        )  # fmt: skip
        return
    wide = columns // len(masks)
    for b in range(len(masks)):
        _drop(a, a0, a_row, size, count, rows, masks[b], dropped)
        add_outer(
            dropped, 0, size, size, count, d_sums, at + b * wide, row, wide, out,
            b * wide, columns, tiles, panel,
        )  # fmt: skip


@compile_loop
def _drop(a, a0, a_row, size, count, rows, mask, out):
    """Write rows of a (count, size) times the mask of each row into out."""
    num = len(rows)
    for k in range(count):
        i = rows[k % num]
        for j in range(size):
            out[k * size + j] = a[a0 + k * a_row + j] * mask[i, j]


@compile_loop
def _repeat(values, count, out):
    """Copy a row of whole vectors `count` times into out."""
    for k in range(count):
        for j in range(0, len(values), count_lanes(out)):
            copy_vector(values, j, out, k * len(values) + j)


@compile_loop
def _copy(values, at, size, out, to):
    """Copy values into out."""
    lanes = count_lanes(out)
    whole = size - size % lanes
    for j in range(0, whole, lanes):
        copy_vector(values, at + j, out, to + j)
    for j in range(whole, size):
        out[to + j] = values[at + j]


@compile_loop
def _read(batch, rows, steps, values, start, size, out):
    """Copy some steps of some rows of a batch into out (size, rows, values).

    `batch` is flat: (batch, steps, values).
    """
    for k in range(len(rows)):
        place = (rows[k] * steps + start) * values
        for s in range(size):
            _copy(batch, place + s * values, values, out, (s * len(rows) + k) * values)


@compile_loop
def _write(values, at, row, begins, batch, rows, steps, size, start, count):
    """Copy values (count, rows, row) into some steps of some rows of a batch.

    `batch` is flat: (batch, steps, size), or empty. It gets 0 before a row begins.
    """
    if len(batch) == 0:
        return
    for k in range(len(rows)):
        place = (rows[k] * steps + start) * size
        for s in range(count):
            to = place + s * size
            if start + s >= begins[k]:
                _copy(values, at + (s * len(rows) + k) * row, size, batch, to)
            else:
                for j in range(size):
                    batch[to + j] = 0


@compile_loop
def _read_states(d_states, rows, begins, steps, units, start, size, width, out):
    """Copy gradients of some steps of some rows into out (size, rows, width).

    `d_states` is flat: (batch, steps, units), or empty. Steps before a row begins have
    no gradient.
    """
    if len(d_states) == 0:
        return
    for k in range(len(rows)):
        place = (rows[k] * steps + start) * units
        for s in range(size):
            to = (s * len(rows) + k) * width
            for j in range(units if start + s < begins[k] else 0):
                out[to + j] = 0
            for j in range(units, width):
                out[to + j] = 0
            if start + s >= begins[k]:
                _copy(d_states, place + s * units, units, out, to)


@compile_loop
def _add_states(d_after, at, d_now):
    """Add the gradient by the states after a step, unless there is none."""
    if len(d_after):
        for j in range(len(d_now)):
            d_now[j] += d_after[at + j]


@compile_loop
def _fill_rows(values, rows, width, out, at):
    """Copy some rows of values (batch, units) into out (rows, width), then 0."""
    units = values.shape[1]
    for k in range(len(rows)):
        for j in range(units):
            out[at + k * width + j] = values[rows[k], j]
        for j in range(units, width):
            out[at + k * width + j] = 0


@compile_loop
def _take_rows(values, at, width, rows, out):
    """Copy values (rows, width) into some rows of out (batch, units)."""
    for k in range(len(rows)):
        for j in range(out.shape[1]):
            out[rows[k], j] = values[at + k * width + j]


@compile_loop
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


@compile_loop
def _clear_steps(batch, rows, steps, size, start, stop):
    """Set some steps of some rows of a batch (batch, steps, size) to 0.

    `batch` is flat, or empty.
    """
    if len(batch) == 0:
        return
    for k in range(len(rows)):
        place = rows[k] * steps * size
        for j in range(place + start * size, place + stop * size):
            batch[j] = 0
