"""Implementations: NumPy, Keras' paths, the compiled loop, PyTorch, exported forms."""

from __future__ import annotations

import contextlib
import functools
import io
import logging
import tempfile
from collections.abc import Callable, Iterator
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.core.backend import count_gpus
from shared.studies.equivalence.cases import Case, Result, compute_with_cells

if TYPE_CHECKING:
    import keras
    import tensorflow as tf


class CannotError(Exception):
    """An implementation cannot compute a case, or is missing on this machine."""


def build_network(
    case: Case, implementation: int = 2, steps: int | None = None, **options: Any
) -> keras.Model:
    """Return the network of a case, with its weights: inputs -> all outputs.

    Args:
        case: The zeros of its padding make the mask.
        implementation: Of GRU and LSTM.
        steps: The one number of steps it reads; None accepts any.
        **options: More arguments of the recurrent layers.
    """
    from keras import Input, Model, layers

    from shared.layers.recurrent import build_bidirectional

    gated = case.cell != "SimpleRNN"
    if gated:
        options = {"use_cudnn": False, "implementation": implementation} | options
    if case.cell.startswith("GRU"):
        options["reset_after"] = case.cell == "GRU"
    kind = getattr(layers, case.cell.partition(",")[0])
    options |= {"return_sequences": True, "dtype": case.dtype}

    inputs = Input((steps, case.sizes.features), dtype=case.dtype)
    values = inputs
    if case.padding != "none":
        values = layers.Masking(0.0, dtype=case.dtype)(values)
    layer = kind(case.sizes.units, **options)
    if case.network == "bidirectional":
        wrap = build_bidirectional if gated else layers.Bidirectional
        outputs = wrap(layer, dtype=case.dtype)(values)
    else:
        outputs = layer(values)
        if case.network == "stacked":
            outputs = kind(case.sizes.units, **options)(outputs)
    model = Model(inputs, outputs)
    model.set_weights([array for weights in case.weights for array in weights])
    return model


def differentiate(model: keras.Model, case: Case, xla: bool = False) -> Result:
    """Compute the outputs and gradients of a case with a model."""
    import tensorflow as tf

    loss_weights = tf.constant(case.loss_weights.astype(case.dtype))
    variables = [variable.value for variable in model.trainable_variables]

    def compute(inputs: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = model(inputs, training=True)
            loss = tf.reduce_sum(outputs * loss_weights)
        return outputs, tape.gradient(loss, [inputs, *variables])

    if xla:
        compute = tf.function(compute, jit_compile=True)
    outputs, gradients = compute(tf.constant(case.inputs.astype(case.dtype)))
    return Result(outputs.numpy(), [gradient.numpy() for gradient in gradients])


def _compute_implementation(case: Case, number: int) -> Result:
    if case.cell == "SimpleRNN" and number == 2:
        raise CannotError("SimpleRNN has one implementation")
    return differentiate(build_network(case, number), case)


def _compute_unrolled(case: Case) -> Result:
    _refuse_wrong_zeros(case)
    return differentiate(build_network(case, steps=case.sizes.steps, unroll=True), case)


def _refuse_wrong_zeros(case: Case) -> None:
    """Refuse a case that Keras (3.15) computes wrongly when unrolled.

    `Bidirectional` sets `zero_output_for_mask`. The unrolled loop of the backward
    direction has its outputs in reverse order, but applies the mask in forward order.
    """
    if case.network == "bidirectional" and case.padding != "none":
        raise CannotError(
            "Keras 3.15 zeroes the wrong steps of an unrolled backward layer"
        )


def _compute_under_xla(case: Case) -> Result:
    return differentiate(build_network(case), case, xla=True)


def _compute_compiled(case: Case) -> Result:
    return differentiate(_compile(build_network(case)), case)


def _compile(model: keras.Model) -> keras.Model:
    from shared.kernels.choice import apply_kernel
    from shared.kernels.compiled import find_problem

    if problem := find_problem():
        raise CannotError(f"the compiled loop cannot run here: {problem}")
    assert apply_kernel(model, "compiled")
    return model


def _compute_bucketed(case: Case) -> Result:
    """Compute short and long sequences apart, each cut to its length, and add them."""
    if case.padding == "none":
        raise CannotError("without a mask no step can be cut")
    order = np.argsort(case.lengths)
    outputs = np.zeros(case.loss_weights.shape, case.dtype)
    inputs, sums = np.zeros(case.inputs.shape, case.dtype), []
    for rows in np.array_split(order, 2):
        steps = case.lengths[rows].max()
        part = slice(-steps, None) if case.padding == "left" else slice(steps)
        result = differentiate(_compile(build_network(case)), _Part(case, rows, part))
        outputs[rows, part] = result.outputs
        inputs[rows, part] = result.gradients[0]
        sums.append(result.gradients[1:])
    return Result(outputs, [inputs, *map(np.add, *sums)])


class _Part:
    """Some rows and steps of a case."""

    def __init__(self, case: Case, rows: np.ndarray, steps: slice) -> None:
        self.dtype = case.dtype
        self.inputs = case.inputs[rows, steps]
        self.loss_weights = case.loss_weights[rows, steps]


def _compute_with_cudnn(case: Case) -> Result:
    if not count_gpus():
        raise CannotError("no GPU")
    if case.cell not in ("LSTM", "GRU"):
        raise CannotError(f"cuDNN has no {case.cell} in Keras")
    if case.padding == "left":
        raise CannotError("cuDNN reads masked padding on the right only")
    return differentiate(build_network(case, use_cudnn=True), case)


def _compute_with_torch(case: Case) -> Result:
    if util.find_spec("torch") is None:
        raise CannotError("torch is not installed")
    if case.cell == "GRU, reset before":
        raise CannotError("PyTorch has no such GRU")
    from shared.studies.equivalence.torch_implementation import compute_with_torch

    return compute_with_torch(case)


def _compute_reloaded(case: Case) -> Result:
    import keras

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.keras"
        build_network(case).save(path)
        return differentiate(keras.models.load_model(path), case)


def _compute_saved_model(case: Case) -> Result:
    import tensorflow as tf

    with _export(case, "tf_saved_model") as path:
        served = tf.saved_model.load(str(path))
        outputs = served.serve(tf.constant(case.inputs.astype(case.dtype)))
        return Result(outputs.numpy(), None)


def _compute_onnx(case: Case) -> Result:
    for package in ("tf2onnx", "onnxruntime"):
        if util.find_spec(package) is None:
            raise CannotError(f"{package} is not installed")
    import onnxruntime

    with _export(case, "onnx") as path:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4  # errors are raised anyway
        session = onnxruntime.InferenceSession(path, options)
        name = session.get_inputs()[0].name
        (outputs,) = session.run(None, {name: case.inputs.astype(case.dtype)})
        return Result(outputs, None)


def _compute_litert(case: Case) -> Result:
    if util.find_spec("ai_edge_litert") is None:
        raise CannotError("ai-edge-litert is not installed")
    from ai_edge_litert.interpreter import Interpreter

    # Unrolled, since LiteRT's own interpreter cannot run a TensorFlow loop.
    _refuse_wrong_zeros(case)
    with _export(case, "litert", unroll=True) as path:
        interpreter = Interpreter(str(path))
        (input_,) = interpreter.get_input_details()
        inputs = case.inputs.astype(case.dtype)
        interpreter.resize_tensor_input(input_["index"], inputs.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(input_["index"], inputs)
        interpreter.invoke()
        (output,) = interpreter.get_output_details()
        return Result(interpreter.get_tensor(output["index"]), None)


@contextlib.contextmanager
def _export(case: Case, form: str, **options: Any) -> Iterator[Path]:
    """Export the network of a case and yield its path.

    Raises:
        CannotError: If it cannot be exported, or the export cannot run.
    """
    with tempfile.TemporaryDirectory() as folder:
        endings = {"litert": "network.tflite", "onnx": "network.onnx"}
        path = Path(folder) / endings.get(form, "network")
        screen = io.StringIO()
        try:
            with contextlib.redirect_stdout(screen), _quiet():
                network = build_network(case, steps=case.sizes.steps, **options)
                network(case.inputs.astype(case.dtype))  # ONNX needs one call first
                network.export(path, format=form, verbose=False)
                yield path
        except Exception as error:
            # These are limits of converters and interpreters. A mistake of ours, such
            # as a TypeError, is none of them and must be raised.
            theirs = type(error).__module__.startswith(("onnxruntime", "tensorflow"))
            if form == "tf_saved_model" or not (
                theirs or isinstance(error, RuntimeError)
            ):
                raise
            raise CannotError(_shorten(error)) from error


def _shorten(error: Exception) -> str:
    """Return the first sentence of an error message, without names of nodes."""
    parts = " ".join(str(error).split()).partition("Status Message: ")
    sentence = (parts[2] or parts[0]).partition(". ")[0]
    return sentence[:160] or type(error).__name__


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hide the warnings of converters."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(before)


IMPLEMENTATIONS: dict[str, Callable[[Case], Result]] = {
    "NumPy cells": lambda case: compute_with_cells(case, case.dtype),
    "Keras, impl. 1": functools.partial(_compute_implementation, number=1),
    "Keras, impl. 2": functools.partial(_compute_implementation, number=2),
    "Keras, unrolled": _compute_unrolled,
    "Keras, XLA": _compute_under_xla,
    "compiled loop": _compute_compiled,
    "compiled, bucketed": _compute_bucketed,
    "cuDNN": _compute_with_cudnn,
    "PyTorch": _compute_with_torch,
    ".keras, reloaded": _compute_reloaded,
    "SavedModel": _compute_saved_model,
    "ONNX": _compute_onnx,
    "LiteRT, unrolled": _compute_litert,
}
"""Every implementation by name. One that cannot compute a case raises CannotError."""
