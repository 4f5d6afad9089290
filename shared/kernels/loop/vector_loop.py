"""Loops over the units of a layer, written as equations.

A buffer is a flat array. A row of it holds blocks of `width` values, such as the gates
of a step. `width` is a multiple of `count_lanes`. A loop over 32 units takes four turns
with AVX and two with AVX-512.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from shared.kernels.loop.vectors import Vector, count_bits, tanh

LINEAR, TANH, SIGMOID, RELU = range(4)
# Smaller gradients become 0: processors are slow with denormal numbers.
VANISHED = {32: 1e-20, 64: 1e-290}


class Row:
    """A row of a buffer while code is generated: `row[2]` is its third block."""

    def __init__(self, loop: VectorLoop, pointer: ir.Value) -> None:
        """Keep the address of the row's first value in this turn of the loop."""
        self.loop, self.pointer = loop, pointer

    def _find(self, block: int) -> ir.Value:
        builder, loop = self.loop.builder, self.loop
        place = builder.add(
            loop.turn, builder.mul(loop.width, ir.Constant(loop.width.type, block))
        )
        address = builder.gep(self.pointer, [place])
        return builder.bitcast(address, loop.kind.as_pointer())

    def __getitem__(self, block: int) -> Vector:
        """Load a vector of a block."""
        builder = self.loop.builder
        return Vector(builder, builder.load(self._find(block), align=self.loop.align))

    def __setitem__(self, block: int, vector: Vector) -> None:
        """Store a vector into a block."""
        builder = self.loop.builder
        builder.store(vector.value, self._find(block), align=self.loop.align)


class VectorLoop:
    """What the equations of `vector_loop` know besides the rows."""

    def __init__(
        self, builder: ir.IRBuilder, kind: ir.VectorType, width: ir.Value
    ) -> None:
        """Keep the type of vectors and the size of a block."""
        self.builder, self.kind, self.width = builder, kind, width
        self.bits = 64 if kind.element == ir.DoubleType() else 32
        self.align = self.bits // 8
        self.turn = self.activation = self.gate_activation = None

    def act(self, x: Vector) -> Vector:
        """Return the activation of the candidate."""
        return self._switch(self.activation, _ACTIVATE, x)

    def gate(self, x: Vector) -> Vector:
        """Return the activation of the gates."""
        return self._switch(self.gate_activation, _ACTIVATE, x)

    def act_slope(self, y: Vector) -> Vector:
        """Return the derivative of the candidate's activation, by its result."""
        return self._switch(self.activation, _DIFFERENTIATE, y)

    def gate_slope(self, y: Vector) -> Vector:
        """Return the derivative of the gates' activation, by its result."""
        return self._switch(self.gate_activation, _DIFFERENTIATE, y)

    def flush(self, x: Vector) -> Vector:
        """Return the values, and 0 for those that vanish."""
        tiny = VANISHED[self.bits]
        kept = x.pick("<", tiny, x.make(0), x)
        return x.pick("<=", -tiny, x, kept)

    def _switch(self, number: ir.Value, ways: dict, x: Vector) -> Vector:
        """Go one of several ways, by a number that is the same in all turns."""
        builder = self.builder
        default = builder.append_basic_block("linear")
        done = builder.append_basic_block("activated")
        switch = builder.switch(number, default)
        results = []
        for key, way in ways.items():
            block = builder.append_basic_block("activate")
            switch.add_case(ir.Constant(number.type, key), block)
            builder.position_at_end(block)
            results.append((way(x).value, builder.block))
            builder.branch(done)
        builder.position_at_end(default)
        results.append((ways[LINEAR](x).value, default))
        builder.branch(done)
        builder.position_at_end(done)
        result = builder.phi(self.kind)
        for value, block in results:
            result.add_incoming(value, block)
        return Vector(builder, result)


_ACTIVATE = {
    TANH: tanh,
    SIGMOID: lambda x: tanh(x * 0.5) * 0.5 + 0.5,
    RELU: lambda x: x.pick("<", 0, x.make(0), x),
    LINEAR: lambda x: x,
}
_DIFFERENTIATE = {
    TANH: lambda y: 1 - y * y,
    SIGMOID: lambda y: y * (1 - y),
    RELU: lambda y: y.pick(">", 0, y.make(1.0), y.make(0.0)),
    LINEAR: lambda y: y.make(1.0),
}


def vector_loop(equations: Callable[..., None]) -> Any:
    """Return a function for Numba that runs equations over all units of some rows.

    Args:
        equations: Reads and writes `Row` objects: `equations(loop, *rows)`.

    Returns:
        `function(buffers, places, width, activation, gate_activation)`: a tuple of flat
        arrays, a tuple of where each one's row begins, the size of a block, and the
        numbers of the activations.
    """

    @intrinsic
    def run(_context, buffers, places, width, activation, gate_activation):
        signature = types.void(buffers, places, width, activation, gate_activation)

        def generate(context, builder, signature, arguments):
            arrays, places, width, activation, gate_activation = arguments
            item = signature.args[0].types[0].dtype
            lanes = count_bits() // item.bitwidth
            kind = ir.VectorType(context.get_data_type(item), lanes)
            loop = VectorLoop(builder, kind, width)
            loop.activation, loop.gate_activation = activation, gate_activation
            rows = []
            for number, array in enumerate(signature.args[0].types):
                struct = context.make_array(array)(
                    context, builder, builder.extract_value(arrays, number)
                )
                place = builder.extract_value(places, number)
                rows.append(Row(loop, builder.gep(struct.data, [place])))
            step = ir.Constant(width.type, lanes)
            with cgutils.for_range_slice(
                builder, ir.Constant(width.type, 0), width, step, width.type
            ) as (turn, _):
                loop.turn = turn
                equations(loop, *rows)
            return context.get_dummy_value()

        return signature, generate

    return run
