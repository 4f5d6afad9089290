"""Projections of inputs and states, with dropout masks or without."""

from __future__ import annotations

from shared.kernels.loop.products import add_outer, compile_loop, multiply


@compile_loop
def project(
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
        drop_values(a, a0, a_row, depth, count, rows, masks[b], dropped)
        multiply(
            dropped, 0, depth, 1, count, depth, weights, b * depth * wide, 0, wide,
            sums, at + b * wide, row,
        )  # fmt: skip


@compile_loop
def project_back(
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
def add_weight_gradient(
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
        drop_values(a, a0, a_row, size, count, rows, masks[b], dropped)
        add_outer(
            dropped, 0, size, size, count, d_sums, at + b * wide, row, wide, out,
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
