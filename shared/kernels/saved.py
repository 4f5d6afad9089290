"""Describe and restore the settings of layers that Keras does not save.

Keras (3.15) saves neither `implementation` nor `use_cudnn`. It does not know the
compiled loop and the dense embedding gradient.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from shared.kernels.choice import apply_kernel
from shared.kernels.compiled import runs_compiled
from shared.kernels.plan import list_recurrent_layers
from shared.layers.embedding import has_dense_gradient, set_gradient
from shared.layers.recurrent import USE_CUDNN, set_cudnn, set_implementation

if TYPE_CHECKING:
    import keras


class LayerFacts(msgspec.Struct, frozen=True):
    """Settings of a GRU or LSTM layer that Keras does not save."""

    implementation: Literal[1, 2]
    cudnn: Literal["auto", "on", "off"]


class Restore(msgspec.Struct, frozen=True):
    """What `restore_layers` needs.

    Attributes:
        kernel: None for a model without recurrent layers.
        jit: Whether the model is compiled by XLA; `auto` leaves it to Keras.
        dense_gradient: Whether an embedding sums the gradient of each word.
        layers: Name of a layer -> its settings.
        every_layer: The settings of all layers, in a model of version 0.1.
    """

    kernel: Literal["compiled", "keras"] | None
    jit: Literal["auto", "on", "off"]
    dense_gradient: bool
    layers: dict[str, LayerFacts] = {}
    every_layer: LayerFacts | None = None


def describe_layers(model: keras.Model) -> dict[str, Any]:
    """Return the facts of `Restore`, ready for JSON."""
    from keras import layers

    recurrent = list(list_recurrent_layers(model))
    cudnn = {value: name for name, value in USE_CUDNN.items()}
    compiled = any(runs_compiled(layer) for layer in recurrent)
    return {
        "layers": {
            layer.name: {
                "implementation": layer.cell.implementation,
                "cudnn": cudnn[layer.use_cudnn],
            }
            for layer in recurrent
            if not isinstance(layer, layers.SimpleRNN)
        },
        "kernel": ("compiled" if compiled else "keras") if recurrent else None,
        "jit": "on" if model.jit_compile else "off",
        "dense_gradient": any(
            has_dense_gradient(layer)
            for layer in model.layers
            if isinstance(layer, layers.Embedding)
        ),
    }


def read_restore(facts: Any) -> Restore:
    """Return the facts of `describe_layers`, read from JSON.

    Raises:
        ValueError: If they are not of that form.
    """
    return msgspec.convert(facts, Restore)


def restore_layers(model: keras.Model, facts: Restore) -> None:
    """Restore in a loaded model what Keras did not save.

    Args:
        model: Just loaded.
        facts: From `read_restore`.
    """
    from keras import layers

    for layer in list_recurrent_layers(model):
        if isinstance(layer, layers.SimpleRNN):
            continue
        if known := facts.layers.get(layer.name, facts.every_layer):
            set_implementation(layer, known.implementation)
            set_cudnn(layer, known.cudnn)
    if facts.dense_gradient:
        for layer in model.layers:
            if isinstance(layer, layers.Embedding):
                set_gradient(layer, "dense")
    if facts.kernel and apply_kernel(model, facts.kernel):
        model.jit_compile = False  # XLA cannot compile a call of the compiled loop
    elif facts.jit != "auto":
        model.jit_compile = facts.jit == "on"
