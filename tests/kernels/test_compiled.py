"""The compiled loop computes the same as Keras' loop, forward and backward."""

from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from threadpoolctl import threadpool_info, threadpool_limits

from shared.core.environment import THREADS
from shared.kernels import parts
from shared.kernels.compiled import use_compiled_loop, use_keras_loop

BATCH, STEPS, FEATURES, UNITS = 19, 18, 5, 6
DROPOUT_SEED = [5, 6]
CELLS = {"SimpleRNN": layers.SimpleRNN, "LSTM": layers.LSTM, "GRU": layers.GRU}
# Relative to 1 plus the largest value. Sums have up to 700 products.
BOUNDS = {"float32": 1e-5, "float64": 1e-12}

CASES = [
    ("SimpleRNN", {}),
    ("SimpleRNN", {"activation": "relu", "use_bias": False}),
    ("SimpleRNN", {"dropout": 0.3, "recurrent_dropout": 0.4}),
    ("SimpleRNN", {"return_sequences": True, "go_backwards": True}),
    ("LSTM", {}),
    ("LSTM", {"activation": "linear", "recurrent_activation": "tanh"}),
    ("LSTM", {"dropout": 0.3, "return_sequences": True}),
    ("LSTM", {"dropout": 0.3, "implementation": 1, "use_cudnn": False}),
    ("LSTM", {"dropout": 0.1, "recurrent_dropout": 0.4, "use_bias": False}),
    ("GRU", {}),
    ("GRU", {"activation": "relu", "go_backwards": True}),
    ("GRU", {"use_bias": False, "return_sequences": True}),
    ("GRU", {"dropout": 0.3}),
    ("GRU", {"dropout": 0.3, "implementation": 1, "use_cudnn": False}),
    ("GRU", {"recurrent_dropout": 0.4, "return_sequences": True}),
    ("GRU", {"reset_after": False}),
    ("GRU", {"reset_after": False, "use_bias": False, "go_backwards": True}),
    (
        "GRU",
        {"reset_after": False, "dropout": 0.1, "recurrent_dropout": 0.4,
         "return_sequences": True},
    ),
]  # fmt: skip


def draw(dtype, *shape):
    values = np.random.default_rng(0).normal(size=shape or (BATCH, STEPS, FEATURES))
    return tf.constant(values, dtype)


def make_mask(kind, batch=BATCH, steps=STEPS):
    random = np.random.default_rng(1)
    lengths = random.integers(1, steps + 1, (batch, 1))
    place = np.arange(steps)[None]
    masks = {
        "none": None,
        "left": place >= steps - lengths,
        "right": place < lengths,
        "holes": random.random((batch, steps)) < 0.5,
    }
    mask = masks[kind]
    if mask is not None:
        mask[3] = False  # nothing to read in this row
        mask[4] = True
        mask = tf.constant(mask)
    return mask


def make_layer(cell, dtype, x, units=UNITS, **flags):
    keras.utils.set_random_seed(2)
    layer = CELLS[cell](units, dtype=dtype, bias_initializer="random_normal", **flags)
    layer.build(x.shape)
    return layer


def make_weights(outputs):
    """Return weights that differ between any seven neighbours."""
    numbers = tf.reshape(tf.range(tf.size(outputs)) % 7, outputs.shape)
    return tf.cast(numbers, outputs.dtype)


def differentiate(layer, x, mask=None, **call):
    """Return outputs, and gradients of their weighted sum by inputs and weights."""
    layer.cell.seed_generator.state.assign(DROPOUT_SEED)  # the same dropout every time
    with tf.GradientTape() as tape:
        tape.watch(x)
        outputs = tf.nest.flatten(layer(x, mask=mask, training=True, **call))
        loss = tf.add_n([tf.reduce_sum(o * make_weights(o)) for o in outputs])
    weights = [variable.value for variable in layer.trainable_variables]
    return [*outputs, *tape.gradient(loss, [x, *weights])]


def assert_close(ours, theirs, dtype):
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        scale = 1 + float(tf.reduce_max(abs(other)))
        assert float(tf.reduce_max(abs(one - other))) <= BOUNDS[dtype] * scale


MASKS = ["none", "left", "right", "holes"]


def list_comparisons():
    """Return every case with every mask in both types of numbers.

    The fast ones are three masks of a case, two in float64 and another one in float32.
    """
    for number, (cell, flags) in enumerate(CASES):
        for place, mask in enumerate(MASKS):
            turn = (place - number) % len(MASKS)
            for dtype in BOUNDS:
                fast = turn in ((1,) if dtype == "float32" else (0, 2))
                # One process compiles for float64; both would begin at once.
                marks = [pytest.mark.xdist_group("float64")] * (dtype == "float64")
                yield pytest.param(
                    cell,
                    flags,
                    mask,
                    dtype,
                    id=f"{cell}-{flags}-{mask}-{dtype}",
                    marks=marks if fast else [*marks, pytest.mark.slow],
                )


@pytest.mark.parametrize(("cell", "flags", "mask", "dtype"), list_comparisons())
def test_outputs_and_gradients_equal_those_of_keras(cell, flags, mask, dtype):
    x = draw(dtype)
    layer = make_layer(cell, dtype, x, **flags)
    theirs = differentiate(layer, x, make_mask(mask))
    use_compiled_loop(layer)
    ours = differentiate(layer, x, make_mask(mask))
    assert_close(ours, theirs, dtype)
    if mask == "none":
        use_keras_loop(layer)
        layer.cell.seed_generator.state.assign(DROPOUT_SEED)
        assert np.array_equal(layer(x, training=True), theirs[0])


@pytest.mark.parametrize("cell", CELLS)
def test_initial_and_final_states(cell):
    x = draw("float64")
    layer = make_layer(cell, "float64", x, return_state=True, return_sequences=True)
    start = [draw("float64", BATCH, UNITS)] * (2 if cell == "LSTM" else 1)
    for mask in ("none", "left", "holes"):
        arguments = {"mask": make_mask(mask), "initial_state": start}
        theirs = differentiate(layer, x, **arguments)
        use_compiled_loop(layer)
        assert_close(differentiate(layer, x, **arguments), theirs, "float64")
        use_keras_loop(layer)


@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("mask", ["left", "right", "holes"])
def test_masked_steps_are_zero_where_keras_has_zero(mask, sequences):
    x = draw("float64")
    flags = {"zero_output_for_mask": True, "return_sequences": sequences}
    layer = make_layer("LSTM", "float64", x, **flags)
    theirs = differentiate(layer, x, make_mask(mask))
    use_compiled_loop(layer)
    assert_close(differentiate(layer, x, make_mask(mask)), theirs, "float64")


def test_gradients_without_training_mode():
    x = draw("float64")
    layer = make_layer("GRU", "float64", x, dropout=0.5)

    def differentiate_quietly():
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(layer(x, training=False) ** 2)
        return tape.gradient(loss, [x, layer.cell.kernel.value])

    theirs = differentiate_quietly()
    use_compiled_loop(layer)
    assert_close(differentiate_quietly(), theirs, "float64")


def test_an_empty_batch_and_a_mask_of_numbers_work():
    x = draw("float32")
    layer = make_layer("GRU", "float32", x)
    use_compiled_loop(layer)
    found = differentiate(layer, x[:0])
    assert found[0].shape == (0, UNITS)
    assert not any(np.any(gradient) for gradient in found[1:])
    mask = make_mask("left")
    numbers = layer(x, mask=tf.cast(mask, "float32"))
    assert np.array_equal(numbers, layer(x, mask=mask))


@pytest.mark.parametrize("cell", CELLS)
def test_wide_layers_and_large_batches_have_other_parts(cell):
    x = draw("float32", 70, 18, 40)
    layer = make_layer(cell, "float32", x, units=parts.WIDE + 3)
    theirs = differentiate(layer, x, make_mask("left", 70, 18))
    use_compiled_loop(layer)
    assert_close(differentiate(layer, x, make_mask("left", 70, 18)), theirs, "float32")


def test_both_directions_and_a_stack_in_a_model():
    inputs = keras.Input((None, FEATURES))
    masked = layers.Masking(0.0)(inputs)
    both = layers.Bidirectional(layers.LSTM(4, return_sequences=True))
    outputs = layers.GRU(3)(both(masked))
    model = keras.Model(inputs, outputs)
    x = draw("float32").numpy()
    x[:, :7] = 0
    theirs = model.predict(x, verbose=0)
    for layer in (both.forward_layer, both.backward_layer, model.layers[-1]):
        use_compiled_loop(layer)
    model.predict_function = None  # it was traced with the old loops
    assert np.abs(model.predict(x, verbose=0) - theirs).max() < 1e-6


def test_both_directions_train_in_parallel(monkeypatch):
    """TensorFlow may run the two calls at the same time."""
    monkeypatch.setattr(parts, "SMALL", 0)
    x, y = draw("float32").numpy(), np.arange(BATCH) % 2
    losses = []
    for compile_them in (False, True):
        keras.utils.set_random_seed(4)
        inputs = keras.Input((None, FEATURES))
        both = layers.Bidirectional(layers.GRU(4))
        model = keras.Model(inputs, layers.Dense(1)(both(inputs)))
        if compile_them:
            use_compiled_loop(both.forward_layer)
            use_compiled_loop(both.backward_layer)
        model.compile("adam", "mse", steps_per_execution=2)
        history = model.fit(x, y, epochs=5, batch_size=4, shuffle=False, verbose=0)
        losses.append(history.history["loss"])
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


@pytest.mark.parametrize(("small", "helpers"), [(0, 2 * (0 + 1 + 2)), (1e12, 0)])
def test_the_number_of_cores_changes_no_bit(monkeypatch, small, helpers):
    """Small batches are read on one core, whatever the number of cores."""
    monkeypatch.setattr(parts, "SMALL", small)
    used, pool = [], parts._pool
    monkeypatch.setattr(parts, "_pool", lambda count: used.append(1) or pool(count))
    x = draw("float32", 50, 30, FEATURES)
    layer = make_layer("GRU", "float32", x)
    use_compiled_loop(layer)
    found = []
    for threads in ("1", "2", "3"):
        monkeypatch.setenv(THREADS, threads)
        found.append([a.numpy().tobytes() for a in differentiate(layer, x)])
    assert found[0] == found[1] == found[2]
    assert len(used) == helpers


def test_blas_has_one_core_in_every_run_of_a_process():
    """Otherwise the number of cores would change bits. TensorFlow has own threads."""
    x = draw("float32", 2, 3, FEATURES)
    with threadpool_limits(2, user_api="blas"):
        for _ in range(2):
            threadpool_limits(2, user_api="blas")  # as --threads 2 does
            layer = make_layer("GRU", "float32", x)
            use_compiled_loop(layer)
            with ThreadPoolExecutor(1) as pool:
                pool.submit(layer, x).result()
            libraries = threadpool_info()
            assert {
                row["num_threads"] for row in libraries if row["user_api"] == "blas"
            } == {1}


def test_old_values_in_memory_are_not_read():
    x = draw("float32", 64, 40, FEATURES)
    mask = make_mask("left", 64, 40)
    layer = make_layer("LSTM", "float32", x)
    use_compiled_loop(layer)
    first = differentiate(layer, x, mask)
    for _ in range(20):
        junk = [np.full((64, 40, k), np.nan, "float32") for k in (5, 6, 30)]
        del junk  # the next array may use this memory
        again = differentiate(layer, x, mask)
        assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


def test_no_gradient_is_lost_where_only_some_steps_count():
    x = draw("float64")
    layer = make_layer("GRU", "float64", x, return_sequences=True)

    def by_step(step):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(layer(x)[:, step])
        return tape.gradient(loss, x)

    for step in (0, 11, STEPS - 1):
        theirs = by_step(step)
        use_compiled_loop(layer)
        ours = by_step(step)
        use_keras_loop(layer)
        assert np.abs(ours - theirs).max() < 1e-12
        assert not np.any(ours[:, step + 1 :])


def test_nan_stays_visible():
    values = draw("float32").numpy()
    values[2, STEPS - 1] = np.nan
    layer = make_layer("GRU", "float32", tf.constant(values))
    use_compiled_loop(layer)
    states = layer(tf.constant(values)).numpy()
    assert np.isnan(states[2]).all()
    assert np.isfinite(np.delete(states, 2, axis=0)).all()
