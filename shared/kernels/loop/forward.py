"""Read some rows of a batch, step by step."""

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
    ZERO,
    compile_counted,
    compile_loop,
    multiply,
)
from shared.kernels.loop.projections import project
from shared.kernels.loop.steps import (
    clear_steps,
    fill_rows,
    find_steps,
    prefetch_step,
    read_steps,
    repeat_row,
    take_rows,
    write_steps,
)


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
    first, stop = find_steps(mask, rows, begins)
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
    fill_rows(h, rows, width, history, start_h)
    if kind == LSTM:
        fill_rows(c, rows, width, cell, ZERO)
    if kind == GRU_RESET_BEFORE:
        fill_rows(last_mask, rows, width, last, ZERO)
    now = start_h
    clear_steps(states, rows, steps, units, ZERO, first)
    for start in range(first, stop, chunk):
        size = min(chunk, stop - start)
        if not keep and start > first:
            for j in range(many):
                history[j] = history[now + j]
            now = 0
        read_steps(x, rows, steps, features, start, size, inputs)
        repeat_row(bias, size * num, sums)
        project(
            inputs, ZERO, features, features, size * num, rows, x_masks, x_weights,
            gates * width, sums, ZERO, row, x_dropped,
        )  # fmt: skip
        begin = now
        for s in range(size):
            t, at = start + s, s * num * row
            project(
                history, now, width, units, num, rows, h_masks, h_weights,
                h_blocks * width, sums, at + first_block * width, row, h_dropped,
            )  # fmt: skip
            if t + chunk < stop:
                prefetch_step(x, rows, steps, features, t + chunk)
            at_saved = start_saved + (t * SAVED[kind] * many if keep else 0)
            _step(
                kind, activation, gate_activation, rows, t, width, mask, sums, at, row,
                history, now, now + many, cell, values, at_saved, last, last_weights,
                reset, units,
            )  # fmt: skip
            now += many
        write_steps(
            history, begin + many, width, begins, states, rows, steps, units, start,
            size,
        )  # fmt: skip
    for t in range(stop, steps):
        write_steps(history, now, width, begins, states, rows, steps, units, t, ONE)
    take_rows(history, now, width, rows, h)
    if kind == LSTM:
        take_rows(cell, ZERO, width, rows, c)


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
            reset, ZERO, width, ONE, num, units, last_weights, ZERO, ZERO, width, sums,
            at, row,
        )  # fmt: skip
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
