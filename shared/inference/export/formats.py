"""The formats that a network is exported to: how each is written, and read again."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.core.errors import UserError

if TYPE_CHECKING:
    import keras

INSTALL = "pip install -r requirements-export.txt"
Predict = Callable[[list[np.ndarray]], np.ndarray]
"""Inputs of the network, each (batch, ...) -> outputs (batch, ...)."""


@dataclass(frozen=True)
class Format:
    """One way to keep a network.

    Attributes:
        file: Name of the file or folder.
        write: Writes a network to a path.
        load: Reads the path and returns what predicts.
        packages: Modules that it needs beside TensorFlow.
        needs_plain: Whether every layer must be one of Keras' own.
        lines: Python that loads `file` and computes `outputs` from the list `inputs`.
    """

    file: str
    write: Callable[[keras.Model, Path, str], None]
    load: Callable[[Path], Predict]
    packages: tuple[str, ...]
    needs_plain: bool
    lines: str


def check_packages(name: str) -> None:
    """Refuse a format whose packages are missing.

    Raises:
        UserError: With the command that installs them.
    """
    missing = [p for p in FORMATS[name].packages if util.find_spec(p) is None]
    if missing:
        raise UserError(
            f"--format {name}: the package {' and '.join(missing)} is not installed. "
            f"Install it with `{INSTALL}`."
        )


def write(name: str, network: keras.Model, path: Path, quantize: str) -> None:
    """Write a network in a format, without the messages of the converters.

    Args:
        name: Of the format.
        network: For prediction.
        path: Of a file or a folder that does not exist.
        quantize: `none`, `float16` or `int8`; the last two for LiteRT only.

    Raises:
        UserError: If the converter refuses the network.
    """
    try:
        with _quiet():
            FORMATS[name].write(network, path, quantize)
    except (AttributeError, NameError, TypeError):
        raise  # a mistake of ours, and no limit of a converter
    except Exception as error:
        # Converters raise many types of errors for an operation that they lack.
        reason = re.sub(r"\S+\.py:\S*", "", " ".join(str(error).split()))
        reason = reason.partition(". ")[0][:160]
        raise UserError(
            f"--format {name}: the converter refuses this network "
            f"({reason or type(error).__name__}); take another format."
        ) from error


def _write_keras(network: keras.Model, path: Path, quantize: str) -> None:
    network.save(path)


def _load_keras(path: Path) -> Predict:
    import keras

    model = keras.saving.load_model(path, compile=False)
    return lambda inputs: np.asarray(model.predict_on_batch(one_or_all(inputs)))


def _write_saved_model(network: keras.Model, path: Path, quantize: str) -> None:
    network.export(path, format="tf_saved_model", verbose=False)


def _load_saved_model(path: Path) -> Predict:
    import tensorflow as tf

    served = tf.saved_model.load(str(path))

    def predict(inputs: list[np.ndarray]) -> np.ndarray:
        return served.serve(one_or_all([tf.constant(one) for one in inputs])).numpy()

    return predict


def _write_onnx(network: keras.Model, path: Path, quantize: str) -> None:
    from shared.inference.export.lookups import use_plain_lookups

    searching = use_plain_lookups(network)
    first = [
        np.zeros([size or 1 for size in one.shape], one.dtype)
        for one in searching.inputs
    ]
    searching(one_or_all(first))  # the converter needs one call first
    searching.export(path, format="onnx", verbose=False)


def _load_onnx(path: Path) -> Predict:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # errors are raised anyway
    session = onnxruntime.InferenceSession(path, options)
    names = [one.name for one in session.get_inputs()]
    return lambda inputs: session.run(None, dict(zip(names, inputs, strict=True)))[0]


def _write_litert(network: keras.Model, path: Path, quantize: str) -> None:
    import tensorflow as tf
    from tensorflow.python.framework import convert_to_constants

    from shared.inference.export.lookups import use_plain_lookups
    from shared.inference.export.loops import use_plain_loops

    loops = use_plain_loops(use_plain_lookups(network))
    names = [f"input_{k}" for k in range(len(loops.inputs))]
    specs = [
        tf.TensorSpec(one.shape, one.dtype, name)
        for one, name in zip(loops.inputs, names, strict=True)
    ]
    compute = tf.function(
        lambda *inputs: loops(one_or_all(list(inputs)), training=False),
        input_signature=specs,
    ).get_concrete_function()
    # LiteRT reads no variable inside a loop: the weights become constants.
    frozen = convert_to_constants.convert_variables_to_constants_v2(
        compute, lower_control_flow=False
    )
    converter = tf.lite.TFLiteConverter.from_concrete_functions([frozen], loops)
    if quantize != "none":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if quantize == "float16":
        converter.target_spec.supported_types = [tf.float16]
    path.write_bytes(converter.convert())


def _load_litert(path: Path) -> Predict:
    from ai_edge_litert.interpreter import Interpreter

    with _quiet():
        interpreter = Interpreter(str(path))
    details = sorted(interpreter.get_input_details(), key=lambda one: one["name"])

    def predict(inputs: list[np.ndarray]) -> np.ndarray:
        for one, array in zip(details, inputs, strict=True):
            interpreter.resize_tensor_input(one["index"], array.shape)
        interpreter.allocate_tensors()
        for one, array in zip(details, inputs, strict=True):
            interpreter.set_tensor(one["index"], array)
        interpreter.invoke()
        return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])

    return predict


def one_or_all(inputs: list) -> Any:
    """Return inputs as Keras takes them: one alone, several as a list."""
    return inputs[0] if len(inputs) == 1 else inputs


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hide what converters write, also from their C++ parts."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    kept = os.dup(2)
    with (
        Path(os.devnull).open("w") as nowhere,
        contextlib.redirect_stdout(io.StringIO()),
    ):
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            logging.disable(before)


FORMATS = {
    "keras": Format(
        "model.keras", _write_keras, _load_keras, (), True,
        'import keras\n\nmodel = keras.saving.load_model(HERE / "model.keras")\n'
        "outputs = model.predict(inputs if inputs[1:] else inputs[0], verbose=0)\n",
    ),
    "savedmodel": Format(
        "saved_model", _write_saved_model, _load_saved_model, (), False,
        'import tensorflow as tf\n\nmodel = tf.saved_model.load(HERE / "saved_model")\n'
        "outputs = model.serve(inputs if inputs[1:] else inputs[0]).numpy()\n",
    ),
    "onnx": Format(
        "model.onnx", _write_onnx, _load_onnx, ("tf2onnx", "onnxruntime"), False,
        "import onnxruntime\n\n"
        'session = onnxruntime.InferenceSession(HERE / "model.onnx")\n'
        "names = [one.name for one in session.get_inputs()]\n"
        "outputs = session.run(None, dict(zip(names, inputs)))[0]\n",
    ),
    "litert": Format(
        "model.tflite", _write_litert, _load_litert, ("ai_edge_litert",), False,
        "from ai_edge_litert.interpreter import Interpreter\n\n"
        'model = Interpreter(str(HERE / "model.tflite"))\n'
        'places = sorted(model.get_input_details(), key=lambda one: one["name"])\n'
        "for place, array in zip(places, inputs):\n"
        '    model.resize_tensor_input(place["index"], array.shape)\n'
        "model.allocate_tensors()\n"
        "for place, array in zip(places, inputs):\n"
        '    model.set_tensor(place["index"], array)\n'
        "model.invoke()\n"
        'outputs = model.get_tensor(model.get_output_details()[0]["index"])\n',
    ),
}  # fmt: skip
"""Every format by the name of its flag."""
