"""Matrix products for the loop over the steps, on the processor's vectors.

BLAS packs both matrices at each call and is made for large ones. Here the weights are
packed once per batch, into panels that are two vectors wide. A tile of a few rows and
one panel stays in the processor's registers while the product runs over its depth.

All arrays are flat. A matrix is an array, the place of its first value, and how far
apart its rows are.
"""

from __future__ import annotations

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from shared.kernels.loop.vectors import (
    FUSED,
    copy_vector,
    count_bits,
    count_lanes,
    has_many_registers,
    make_copy,
)

DEPTH = 256  # a panel of so many rows stays in the first cache
ZERO, ONE = np.int64(0), np.int64(1)  # Numba compiles once more for a plain 0
FEW = 32  # rows of a product of two unpacked matrices that fit into the first cache
LINE = 16  # values that the cache reads at once
TALL = 8 if has_many_registers() else 4  # rows of a tile

OPTIONS = {
    "nogil": True,
    "cache": True,
    "error_model": "numpy",
    "fastmath": set(FUSED),
}
compile_counted = numba.njit(**OPTIONS)
# No function assigns to a slice or picks rows by a list: Numba would also compile how
# to word the errors of that, which takes it seconds.
# Without reference counts, which took a third of the time in functions that cut
# slices. Such a function must not make arrays.
compile_loop = numba.njit(_nrt=False, **OPTIONS)


def _make_tile(rows: int, vectors: int):
    """Return a function for Numba that multiplies one tile.

    `function(a, a0, a_row, a_step, b, b0, b_row, c, c0, c_row, depth)` adds to c the
    product of a (rows, depth) and b (depth, vectors * lanes). Steps along a row of `a`
    are `a_step` values long: `a` may be transposed.
    """

    @intrinsic
    def add_tile(_context, a, a0, a_row, a_step, b, b0, b_row, c, c0, c_row, depth):
        signature = types.void(
            a, a0, a_row, a_step, b, b0, b_row, c, c0, c_row, depth
        )  # fmt: skip

        def generate(context, builder, signature, arguments):
            a, a0, a_row, a_step, b, b0, b_row, c, c0, c_row, depth = arguments
            item = signature.args[0].dtype
            lanes, align = count_bits() // item.bitwidth, item.bitwidth // 8
            vector = ir.VectorType(context.get_data_type(item), lanes)
            first_lane = ir.Constant(ir.VectorType(ir.IntType(32), lanes), None)
            nothing = ir.Constant(vector, ir.Undefined)
            integer = depth.type

            def find(array, kind):
                return context.make_array(kind)(context, builder, array).data

            def address(base, place):
                return builder.bitcast(builder.gep(base, [place]), vector.as_pointer())

            def count(number):
                return ir.Constant(integer, number)

            a, b, c = (
                find(array, kind)
                for array, kind in zip(
                    (a, b, c),
                    (signature.args[0], signature.args[4], signature.args[7]),
                    strict=True,
                )
            )
            starts = [
                builder.add(a0, builder.mul(a_row, count(i))) for i in range(rows)
            ]
            targets = [
                address(
                    c,
                    builder.add(
                        builder.add(c0, builder.mul(c_row, count(i))), count(v * lanes)
                    ),
                )
                for i in range(rows)
                for v in range(vectors)
            ]
            before = [builder.load(target, align=align) for target in targets]
            entry = builder.block
            head = builder.append_basic_block("tile")
            body = builder.append_basic_block("tile.step")
            done = builder.append_basic_block("tile.end")
            builder.branch(head)
            builder.position_at_end(head)
            totals = [builder.phi(vector) for _ in targets]
            k, a_place, b_place = (builder.phi(integer) for _ in range(3))
            for phi, start in zip(
                (*totals, k, a_place, b_place),
                (*before, count(0), count(0), b0),
                strict=True,
            ):
                phi.add_incoming(start, entry)
            builder.cbranch(builder.icmp_signed("<", k, depth), body, done)
            builder.position_at_end(body)
            panel = [
                builder.load(
                    address(b, builder.add(b_place, count(v * lanes))), align=align
                )
                for v in range(vectors)
            ]
            sums = []
            for start in starts:
                value = builder.load(builder.gep(a, [builder.add(start, a_place)]))
                one = builder.insert_element(nothing, value, ir.IntType(32)(0))
                every = builder.shuffle_vector(one, nothing, first_lane)
                for part in panel:
                    product = builder.fmul(every, part, flags=FUSED)
                    total = totals[len(sums)]
                    sums.append(builder.fadd(total, product, flags=FUSED))
            for phi, value in zip(
                (*totals, k, a_place, b_place),
                (
                    *sums,
                    builder.add(k, count(1)),
                    builder.add(a_place, a_step),
                    builder.add(b_place, b_row),
                ),
                strict=True,
            ):
                phi.add_incoming(value, body)
            builder.branch(head)
            builder.position_at_end(done)
            for total, target in zip(totals, targets, strict=True):
                builder.store(total, target, align=align)
            return context.get_dummy_value()

        return signature, generate

    return add_tile


_copy_tall = make_copy(lambda _bits: TALL)
_tall_two, _tall_one = _make_tile(TALL, 2), _make_tile(TALL, 1)
_flat_two, _flat_one = _make_tile(1, 2), _make_tile(1, 1)


@compile_loop
def _multiply_panel(
    a, a0, a_tile, a_row, a_step, rows, b, b0, b_row, wide, c, c0, c_row, depth
):
    """Add a (rows, depth) times a panel of b (depth, wide) to c.

    `a_tile` is how far apart its tiles of TALL rows are. The others: see `multiply`.
    """
    tall = rows - rows % TALL
    if wide > count_lanes(c):
        for i in range(0, tall, TALL):
            _tall_two(
                a, a0 + i // TALL * a_tile, a_row, a_step, b, b0, b_row, c,
                c0 + i * c_row, c_row, depth,
            )  # fmt: skip
        for i in range(tall, rows):
            _flat_two(
                a, a0 + i // TALL * a_tile + i % TALL * a_row, a_row, a_step, b, b0,
                b_row, c, c0 + i * c_row, c_row, depth,
            )  # fmt: skip
    else:
        for i in range(0, tall, TALL):
            _tall_one(
                a, a0 + i // TALL * a_tile, a_row, a_step, b, b0, b_row, c,
                c0 + i * c_row, c_row, depth,
            )  # fmt: skip
        for i in range(tall, rows):
            _flat_one(
                a, a0 + i // TALL * a_tile + i % TALL * a_row, a_row, a_step, b, b0,
                b_row, c, c0 + i * c_row, c_row, depth,
            )  # fmt: skip


@compile_loop
def multiply(a, a0, a_row, a_step, rows, depth, b, b0, b_row, columns, c, c0, c_row):
    """Add a (rows, depth) times b (depth, columns) to c (rows, columns).

    Args:
        a: Flat array.
        a0: Place of its first value.
        a_row: Values from a row to the next.
        a_step: Values from a column to the next: 1, or more if `a` is transposed.
        rows: Rows of `a`.
        depth: Columns of `a`.
        b: Flat array.
        b0: Place of its first value.
        b_row: Values from a row to the next; 0 if `layout.pack` has packed it.
        columns: Columns of `b`, a multiple of `count_lanes`.
        c: Flat array.
        c0: Place of its first value.
        c_row: Values from a row to the next.
    """
    lanes = count_lanes(c)
    for first in range(0, depth, DEPTH):
        deep = min(DEPTH, depth - first)
        for j in range(0, columns, 2 * lanes):
            wide = min(2 * lanes, columns - j)
            if b_row == 0:
                from_b, next_b = b0 + j * depth + first * wide, wide
            else:
                from_b, next_b = b0 + j + first * b_row, b_row
            _multiply_panel(
                a, a0 + first * a_step, TALL * a_row, a_row, a_step, rows, b, from_b,
                next_b, wide, c, c0 + j, c_row, deep,
            )  # fmt: skip


@compile_loop
def add_outer(
    a, a0, a_row, rows, depth, b, b0, b_row, columns, c, c0, c_row, a_tiles, b_panel
):
    """Add a transposed, (rows, depth), times b (depth, columns) to c (rows, columns).

    Unless there are few rows, both are packed first: their values lie side by side.

    Args:
        a: Flat array, (depth, rows).
        a0: Place of its first value.
        a_row: Values from one of its rows to the next.
        rows: Rows of the product.
        depth: Rows of `a` and `b`, at most DEPTH.
        b: Flat array.
        b0: Place of its first value.
        b_row: Values from a row to the next.
        columns: Columns of `b`, a multiple of `count_lanes`.
        c: Flat array.
        c0: Place of its first value.
        c_row: Values from a row to the next.
        a_tiles: Buffer of depth * rows values, the rows rounded up to whole tiles.
        b_panel: Buffer of depth * 2 vectors.
    """
    if rows <= FEW:
        multiply(a, a0, ONE, a_row, rows, depth, b, b0, b_row, columns, c, c0, c_row)
        return
    lanes = count_lanes(c)
    tall = rows - rows % TALL
    for first in range(0, tall, LINE):  # so that each line of `a` is read once
        last = min(first + LINE, tall)
        for k in range(depth):
            for i in range(first, last, TALL):
                _copy_tall(a, a0 + k * a_row + i, a_tiles, i * depth + k * TALL)
    for i in range(tall, rows):
        for k in range(depth):
            a_tiles[tall * depth + k * TALL + i - tall] = a[a0 + k * a_row + i]
    for j in range(0, columns, 2 * lanes):
        wide = min(2 * lanes, columns - j)
        for first in range(0, wide, lanes):
            for k in range(depth):
                copy_vector(b, b0 + k * b_row + j + first, b_panel, k * wide + first)
        _multiply_panel(
            a_tiles, ZERO, TALL * depth, ONE, TALL * ONE, rows, b_panel, ZERO, wide,
            wide, c, c0 + j, c_row, depth,
        )  # fmt: skip
