"""Load the model of a run as it was trained, with its kernel choices."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from shared.core.errors import UserError
from shared.kernels.saved import restore_layers
from shared.runs.legacy import upgrade_model_facts
from shared.runs.reader import MODEL_FACTS

if TYPE_CHECKING:
    import keras


def load_model(path: Path) -> keras.Model:
    """Load the model of a run and restore what Keras does not save.

    Args:
        path: A run folder, or its `best.keras`.

    Raises:
        UserError: If the model does not exist, or no run wrote it.
    """
    import keras

    # Keras needs the classes of the suite's own layers.
    from shared.cells.numpy_layer import NumpyGRU
    from shared.layers.pooling import MaxOfSteps

    path = path / "best.keras" if path.is_dir() else path
    try:
        with zipfile.ZipFile(path) as archive:
            facts = upgrade_model_facts(json.loads(archive.read(MODEL_FACTS)))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile):
        raise UserError(
            f"{path}: not the model of a run. Name a run folder that has best.keras."
        ) from None
    own = {layer.__name__: layer for layer in (NumpyGRU, MaxOfSteps)}
    model = keras.models.load_model(path, custom_objects=own)
    restore_layers(model, facts["restore"])
    return model
