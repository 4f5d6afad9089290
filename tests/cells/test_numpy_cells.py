"""The cells in NumPy, against values by hand, finite differences and Keras."""

import dataclasses
import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from shared.cells.numpy_cells import GRU, LSTM, SimpleRNN
from tests.helpers import run_python

BATCH, STEPS, FEATURES, UNITS = 2, 5, 3, 4
CELLS = {"SimpleRNN": SimpleRNN, "LSTM": LSTM, "GRU": GRU}
OPTIONS = [
    ("SimpleRNN", {}),
    ("SimpleRNN", {"activation": "relu"}),
    ("LSTM", {}),
    ("LSTM", {"activation": "linear", "recurrent_activation": "tanh"}),
    ("GRU", {}),
    ("GRU", {"reset_after": False}),
    ("GRU", {"update_gate": "writes"}),
    ("GRU", {"update_gate": "writes", "reset_after": False}),
    ("GRU", {"activation": "relu", "recurrent_activation": "tanh"}),
]
# Holes, padding on either side, and a row where nothing is read.
MASK = np.array([[0, 1, 0, 1, 1], [1, 1, 1, 0, 0], [0, 0, 0, 0, 0]], bool)
STEP = 1e-6  # of the finite differences


@functools.cache
def draw(seed, *shape):
    return np.random.default_rng(seed).normal(0, 0.7, shape)


def make_cell(name, bias=True, seed=0, **options):
    kind = CELLS[name]
    wide = kind.num_gates * UNITS
    two = name == "GRU" and options.get("reset_after", True)
    shape = (2, wide) if two else (wide,)
    weights = draw(seed, FEATURES, wide), draw(seed + 1, UNITS, wide)
    return kind(*weights, draw(seed + 2, *shape) if bias else None, **options)


def make_case(name, mask, start):
    """Return the arguments of a cell: inputs, initial state, mask."""
    rows = BATCH if mask is None else len(mask)
    inputs = draw(5, rows, STEPS, FEATURES)
    state = None
    if start:
        state = tuple(draw(6 + k, rows, UNITS) for k in range(CELLS[name].num_states))
    return inputs, state, mask


def sum_weighted(trace):
    """Return a weighted sum of all outputs and of the final state."""
    parts = [trace.outputs, *trace.final_state]
    return sum(np.sum(draw(20 + k, *part.shape) * part) for k, part in enumerate(parts))


def go_back(cell, trace):
    """Return the gradients of `sum_weighted`."""
    parts = enumerate([trace.outputs, *trace.final_state])
    d_outputs, *d_state = (draw(20 + k, *p.shape).astype(p.dtype) for k, p in parts)
    return cell.backward(trace, d_outputs, d_state)


def differentiate(function, array):
    """Return central finite differences of a function of an array."""
    gradient = np.empty_like(array)
    for place in np.ndindex(array.shape):
        values = []
        for sign in (1, -1):
            moved = array.copy()
            moved[place] += sign * STEP
            values.append(function(moved))
        gradient[place] = (values[0] - values[1]) / (2 * STEP)
    return gradient


def assert_near(ours, theirs, bound):
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() <= bound


@pytest.mark.parametrize(
    ("bias", "mask", "start"),
    [(True, None, False), (True, MASK, True), (False, MASK, False)],
    ids=["plain", "mask and initial state", "mask, no bias"],
)
@pytest.mark.parametrize(("name", "options"), OPTIONS, ids=str)
def test_gradients_equal_finite_differences(name, options, bias, mask, start):
    cell = make_cell(name, bias, **options)
    inputs, state, mask = make_case(name, mask, start)
    trace = cell.forward(inputs, state, mask)
    gradients = go_back(cell, trace)

    found = differentiate(lambda x: sum_weighted(cell.forward(x, state, mask)), inputs)
    assert_near(gradients.inputs, found, 1e-7)
    for weights in ("kernel", "recurrent_kernel", "bias"):
        if (values := getattr(cell, weights)) is None:
            assert gradients.bias is None
            continue

        def rerun(moved, weights=weights):
            other = dataclasses.replace(cell, **{weights: moved})
            return sum_weighted(other.forward(inputs, state, mask))

        assert_near(getattr(gradients, weights), differentiate(rerun, values), 1e-7)
    for k, values in enumerate(state or ()):

        def restart(moved, k=k):
            other = (*state[:k], moved, *state[k + 1 :])
            return sum_weighted(cell.forward(inputs, other, mask))

        found = differentiate(restart, values)
        assert_near(gradients.initial_state[k], found, 1e-7)


@pytest.mark.parametrize("t", [0, 2, STEPS - 1])
@pytest.mark.parametrize(("name", "options"), OPTIONS, ids=str)
def test_the_gradient_by_a_state_is_the_effect_of_changing_it(name, options, t):
    """Change the state after some step, then read the rest of the sequence."""
    cell = make_cell(name, **options)
    inputs, start, _ = make_case(name, None, True)
    trace = cell.forward(inputs, start)
    gradients = go_back(cell, trace)
    d_outputs = draw(20, *trace.outputs.shape)
    state = [values[:, t + 1] for values in trace.states]

    def go_on(*state):
        total, ends = np.sum(d_outputs[:, t] * state[0]), state
        if t + 1 < STEPS:
            rest = cell.forward(inputs[:, t + 1 :], state)
            total += np.sum(d_outputs[:, t + 1 :] * rest.outputs)
            ends = rest.final_state
        return total + sum(
            np.sum(draw(21 + k, *h.shape) * h) for k, h in enumerate(ends)
        )

    found = differentiate(lambda h: go_on(h, *state[1:]), state[0])
    assert_near(gradients.states[0][:, t], found, 1e-7)
    if name == "LSTM":  # c changes h of the same step: h = o * act(c)
        act = np.tanh if cell.activation == "tanh" else np.positive
        o = trace.gates["o"][:, t]
        found = differentiate(lambda c: go_on(o * act(c), c), state[1])
        assert_near(gradients.states[1][:, t], found, 1e-7)


def test_the_gradient_by_a_state_counts_each_masked_copy():
    cell = make_cell("LSTM")
    mask = np.array([[1, 1, 0, 0]], bool)
    inputs = draw(1, 1, 4, FEATURES)
    trace = cell.forward(inputs, mask=mask)
    d_outputs = np.ones((1, 4, UNITS))
    d_h, d_c = cell.backward(trace, d_outputs).states
    # One output left, two, three: a masked step passes on what comes later.
    assert np.allclose(d_h[0, :, 0][1:], [3, 2, 1])
    assert np.array_equal(d_c[0, 2:], np.zeros((2, UNITS)))
    assert np.all(d_c[0, 1] != 0)


def test_a_simple_rnn_by_hand():
    cell = SimpleRNN(np.array([[2.0]]), np.array([[3.0]]), np.array([0.5]), "linear")
    trace = cell.forward(np.array([[[1.0], [-1.0]]]), [np.array([[0.25]])])
    # 2 + 0.75 + 0.5 = 3.25, then -2 + 9.75 + 0.5 = 8.25
    assert trace.outputs.ravel().tolist() == [3.25, 8.25]
    gradients = cell.backward(trace, d_state=[np.array([[1.0]])])
    assert gradients.states[0].ravel().tolist() == [3, 1]
    assert gradients.inputs.ravel().tolist() == [6, 2]
    assert gradients.initial_state[0].item() == 9
    assert gradients.kernel.item() == 3 * 1 + 1 * -1
    assert gradients.recurrent_kernel.item() == 3 * 0.25 + 1 * 3.25
    assert gradients.bias.item() == 4


def test_an_lstm_by_hand():
    # Sums of 0 make i, f and o one half. The candidate is 2 x.
    kernel = np.array([[0.0, 0.0, 2.0, 0.0]])
    cell = LSTM(kernel, np.zeros((1, 4)), np.zeros(4), activation="linear")
    trace = cell.forward(np.array([[[3.0], [1.0]]]))
    # c = 0.5 * 6 = 3, then 0.5 * 3 + 0.5 * 2 = 2.5; h is half of it
    assert trace.states[1].ravel().tolist() == [0, 3, 2.5]
    assert trace.outputs.ravel().tolist() == [1.5, 1.25]
    gradients = cell.backward(trace, d_state=[np.ones((1, 1)), np.zeros((1, 1))])
    assert gradients.states[1].ravel().tolist() == [0.25, 0.5]
    assert gradients.inputs.ravel().tolist() == [0.25 * 0.5 * 2, 0.5 * 0.5 * 2]
    # The slope of a sigmoid at one half is one quarter.
    i, f, g, o = gradients.bias
    assert (i, f) == (0.25 * 6 / 4 + 0.5 * 2 / 4, 0.5 * 3 / 4)
    assert (g, o) == (0.25 * 0.5 + 0.5 * 0.5, 2.5 / 4)


@pytest.mark.parametrize(
    ("update_gate", "reset_after", "after"),
    [
        ("keeps", True, 2 + 0.8 * 4),
        ("writes", True, 8 + 0.2 * 4),
        ("keeps", False, 2 + 0.8 * 3),
        ("writes", False, 8 + 0.2 * 3),
    ],
)
def test_a_gru_by_hand(update_gate, reset_after, after):
    # h = 10, z = 0.2, r = 0.5. With the reset after the product the candidate is
    # 1 + 0.5 * (0.4 * 10 + 2) = 4. Before it, it is 1 + 0.4 * (0.5 * 10) = 3.
    bias = np.array([[0.2, 0.5, 1.0], [0.0, 0.0, 2.0]])
    cell = GRU(
        np.zeros((1, 3)), np.array([[0.0, 0.0, 0.4]]), bias if reset_after else bias[0],
        "linear", "linear", reset_after, update_gate,
    )  # fmt: skip
    trace = cell.forward(np.zeros((1, 1, 1)), [np.array([[10.0]])])
    assert trace.outputs.item() == pytest.approx(after)
    assert trace.gates["n"].item() == pytest.approx(4 if reset_after else 3)


@pytest.mark.parametrize("reset_after", [True, False])
def test_the_other_update_gate_is_the_same_network_with_other_signs(reset_after):
    keeps = make_cell("GRU", reset_after=reset_after)
    negated = {}
    for name in ("kernel", "recurrent_kernel", "bias"):
        negated[name] = getattr(keeps, name).copy()
        negated[name][..., :UNITS] *= -1
    writes = dataclasses.replace(keeps, update_gate="writes", **negated)
    inputs, state, mask = make_case("GRU", MASK, True)
    traces = [cell.forward(inputs, state, mask) for cell in (keeps, writes)]
    assert_near(traces[0].outputs, traces[1].outputs, 1e-15)
    assert_near(traces[0].gates["z"], 1 - traces[1].gates["z"], 1e-15)
    plain = dataclasses.replace(keeps, update_gate="writes").forward(inputs, state)
    assert np.abs(plain.outputs - traces[0].outputs).max() > 0.1
    found, other = go_back(keeps, traces[0]), go_back(writes, traces[1])
    other.kernel[:, :UNITS] *= -1
    assert_near(found.kernel, other.kernel, 1e-13)
    assert_near(found.inputs, other.inputs, 1e-13)


@pytest.mark.parametrize("name", CELLS)
def test_masked_steps_change_nothing(name):
    cell = make_cell(name)
    inputs, start, mask = make_case(name, MASK, True)
    trace = cell.forward(inputs, start, mask)
    # The values of masked steps are not read, not even NaN.
    dirty = np.where(mask[:, :, None], inputs, np.nan)
    gradients, others = (
        go_back(cell, cell.forward(values, start, mask)) for values in (inputs, dirty)
    )
    assert np.array_equal(gradients.kernel, others.kernel)
    assert not gradients.inputs[~mask].any()
    # A row without its holes ends in the same state.
    for row in (0, 1):
        closed = inputs[row, mask[row]][None]
        begin = [values[row][None] for values in start]
        short = cell.forward(closed, begin)
        for one, other in zip(short.final_state, trace.final_state, strict=True):
            assert_near(one[0], other[row], 1e-15)
    assert np.array_equal(trace.outputs[0, 2], trace.outputs[0, 1])
    assert not trace.outputs[0, 0].any()
    # Where nothing is read, the state stays the same, but no output shows it.
    assert not trace.outputs[2].any()
    assert np.array_equal(trace.final_state[0][2], start[0][2])
    assert np.array_equal(gradients.initial_state[0][2], draw(21, 3, UNITS)[2])


KERAS = {
    "SimpleRNN": keras.layers.SimpleRNN,
    "LSTM": keras.layers.LSTM,
    "GRU": keras.layers.GRU,
}
BOUNDS = {"float64": 1e-12, "float32": 1e-5}


@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("masked", [False, True], ids=["all steps", "some steps"])
@pytest.mark.parametrize(
    ("name", "options"),
    [case for case in OPTIONS if "update_gate" not in case[1]]
    + [("GRU", {"use_bias": False}), ("LSTM", {"use_bias": False})],
    ids=str,
)
def test_cells_equal_keras_layers(name, options, masked, dtype):
    mask = MASK if masked else None
    inputs, start, _ = make_case(name, mask, True)
    inputs = inputs.astype(dtype)
    start = [values.astype(dtype) for values in start]
    keras.utils.set_random_seed(3)
    layer = KERAS[name](
        UNITS, return_sequences=True, return_state=True, dtype=dtype,
        bias_initializer="random_normal", **options,
    )  # fmt: skip
    layer.build(inputs.shape)
    options = {k: value for k, value in options.items() if k != "use_bias"}
    cell = CELLS[name](*layer.get_weights(), **options)
    trace = cell.forward(inputs, start, mask)
    gradients = go_back(cell, trace)
    assert trace.outputs.dtype == gradients.kernel.dtype == dtype

    x, states = tf.constant(inputs), [tf.constant(values) for values in start]
    with tf.GradientTape() as tape:
        tape.watch([x, *states])
        theirs = layer(x, initial_state=states, mask=mask)
        numbers = [draw(20 + k, *part.shape) for k, part in enumerate(theirs)]
        loss = sum(
            tf.reduce_sum(tf.constant(n, dtype) * part)
            for n, part in zip(numbers, theirs, strict=True)
        )
    weights = [variable.value for variable in layer.trainable_variables]
    found = tape.gradient(loss, [x, *states, *weights])
    ours = [gradients.inputs, *gradients.initial_state, gradients.kernel,
            gradients.recurrent_kernel, gradients.bias]  # fmt: skip
    for one, other in zip(trace.outputs, theirs[0].numpy(), strict=True):
        assert_near(one, other, BOUNDS[dtype])
    for one, other in zip(trace.final_state, theirs[1:], strict=True):
        assert_near(one, other.numpy(), BOUNDS[dtype])
    for one, other in zip([g for g in ours if g is not None], found, strict=True):
        assert_near(one, other.numpy(), BOUNDS[dtype])


def test_weights_of_wrong_shape_are_refused():
    kernel, recurrent = np.zeros((3, 12)), np.zeros((4, 12))
    with pytest.raises(ValueError, match=r"bias has shape \(12,\), not \(2, 12\)"):
        GRU(kernel, recurrent, np.zeros(12))
    with pytest.raises(ValueError, match=r"bias has shape \(2, 12\), not \(12,\)"):
        GRU(kernel, recurrent, np.zeros((2, 12)), reset_after=False)
    with pytest.raises(ValueError, match=r"kernel has shape \(3, 12\), not \(3, 16\)"):
        LSTM(kernel, recurrent)
    with pytest.raises(ValueError, match="recurrent_activation 'swish'"):
        GRU(kernel, recurrent, recurrent_activation="swish")


def test_cells_need_no_keras():
    program = (
        "import sys, shared.cells.numpy_cells\n"
        "heavy = {'tensorflow', 'keras', 'scipy', 'numba'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = run_python("-c", program)
    assert done.returncode == 0, done.stderr
