"""Describe and restore the settings of layers that Keras does not save.

Keras (3.15) saves neither `implementation` nor `use_cudnn`. It does not know the
compiled loop and the dense embedding gradient.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.kernels.choice import apply_kernel
from shared.kernels.compiled import runs_compiled
from shared.kernels.plan import list_recurrent_layers
from shared.layers.embedding import has_dense_gradient, set_gradient
from shared.layers.recurrent import USE_CUDNN, set_cudnn, set_implementation

if TYPE_CHECKING:
    import keras


def describe_layers(model: keras.Model) -> dict[str, Any]:
    """Return the facts that `restore_layers` needs, ready for JSON."""
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


def restore_layers(model: keras.Model, facts: dict[str, Any]) -> None:
    """Restore in a loaded model what Keras did not save.

    Args:
        model: Just loaded.
        facts: From `describe_layers`, or from a model of version 0.1.
    """
    from keras import layers

    for layer in list_recurrent_layers(model):
        if isinstance(layer, layers.SimpleRNN):
            continue
        known = facts.get("layers", {}).get(layer.name) or facts.get("every_layer")
        if known:
            set_implementation(layer, known["implementation"])
            set_cudnn(layer, known["cudnn"])
    if facts["dense_gradient"]:
        for layer in model.layers:
            if isinstance(layer, layers.Embedding):
                set_gradient(layer, "dense")
    if facts["kernel"] and apply_kernel(model, facts["kernel"]):
        model.jit_compile = False  # XLA cannot compile a call of the compiled loop
    elif facts["jit"] != "auto":
        model.jit_compile = facts["jit"] == "on"
