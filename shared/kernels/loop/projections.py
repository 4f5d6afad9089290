"""Projections of inputs and states, with dropout masks or without."""

from __future__ import annotations

from shared.kernels.loop.products import (
    ONE,
    ZERO,
    add_outer,
    compile_loop,
    multiply,
)


@compile_loop
def project(
    a, a0, a_row, depth, count, rows, masks, weights, columns, sums, at, row, dropped
):
    """Add rows of a (count, depth) times weights (depth, columns) to sums.

    The dropout masks, (0, 1 or blocks; batch, depth), are the same at every step.
    """
    if len(masks) == 0:
        multiply(
            a, a0, a_row, ONE, count, depth, weights, ZERO, ZERO, columns, sums, at, row
        )  # fmt: skip
        return
    wide = columns // len(masks)
    for b in range(len(masks)):
        drop_values(a, a0, a_row, depth, count, rows, masks[b], dropped)
        multiply(
            dropped, ZERO, depth, ONE, count, depth, weights, b * depth * wide, ZERO,
            wide, sums, at + b * wide, row,
        )  # fmt: skip


@compile_loop
def project_back(
    d_sums, at, row, depth, count, rows, masks, weights_t, out, out_row, size, dropped
):
    """Add the gradient by what `project` read to out (count, out_row).

    `size` is its values per row; the others of `out` are for whole vectors.
    """
    if len(masks) == 0:
        multiply(
            d_sums, at, row, ONE, count, depth, weights_t, ZERO, ZERO, out_row, out,
            ZERO, out_row,
        )  # fmt: skip
        return
    deep, num = depth // len(masks), len(rows)
    for b in range(len(masks)):
        for j in range(count * out_row):
            dropped[j] = 0
        multiply(
            d_sums, at + b * deep, row, ONE, count, deep, weights_t, b * deep * out_row,
            ZERO, out_row, dropped, ZERO, out_row,
        )  # fmt: skip
        for k in range(count):
            i = rows[k % num]
            for j in range(size):
                out[k * out_row + j] += dropped[k * out_row + j] * masks[b, i, j]


@compile_loop
def add_weight_gradient(
    a, a0, a_row, size, count, rows, masks, d_sums, at, row, columns, out, dropped,
    tiles, panel,
):  # fmt: skip
    """Add the gradient by the weights of `project` to out (size, columns)."""
    if len(masks) == 0:
        add_outer(
            a, a0, a_row, size, count, d_sums, at, row, columns, out, ZERO, columns,
            tiles, panel,
        )  # fmt: skip
        return
    wide = columns // len(masks)
    for b in range(len(masks)):
        drop_values(a, a0, a_row, size, count, rows, masks[b], dropped)
        add_outer(
            dropped, ZERO, size, size, count, d_sums, at + b * wide, row, wide, out,
            b * wide, columns, tiles, panel,
        )  # fmt: skip


@compile_loop
def drop_values(a, a0, a_row, size, count, rows, mask, out):
    """Write rows of a (count, size) times the mask of each row into out."""
    num = len(rows)
    for k in range(count):
        i = rows[k % num]
        for j in range(size):
            out[k * size + j] = a[a0 + k * a_row + j] * mask[i, j]
