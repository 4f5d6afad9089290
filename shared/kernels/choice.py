"""Which loop the recurrent layers run on: as requested, or as a measurement shows."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import random
import statistics
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.core.cache import read_cached, write_cached
from shared.core.context import Jit
from shared.core.environment import describe_machine
from shared.core.flags import resolve_config
from shared.kernels.ahead import hash_sources, start_compiling
from shared.kernels.compiled import (
    find_problem,
    use_compiled_loop,
    use_keras_loop,
)
from shared.kernels.plan import list_recurrent_layers, read_traits
from shared.layers.recurrent import RecurrentConfig, set_implementation

if TYPE_CHECKING:
    import keras

REPEATS = 3
ACCEPTED_LOSS = 1.05  # a choice this close to the fastest counts as equally fast
TYPICAL_STEPS = 240  # used where batches differ in length; mean review of IMDB

Choice = dict[str, str]
CHOICES: dict[str, Choice] = {
    "compiled": {"kernel": "compiled", "jit": "off"},
    "keras": {"kernel": "keras", "jit": "off"},
    "keras under XLA": {"kernel": "keras", "jit": "on", "cudnn": "off"},
}
"""What `--kernel auto` tries. On a machine with a GPU, Keras' loop may be cuDNN."""


def prepare_kernel(config: Any) -> None:
    """Start to compile the loop, if the layers of a config may run on it.

    Args:
        config: Of a recipe, validated, before its defaults are resolved.
    """
    layers = [getattr(config, field.name) for field in dataclasses.fields(config)]
    if any(
        isinstance(layer, RecurrentConfig)
        and layer.kernel != "keras"
        and not layer.list_unsupported_options()
        for layer in layers
    ):
        start_compiling()


def use_available_kernel(config: Any) -> Any:
    """Return a config with Keras' loop where the compiled loop cannot run.

    Prints why.

    Args:
        config: The resolved config of a recipe.
    """
    layers = {
        field.name: layer
        for field in dataclasses.fields(config)
        if isinstance(layer := getattr(config, field.name), RecurrentConfig)
        and layer.kernel == "compiled"
    }
    if not layers or not _explain_problem():
        return config
    changes = {
        name: dataclasses.replace(layer, kernel="keras")
        for name, layer in layers.items()
    }
    return resolve_config(dataclasses.replace(config, **changes))


def apply_kernel(model: keras.Model, kernel: str) -> bool:
    """Set the loop of a model's recurrent layers: Keras' own or the compiled one.

    Args:
        model: Its layers keep their weights. A layer that the compiled loop cannot run
            stays on Keras' loop, and its plan shows why.
        kernel: `keras` or `compiled`.

    Returns:
        Whether any layer runs on the compiled loop.
    """
    compiled = False
    if kernel == "compiled" and _explain_problem():
        kernel = "keras"
    for layer in list_recurrent_layers(model):
        use_keras_loop(layer)
        if (
            kernel == "compiled"
            and not read_traits(layer, None).list_unsupported_options()
        ):
            use_compiled_loop(layer)
            compiled = True
    return compiled


def _explain_problem() -> bool:
    """Return whether the compiled loop cannot run here, and print why."""
    if problem := find_problem():
        print(f"The compiled loop cannot run here: {problem}. Keras' loop runs.")
    return bool(problem)


def choose_kernel(
    model: keras.Model, batch_size: int, jit: Jit = "auto"
) -> tuple[str, Choice]:
    """Time a model's layers on each path, forward and backward, and choose one.

    The times are saved for this machine, these layers, this batch size and these
    versions. The next run reads them and does not measure.

    Args:
        model: Built. It is not changed.
        batch_size: Rows of a batch.
        jit: `off` leaves XLA out.

    Returns:
        A sentence with the times, and the fastest settings.
    """
    shapes = {
        layer: _read_shape(source, batch_size) for source, layer in _list_sources(model)
    }
    names = [name for name in CHOICES if jit != "off" or CHOICES[name]["jit"] == "off"]
    if _explain_problem():
        names.remove("compiled")
    facts = describe_machine() | {
        "choices": {name: CHOICES[name] for name in names},
        "loop": hash_sources(),
        "layers": [
            [
                type(layer).__name__,
                layer.get_config(),
                getattr(layer.cell, "implementation", None),
                getattr(layer, "use_cudnn", None),
                shape,
            ]
            for layer, shape in shapes.items()
        ],
    }
    text = json.dumps(facts, sort_keys=True, default=str)
    key = hashlib.sha256(text.encode()).hexdigest()[:20]
    name = f"kernels/{key}.json"
    times = read_cached(
        name, lambda stored: _check_times(stored["milliseconds"], names)
    )
    source = "measured in an earlier run"
    if times is None:
        states = random.getstate(), np.random.get_state()
        times, source = _measure(shapes, names), "measured now"
        random.setstate(states[0])  # the run's own random numbers stay the same
        np.random.set_state(states[1])
        write_cached(name, {"milliseconds": times} | facts)
    fastest = min(times.values())
    chosen = next(name for name in times if times[name] <= ACCEPTED_LOSS * fastest)
    parts = ", ".join(f"{name} {value:.1f} ms" for name, value in times.items())
    return f"Kernel: {chosen} ({parts} per step; {source})", CHOICES[chosen]


def _check_times(times: dict[str, float], names: Sequence[str]) -> dict[str, float]:
    """Return saved times; ValueError if they cannot be times of these choices."""
    if (
        not times
        or not set(times) <= set(names)
        or not all(0 <= value < math.inf for value in times.values())
    ):
        raise ValueError("times that no measurement gives")
    return times


def _list_sources(model: keras.Model) -> Iterator[tuple[Any, keras.Layer]]:
    """Yield each recurrent layer, after the layer whose input it reads."""
    from keras import layers

    for layer in model.layers:
        if isinstance(layer, layers.Bidirectional):
            yield layer, layer.forward_layer
            yield layer, layer.backward_layer
        elif isinstance(layer, layers.SimpleRNN | layers.LSTM | layers.GRU):
            yield layer, layer


def _read_shape(source: keras.Layer, batch_size: int) -> tuple[int, int, int]:
    from keras import tree

    inputs, *_ = tree.flatten(source.input)  # a mask may follow
    _, steps, features = inputs.shape
    return batch_size, steps or TYPICAL_STEPS, features


def _measure(
    shapes: dict[keras.Layer, tuple[int, int, int]], names: Sequence[str]
) -> dict[str, float]:
    """Return the milliseconds per step of every choice that can run."""
    times = {}
    for name in names:
        choice = CHOICES[name]
        total = 0.0
        for layer, shape in shapes.items():
            compiled = choice["kernel"] == "compiled"
            if compiled and read_traits(layer, None).list_unsupported_options():
                break
            total += _time_layer(layer, shape, compiled, choice["jit"] == "on")
        else:
            times[name] = 1000 * total
    return times


def _time_layer(
    layer: keras.Layer, shape: tuple[int, int, int], compiled: bool, xla: bool
) -> float:
    """Return the median seconds per step of a copy of a layer."""
    import tensorflow as tf

    twin = type(layer).from_config(layer.get_config())
    if hasattr(layer.cell, "implementation"):
        set_implementation(twin, layer.cell.implementation)
        twin.use_cudnn = False if xla else layer.use_cudnn
    twin.build(shape)
    if compiled:
        use_compiled_loop(twin)
    inputs = tf.random.stateless_normal(shape, seed=(0, 0))

    def step(inputs: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = twin(inputs, training=True)
            loss = tf.reduce_sum(outputs * outputs)
        return tape.gradient(loss, [inputs, *twin.trainable_variables])

    run = tf.function(step, jit_compile=xla)
    run(inputs)
    seconds = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        run(inputs)[0].numpy()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)
