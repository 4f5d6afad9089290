"""Vectors of the processor in Numba: loops over a layer's units, written as equations.

Numba leaves it to LLVM whether a loop uses the processor's vectors. Here each operation
is on a vector, so the loop over 32 units is four steps with AVX and two with AVX-512. A
processor with shorter vectors runs the same code in pieces.

A buffer is a flat array. A row of it holds blocks of `width` values, such as the gates
of a step. `width` is a multiple of `count_lanes`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.registry import cpu_target
from numba.extending import intrinsic

LINEAR, TANH, SIGMOID, RELU = range(4)
FUSED = ("contract", "nsz", "arcp")
"""Products and sums may be one instruction. NaN must stay visible."""
# Smaller gradients become 0: processors are slow with denormal numbers.
VANISHED = {32: 1e-20, 64: 1e-290}
# An odd over an even polynomial, fitted to tanh on [0, 9] by least squares. The weights
# were adjusted until the relative error (2e-8) was the same everywhere. Beyond 9, tanh
# rounds to 1.
TANH_ABOVE = (
    1.335465632e-08, 2.060907743e-05, 3.495587766e-03, 1.338102531e-01, 9.999999794e-01,
)  # fmt: skip
TANH_BELOW = (
    7.776555863e-07, 3.285634276e-04, 2.587698074e-02, 4.671434090e-01, 1.0,
)  # fmt: skip
LOG2_E = 1.4426950408889634
LN_2 = (6.93147180369123816490e-01, 1.90821492927058770002e-10)  # its sum is log(2)
ROUNDING = 6755399441055744.0  # 1.5 * 2**52: added, it rounds a float64 to an integer


@functools.cache
def read_features() -> str:
    """Return the features of the processor that Numba compiles for."""
    return str(cpu_target.target_context.codegen().magic_tuple())


def count_bits() -> int:
    """Return the length of a vector: 512 with AVX-512, 256 with AVX, otherwise 128."""
    features = read_features()
    return 512 if "+avx512f" in features else 256 if "+avx," in features else 128


def has_many_registers() -> bool:
    """Return whether the processor has 32 vector registers, not 16."""
    return "+avx512f" in read_features() or "aarch64" in read_features()


@intrinsic
def count_lanes(_context, array):
    """Return how many values of an array's type a vector holds."""
    lanes = count_bits() // array.dtype.bitwidth

    def generate(context, _builder, signature, _arguments):
        return context.get_constant(signature.return_type, lanes)

    return types.intp(array), generate


class Vector:
    """A vector of values while code is generated; operators add instructions."""

    def __init__(self, builder: ir.IRBuilder, value: ir.Value) -> None:
        """Keep where instructions go, and the vector."""
        self.builder, self.value = builder, value

    def make(self, number: float) -> Vector:
        """Return a vector that holds a number in all lanes."""
        kind = self.value.type
        return Vector(self.builder, ir.Constant(kind, [number] * kind.count))

    def _apply(self, name: str, other: Vector | float, turned: bool = False) -> Vector:
        other = other if isinstance(other, Vector) else self.make(other)
        first, second = (other, self) if turned else (self, other)
        operation = getattr(self.builder, name)
        return Vector(self.builder, operation(first.value, second.value, flags=FUSED))

    def __add__(self, other: Vector | float) -> Vector:
        """Add."""
        return self._apply("fadd", other)

    def __sub__(self, other: Vector | float) -> Vector:
        """Subtract."""
        return self._apply("fsub", other)

    def __mul__(self, other: Vector | float) -> Vector:
        """Multiply each value with its counterpart."""
        return self._apply("fmul", other)

    def __truediv__(self, other: Vector | float) -> Vector:
        """Divide."""
        return self._apply("fdiv", other)

    def __rsub__(self, other: float) -> Vector:
        """Subtract from a number."""
        return self._apply("fsub", other, turned=True)

    __radd__, __rmul__ = __add__, __mul__

    def pick(self, how: str, bound: float, yes: Vector, no: Vector) -> Vector:
        """Return `yes` where the comparison with a number holds, never for NaN."""
        compare = self.builder.fcmp_ordered(how, self.value, self.make(bound).value)
        return Vector(self.builder, self.builder.select(compare, yes.value, no.value))

    def clip(self, bound: float) -> Vector:
        """Return the values between -bound and bound."""
        low = self.pick("<", -bound, self.make(-bound), self)
        return low.pick(">", bound, self.make(bound), low)


def tanh(x: Vector) -> Vector:
    """Return tanh, to 5e-7 in float32 and to rounding in float64, at most 1."""
    if x.value.type.element == ir.DoubleType():
        return _tanh_64(x)
    x = x.clip(9)
    square = x * x
    return (x * _sum_powers(square, TANH_ABOVE) / _sum_powers(square, TANH_BELOW)).clip(
        1
    )


def _sum_powers(x: Vector, weights: tuple[float, ...]) -> Vector:
    """Return the polynomial, whose highest weight is the first."""
    total = x.make(weights[0])
    for weight in weights[1:]:
        total = total * x + weight
    return total


def _tanh_64(x: Vector) -> Vector:
    """Return u / (u + 2) with u = exp(2 x) - 1."""
    builder, double = x.builder, x.clip(20) * 2
    whole = (double * LOG2_E + ROUNDING).value  # its last bits are the integer
    n = Vector(builder, whole) - ROUNDING
    rest = double - n * LN_2[0] - n * LN_2[1]
    # exp(r) - 1 = r (1 + r/2 (1 + r/3 (1 + ...)))
    total = x.make(1.0)
    for k in range(13, 1, -1):
        total = total * rest * (1 / k) + 1.0
    small = total * rest
    integers = ir.VectorType(ir.IntType(64), x.value.type.count)

    def repeat(number: int) -> ir.Constant:
        return ir.Constant(integers, [number] * integers.count)

    bits = builder.shl(builder.bitcast(whole, integers), repeat(52))
    power = builder.bitcast(builder.add(bits, repeat(1023 << 52)), x.value.type)
    scale = Vector(builder, power)
    u = scale * small + (scale - 1.0)
    return (u / (u + 2.0)).clip(1)


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


def make_copy(count: Callable[[int], int]) -> Any:
    """Return a function for Numba that copies a few values at once.

    Args:
        count: From the bits of a value to how many values are copied.

    Returns:
        `function(values, place, out, out_place)`, for flat arrays.
    """

    @intrinsic
    def copy(_context, values, place, out, out_place):
        signature = types.void(values, place, out, out_place)

        def generate(context, builder, signature, arguments):
            values, place, out, out_place = arguments
            item = signature.args[0].dtype
            number = context.get_data_type(item)
            pointer = ir.VectorType(number, count(item.bitwidth)).as_pointer()

            def find(array, kind, place):
                data = context.make_array(kind)(context, builder, array).data
                return builder.bitcast(builder.gep(data, [place]), pointer)

            align = item.bitwidth // 8
            source = find(values, signature.args[0], place)
            target = find(out, signature.args[2], out_place)
            builder.store(builder.load(source, align=align), target, align=align)
            return context.get_dummy_value()

        return signature, generate

    return copy


copy_vector = make_copy(lambda bits: count_bits() // bits)
