"""Go back over some rows of a batch, and sum the gradients."""

from __future__ import annotations

import numpy as np

from shared.kernels.loop import equations
from shared.kernels.loop.kinds import (
    BLOCKS,
    GRU,
    GRU_RESET_BEFORE,
    LSTM,
    SAVED,
    SIMPLE_RNN,
    TOGETHER,
)
from shared.kernels.loop.products import (
    ONE,
    TALL,
    ZERO,
    add_outer,
    compile_counted,
    compile_loop,
    multiply,
)
from shared.kernels.loop.projections import add_weight_gradient, project_back
from shared.kernels.loop.steps import (
    add_states,
    clear_steps,
    fill_rows,
    find_steps,
    prefetch_step,
    read_states,
    read_steps,
    take_rows,
    write_steps,
)
from shared.kernels.loop.vectors import count_lanes


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
    first, stop = find_steps(mask, rows, begins)
    inputs = np.empty(chunk * num * features, x.dtype)
    d_inputs = np.empty(chunk * num * in_row, x.dtype)
    x_dropped = np.empty(len(d_inputs) if len(x_masks) else 0, x.dtype)
    h_dropped = np.empty(chunk * many if len(h_masks) else 0, x.dtype)
    d_sums = np.empty(chunk * num * row, x.dtype)
    d_now = np.empty(many, x.dtype)
    d_cell = np.zeros(many, x.dtype)
    last = np.zeros(many, x.dtype)
    d_reset = np.zeros(many, x.dtype)
    tiles = np.empty(chunk * num * (max(features, units) + TALL), x.dtype)
    panel = np.empty(chunk * num * 2 * lanes, x.dtype)
    reset = np.zeros(chunk * many if kind == GRU_RESET_BEFORE else 0, x.dtype)
    start_h = place * (steps + 1) * width
    start_saved = place * steps * SAVED[kind] * width
    fill_rows(d_h, rows, width, d_now, ZERO)
    if kind == LSTM:
        fill_rows(d_c, rows, width, d_cell, ZERO)
    if kind == GRU_RESET_BEFORE:
        fill_rows(last_mask, rows, width, last, ZERO)
    d_after = np.empty(chunk * many if len(d_states) else 0, x.dtype)
    clear_steps(d_x, rows, steps, features, ZERO, first)
    clear_steps(d_x, rows, steps, features, stop, steps)
    for t in range(stop, steps):
        read_states(d_states, rows, begins, steps, units, t, ONE, width, d_after)
        add_states(d_after, ZERO, d_now)
    for start in range(first + (stop - first - 1) // chunk * chunk, first - 1, -chunk):
        size = min(chunk, stop - start)
        before = start_h + start * many
        read_states(d_states, rows, begins, steps, units, start, size, width, d_after)
        for s in range(size - 1, -1, -1):
            t, at = start + s, s * num * row
            add_states(d_after, s * many, d_now)
            if t >= chunk:
                prefetch_step(x, rows, steps, features, t - chunk)
                prefetch_step(d_x, rows, steps, features, t - chunk)
            _back(
                kind, activation, gate_activation, rows, t, width, mask, d_now, d_cell,
                past, before + s * many, before + (s + 1) * many, saved,
                start_saved + t * SAVED[kind] * many, d_sums, at, row, last,
                last_weights_t, d_reset, reset, s * many,
            )  # fmt: skip
            project_back(
                d_sums, at + first_block * width, row, h_blocks * width, num, rows,
                h_masks, h_weights_t, d_now, width, units, h_dropped,
            )  # fmt: skip
        read_steps(x, rows, steps, features, start, size, inputs)
        for j in range(size * num * in_row):
            d_inputs[j] = 0
        project_back(
            d_sums, ZERO, row, gates * width, size * num, rows, x_masks, x_weights_t,
            d_inputs, in_row, features, x_dropped,
        )  # fmt: skip
        write_steps(
            d_inputs, ZERO, in_row, begins, d_x, rows, steps, features, start, size
        )
        add_weight_gradient(
            inputs, ZERO, features, features, size * num, rows, x_masks, d_sums, ZERO,
            row, gates * width, d_x_weights, x_dropped, tiles, panel,
        )  # fmt: skip
        add_weight_gradient(
            past, before, width, units, size * num, rows, h_masks, d_sums,
            first_block * width, row, h_blocks * width, d_h_weights, h_dropped, tiles,
            panel,
        )  # fmt: skip
        if kind == GRU_RESET_BEFORE:
            add_outer(
                reset, ZERO, width, units, size * num, d_sums, ZERO, row, width,
                d_last_weights, ZERO, width, tiles, panel,
            )  # fmt: skip
        for k in range(size * num):
            for j in range(row):
                d_sums_total[j] += d_sums[k * row + j]
    take_rows(d_now, ZERO, width, rows, d_h)
    if kind == LSTM:
        take_rows(d_cell, ZERO, width, rows, d_c)


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
            d_sums, at, row, ONE, num, width, last_weights_t, ZERO, ZERO, width,
            d_reset, ZERO, width,
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
