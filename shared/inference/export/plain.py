"""A trained network from Keras' own layers alone, so that plain Keras can load it."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from shared.cells.numpy_layer import NumpyGRU
from shared.core.errors import UserError
from shared.layers.blend import Blend
from shared.layers.carried import CarryState
from shared.layers.feedback import FeedbackCell, Zeros
from shared.layers.forecasting import SMALLEST_SCALE, WindowScale
from shared.layers.pooling import MaxOfSteps

LOWEST = -1e9  # below every state


def make_plain(model: keras.Model) -> keras.Model:
    """Return the same network for prediction, of Keras' own layers where possible.

    The layers of the suite become the layers and operations of Keras that compute the
    same. Trained weights are shared or copied.

    Args:
        model: Functional, with its trained weights.
    """
    plain = keras.models.clone_model(
        model, clone_function=lambda layer: layer, call_function=_call
    )
    plain.name = model.name
    return plain


def check_plain(model: keras.Model) -> None:
    """Refuse a network that needs the code of the suite.

    Raises:
        UserError: With the layers.
    """
    own = [
        f"{layer.name} ({type(layer).__name__})"
        for layer in model.layers
        if not type(layer).__module__.startswith("keras.")
    ]
    if own:
        raise UserError(
            f"the network has {', '.join(own)}, which only this project's code can "
            "compute; take savedmodel, onnx or litert, which keep the computation."
        )


def _call(layer: keras.Layer, *arguments: Any, **options: Any) -> Any:
    """Return the outputs of a layer, or of its equivalent in plain Keras."""
    for kind, replace in REPLACEMENTS.items():
        if isinstance(layer, kind):
            return replace(layer, *arguments, **options)
    if isinstance(layer, layers.RNN) and isinstance(layer.cell, FeedbackCell):
        return _unroll(layer.cell, *arguments, **options)
    return layer(*arguments, **options)


def _pool(layer: MaxOfSteps, states: Any, mask: Any = None) -> Any:
    """Return the maximum over the steps that are not masked."""
    if mask is None:
        mask = getattr(states, "_keras_mask", None)
    if mask is not None:
        states = ops.where(ops.expand_dims(mask, 2), states, LOWEST)
    return ops.max(states, axis=1)


def _blend(layer: Blend, inputs: list) -> Any:
    share = float(ops.convert_to_numpy(layer.share))
    return inputs[0] * share + inputs[1] * (1 - share)


def _read_from_zeros(layer: CarryState, inputs: Any, **_: Any) -> Any:
    """Return the states of all steps. A prediction carries no state."""
    settings = layer.layer.get_config() | {"return_state": False}
    return _copy(type(layer.layer), settings, layer.layer.get_weights(), inputs)


def _make_zeros(layer: Zeros, inputs: Any) -> Any:
    first = ops.zeros_like(inputs[:, :1])
    return ops.repeat(first, layer.size, axis=1)


def _scale(layer: WindowScale, inputs: Any) -> Any:
    # Not ops.mean: its name would be that of another layer, "mean".
    total = ops.sum(ops.abs(inputs), axis=1, keepdims=True)
    return total / inputs.shape[1] + SMALLEST_SCALE


def _read_like_keras(layer: NumpyGRU, inputs: Any) -> Any:
    """Return the last state of Keras' GRU with the same weights."""
    settings = layer.get_config()
    weights = [np.array(weight) for weight in layer.get_weights()]
    if settings.pop("update_gate") == "writes":
        for weight in weights:  # Keras' update gate keeps: sigmoid(-x) = 1 - sigmoid(x)
            weight[..., : layer.units] *= -1
    return _copy(layers.GRU, settings, weights, inputs)


def _unroll(cell: FeedbackCell, known: Any, initial_state: list, **_: Any) -> Any:
    """Return the forecast of a decoder, step by step."""
    memory, latest = initial_state
    parts = []
    for part in (cell.gru, cell.step):  # under names of their own
        twin = type(part).from_config(part.get_config() | {"name": f"next_{part.name}"})
        parts.append(twin)
    gru, step = parts
    outputs = []
    for k in range(known.shape[1]):
        read = ops.concatenate([known[:, k], latest], axis=-1)
        memory, _ = gru(read, [memory])
        latest = latest + step(memory)
        outputs.append(latest)
    for twin, part in zip(parts, (cell.gru, cell.step), strict=True):
        twin.set_weights(part.get_weights())
    return ops.stack(outputs, axis=1)


def _copy(kind: type, settings: dict, weights: list, inputs: Any) -> Any:
    """Return the outputs of a new layer with given weights."""
    layer = kind.from_config(settings)
    outputs = layer(inputs)
    layer.set_weights(weights)
    return outputs


REPLACEMENTS = {
    MaxOfSteps: _pool,
    Blend: _blend,
    CarryState: _read_from_zeros,
    Zeros: _make_zeros,
    WindowScale: _scale,
    NumpyGRU: _read_like_keras,
}
"""Layer of the suite -> what replaces it."""
