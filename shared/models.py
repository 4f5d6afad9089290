"""Load a model of a run as it was trained, kernel choices included."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from shared.embedding import set_gradient
from shared.errors import UserError
from shared.kernels.choice import apply_kernel
from shared.kernels.plan import list_recurrent_layers
from shared.recurrent import set_cudnn, set_implementation
from shared.runs import MODEL_FACTS

if TYPE_CHECKING:
    import keras


def load_model(path: Path) -> keras.Model:
    """Load the model of a run and give its layers back what Keras does not save.

    Keras saves neither `implementation` nor `use_cudnn` (3.15); `best.keras` of a run
    carries the run's settings inside.

    Args:
        path: A run folder, or the `best.keras` of one.

    Raises:
        UserError: If there is no such model, or it is not one of a run.
    """
    import keras

    import shared.pooling  # Keras then knows the layers by name
    import shared.scratch_layer  # noqa: F401

    path = path / "best.keras" if path.is_dir() else path
    try:
        with zipfile.ZipFile(path) as archive:
            settings = json.loads(archive.read(MODEL_FACTS))["settings"]
    except (OSError, KeyError, ValueError, zipfile.BadZipFile):
        raise UserError(
            f"{path}: no model of a run; name a run folder that holds best.keras."
        ) from None
    model = keras.models.load_model(path)
    for layer in list_recurrent_layers(model):
        if isinstance(layer, keras.layers.SimpleRNN):
            continue
        set_implementation(layer, settings["implementation"])
        set_cudnn(layer, settings["cudnn"])
    if settings.get("embedding_gradient") == "dense":
        for layer in model.layers:
            if isinstance(layer, keras.layers.Embedding):
                set_gradient(layer, "dense")
    if "kernel" in settings and apply_kernel(model, settings["kernel"]):
        model.jit_compile = False  # XLA cannot compile a call of the compiled loop
    elif settings.get("jit", "auto") != "auto":
        model.jit_compile = settings["jit"] == "on"
    return model
