"""Vectors of the processor in Numba.

Numba leaves it to LLVM whether a loop uses the processor's vectors. Here each operation
is on a vector. A processor with shorter vectors runs the same code in pieces.
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

FUSED = ("contract", "nsz", "arcp")
"""Products and sums may be one instruction. NaN must stay visible."""
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


@intrinsic
def prefetch(_context, values, place):
    """Ask the processor to bring a line of a flat array into its cache.

    Any place is allowed, also beyond the end.
    """

    def generate(context, builder, signature, arguments):
        data = context.make_array(signature.args[0])(
            context, builder, arguments[0]
        ).data
        address = builder.bitcast(
            builder.gep(data, [arguments[1]]), ir.IntType(8).as_pointer()
        )
        number = ir.IntType(32)
        function = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(ir.VoidType(), [address.type, number, number, number]),
            "llvm.prefetch.p0",
        )
        read, keep, data_cache = (ir.Constant(number, value) for value in (0, 3, 1))
        builder.call(function, [address, read, keep, data_cache])
        return context.get_dummy_value()

    return types.void(values, place), generate
