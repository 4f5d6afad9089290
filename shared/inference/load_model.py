"""Load the model of a run as it was trained, with its kernel choices."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from shared.core.errors import UserError
from shared.core.text import shorten
from shared.kernels.saved import restore_layers
from shared.runs.reader import MODEL

if TYPE_CHECKING:
    import keras


def load_model(path: str | Path, restore: bool = True) -> keras.Model:
    """Load the model of a run and restore what Keras does not save.

    Args:
        path: A run folder, or its `best.keras`.
        restore: Whether its kernels are those of the run; else Keras' own.

    Raises:
        UserError: If the model does not exist, is damaged, or no run wrote it.
    """
    import keras

    # Keras needs the classes of the suite's own layers.
    from shared.cells.numpy_layer import NumpyGRU
    from shared.inference.model_file import check_model_file
    from shared.layers.blend import Blend
    from shared.layers.carried import CarryState
    from shared.layers.feedback import FeedbackCell, Zeros
    from shared.layers.forecasting import WindowScale
    from shared.layers.ngrams import NgramModel
    from shared.layers.pooling import MaxOfSteps
    from shared.tasks.macro_f1 import MacroF1
    from shared.tasks.pinball import MedianError, PinballLoss
    from shared.tasks.token_loss import BitsPerToken, TokenLoss

    own = {
        each.__name__: each
        for each in (
            Blend, NumpyGRU, MaxOfSteps, FeedbackCell, Zeros, WindowScale, PinballLoss,
            MedianError, MacroF1, CarryState, TokenLoss, BitsPerToken,
            NgramModel,
        )
    }  # fmt: skip
    try:
        file = Path(path, MODEL) if Path(path).is_dir() else Path(path)
        facts = check_model_file(file)
        model = keras.saving.load_model(file, custom_objects=own, safe_mode=True)
    except Exception as error:
        # zip, HDF5, Keras and TensorFlow raise any type of error on a damaged file.
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise UserError(
            f"{shorten(str(path))}: not the model of a run, or damaged "
            f"({shorten(reason.splitlines()[0], 120)}). Name a run folder that has an "
            "intact best.keras, or train the run again."
        ) from error
    if restore:
        restore_layers(model, facts)
    return model
