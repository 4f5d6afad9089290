"""Copies between a batch, step after step of each row, and the buffers of some rows."""

from __future__ import annotations

from shared.kernels.loop.products import LINE, compile_loop
from shared.kernels.loop.vectors import copy_vector, count_lanes, prefetch


@compile_loop
def repeat_row(values, count, out):
    """Copy a row of whole vectors `count` times into out."""
    for k in range(count):
        for j in range(0, len(values), count_lanes(out)):
            copy_vector(values, j, out, k * len(values) + j)


@compile_loop
def copy_values(values, at, size, out, to):
    """Copy values into out."""
    lanes = count_lanes(out)
    whole = size - size % lanes
    for j in range(0, whole, lanes):
        copy_vector(values, at + j, out, to + j)
    for j in range(whole, size):
        out[to + j] = values[at + j]


@compile_loop
def read_steps(batch, rows, steps, values, start, size, out):
    """Copy some steps of some rows of a batch into out (size, rows, values).

    `batch` is flat: (batch, steps, values).
    """
    for k in range(len(rows)):
        place = (rows[k] * steps + start) * values
        for s in range(size):
            copy_values(
                batch, place + s * values, values, out, (s * len(rows) + k) * values
            )


@compile_loop
def prefetch_step(batch, rows, steps, values, t):
    """Bring step t of some rows of a flat batch (batch, steps, values) closer."""
    for k in range(len(rows)):
        place = (rows[k] * steps + t) * values
        for j in range(0, values, LINE):
            prefetch(batch, place + j)


@compile_loop
def write_steps(values, at, row, begins, batch, rows, steps, size, start, count):
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
                copy_values(values, at + (s * len(rows) + k) * row, size, batch, to)
            else:
                for j in range(size):
                    batch[to + j] = 0


@compile_loop
def read_states(d_states, rows, begins, steps, units, start, size, width, out):
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
                copy_values(d_states, place + s * units, units, out, to)


@compile_loop
def add_states(d_after, at, d_now):
    """Add the gradient by the states after a step, unless there is none."""
    if len(d_after):
        for j in range(len(d_now)):
            d_now[j] += d_after[at + j]


@compile_loop
def fill_rows(values, rows, width, out, at):
    """Copy some rows of values (batch, units) into out (rows, width), then 0."""
    units = values.shape[1]
    for k in range(len(rows)):
        for j in range(units):
            out[at + k * width + j] = values[rows[k], j]
        for j in range(units, width):
            out[at + k * width + j] = 0


@compile_loop
def take_rows(values, at, width, rows, out):
    """Copy values (rows, width) into some rows of out (batch, units)."""
    for k in range(len(rows)):
        for j in range(out.shape[1]):
            out[rows[k], j] = values[at + k * width + j]


@compile_loop
def find_steps(mask, rows, begins):
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
def clear_steps(batch, rows, steps, size, start, stop):
    """Set some steps of some rows of a batch (batch, steps, size) to 0.

    `batch` is flat, or empty.
    """
    if len(batch) == 0:
        return
    for k in range(len(rows)):
        place = rows[k] * steps * size
        for j in range(place + start * size, place + stop * size):
            batch[j] = 0
