"""The parts of the compiled loop: vectors, products, and how weights lie in memory."""

import os
import subprocess
import sys

import numba
import numpy as np
import pytest

from shared.core.environment import PROJECT
from shared.kernels.loop import layout, products
from shared.kernels.loop.kinds import GATES, GRU, LSTM
from shared.kernels.loop.vector_loop import LINEAR, RELU, SIGMOID, TANH, vector_loop
from shared.kernels.loop.vectors import count_bits

RANDOM = np.random.default_rng(0)
BOUNDS = {"float32": 1e-5, "float64": 1e-13}


@vector_loop
def activate(loop, values):
    """The equations of the test: the gates' activation, in place."""
    values[0] = loop.gate(values[0])


@vector_loop
def differentiate(loop, values):
    values[0] = loop.gate_slope(values[0])


@vector_loop
def flush(loop, values):
    values[0] = loop.flush(values[0])


def apply(function, values, kind=LINEAR, dtype="float32"):
    """Return what the equations make of values."""
    values = np.atleast_1d(np.asarray(values, dtype))
    lanes = count_bits() // (8 * values.itemsize)
    found = np.zeros(-(-len(values) // lanes) * lanes, dtype)
    found[: len(values)] = values
    run = numba.njit(
        lambda values, kind: function((values,), (0,), len(values), 0, kind)
    )
    run(found, kind)
    return found[: len(values)]


VALUES = np.concatenate([
    np.linspace(-12, 12, 200_001), np.logspace(-30, 1, 1000), [0, np.inf, -np.inf],
])  # fmt: skip


@pytest.mark.parametrize(("dtype", "bound"), [("float32", 5e-7), ("float64", 1e-15)])
def test_tanh_is_close(dtype, bound):
    values = VALUES.astype(dtype)
    found = apply(activate, values, TANH, dtype)
    exact = np.tanh(values.astype("float64"))
    assert np.abs(found - exact).max() < bound
    assert np.abs(found).max() <= 1
    some = np.abs(exact) > 1e-30
    assert np.abs(found[some] / exact[some] - 1).max() < bound


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", [LINEAR, TANH, SIGMOID, RELU])
def test_activations_and_their_slopes(kind, dtype):
    values = np.linspace(-6, 6, 1000).astype(dtype)
    exact, slope = {
        LINEAR: (values, np.ones_like(values)),
        TANH: (np.tanh(values), 1 - np.tanh(values) ** 2),
        SIGMOID: (
            1 / (1 + np.exp(-values)),
            np.exp(-values) / (1 + np.exp(-values)) ** 2,
        ),
        RELU: (np.maximum(values, 0), (values > 0).astype(dtype)),
    }[kind]
    found = apply(activate, values, kind, dtype)
    assert np.abs(found - exact).max() < (1e-6 if dtype == "float32" else 1e-14)
    found = apply(differentiate, exact, kind, dtype)
    assert np.abs(found - slope).max() < (1e-6 if dtype == "float32" else 1e-14)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", [LINEAR, TANH, SIGMOID, RELU])
def test_nan_stays_visible(kind, dtype):
    assert np.isnan(apply(activate, np.nan, kind, dtype))


def test_tiny_gradients_become_0():
    values = [1e-19, -1e-19, 1e-21, -1e-21, 0, 3, np.inf, -np.inf]
    expected = [1e-19, -1e-19, 0, 0, 0, 3, np.inf, -np.inf]
    assert np.array_equal(apply(flush, values), np.float32(expected))
    assert np.isnan(apply(flush, np.nan))


def draw(dtype, *shape):
    return RANDOM.normal(size=shape).astype(dtype)


@numba.njit
def multiply(a, a_row, a_step, rows, depth, b, b_row, columns, c):
    products.multiply(a, 0, a_row, a_step, rows, depth, b, 0, b_row, columns, c, 0,
                      columns)  # fmt: skip


@numba.njit
def add_outer(a, rows, depth, b, columns, c, tiles, panel):
    products.add_outer(a, 0, rows, rows, depth, b, 0, columns, columns, c, 0, columns,
                       tiles, panel)  # fmt: skip


@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize(
    ("rows", "depth", "columns"),
    [(1, 1, 16), (3, 5, 48), (4, 300, 80), (19, 32, 96), (16, 513, 16)],
)
def test_products_equal_those_of_numpy(rows, depth, columns, dtype):
    a, b, c = (draw(dtype, *shape) for shape in
               ((rows, depth), (depth, columns), (rows, columns)))  # fmt: skip
    exact = c + a.astype("float64") @ b
    bound = BOUNDS[dtype] * (1 + np.abs(exact).max())
    for ours, b_row in ((b.ravel(), columns), (layout.pack(b), 0)):
        found = c.copy()
        multiply(a.ravel(), depth, 1, rows, depth, ours, b_row, columns, found.ravel())
        assert np.abs(found - exact).max() < bound
    found, turned = c.copy(), np.ascontiguousarray(a.T)
    multiply(turned.ravel(), 1, rows, rows, depth, b.ravel(), columns, columns,
             found.ravel())  # fmt: skip
    assert np.abs(found - exact).max() < bound


@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("rows", [5, products.FEW + 1, 70])
def test_the_product_of_gradients_equals_that_of_numpy(rows, dtype):
    depth, columns = 37, 48
    a, b, c = (draw(dtype, *shape) for shape in
               ((depth, rows), (depth, columns), (rows, columns)))  # fmt: skip
    exact = c + a.T.astype("float64") @ b
    tiles = np.full(depth * (rows + products.TALL), np.nan, dtype)
    panel = np.full(depth * 2 * count_bits() // (8 * a.itemsize), np.nan, dtype)
    add_outer(a.ravel(), rows, depth, b.ravel(), columns, c.ravel(), tiles, panel)
    assert np.abs(c - exact).max() < BOUNDS[dtype] * (1 + np.abs(exact).max())


@pytest.mark.parametrize("kind", [LSTM, GRU])
@pytest.mark.parametrize(("units", "width"), [(5, 8), (8, 8)])
def test_weights_are_the_same_after_spreading_and_gathering(kind, units, width):
    order, gates = layout.order_gates(kind), GATES[kind]
    weights = draw("float32", 3, gates * units)
    wide = layout.spread(weights, order, width).reshape(3, gates, width)
    assert not np.any(wide[:, :, units:])
    for place, gate in enumerate(order):
        one = weights[:, gate * units : (gate + 1) * units]
        assert np.array_equal(wide[:, place, :units], one)
    assert np.array_equal(layout.gather(wide, order, units), weights)


SAME = """
import sys
import numpy as np
from shared.kernels.loop import vectors
bits = int(sys.argv[2])
if bits:
    vectors.count_bits = lambda: bits
    vectors.has_many_registers = lambda: bits == 512
from shared.kernels.loop.kinds import GATES
from shared.kernels.parts import Loop, go_back, read_batch
random, found = np.random.default_rng(0), []
for kind in (0, 1, 2):
    draw = lambda *s: random.normal(size=s).astype("float32")
    mask = random.random((21, 9)) < 0.8
    gates = GATES[kind]
    named = dict(
        x=draw(21, 9, 5), h0=draw(21, 19), c0=draw(21, 19),
        x_weights=draw(5, gates * 19), h_weights=draw(19, gates * 19),
        x_bias=draw(gates * 19), h_bias=draw(gates * 19), mask=mask,
    )
    loop = Loop(kind, 1, 2)
    states, h, c, *kept = read_batch(loop, list(named), True, True, *named.values())
    back = go_back(loop, list(named), *named.values(), *kept, h, c, draw(21, 9, 19))
    found += [states, h, c, *back]
np.savez(sys.argv[1], *found)
print(vectors.count_bits())
"""


@pytest.mark.slow
def test_processors_with_other_vectors_compute_the_same(tmp_path):
    """SSE2 alone, AVX without fused products, and vectors of 512 bits in two pieces."""
    ways = {
        "this": ({}, 0),
        "sse2": ({"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "+sse2"}, 0),
        "avx": ({"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "+avx,+sse4.2"}, 0),
        "wide": ({}, 512),
    }
    results, used = {}, {}
    for name, (settings, bits) in ways.items():
        environment = os.environ | settings | {"NUMBA_CACHE_DIR": str(tmp_path / name)}
        done = subprocess.run(
            [sys.executable, "-c", SAME, str(tmp_path / f"{name}.npz"), str(bits)],
            cwd=PROJECT, env=environment, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
        used[name] = int(done.stdout)
        with np.load(tmp_path / f"{name}.npz") as stored:
            results[name] = [stored[key] for key in stored.files]
    assert used["sse2"] == 128
    assert used["wide"] == 512
    for found in results.values():
        for one, other in zip(found, results["this"], strict=True):
            assert np.abs(one - other).max(initial=0) < 2e-5 * (
                1 + np.abs(other).max(initial=0)
            )
