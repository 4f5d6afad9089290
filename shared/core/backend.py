"""Start Keras on TensorFlow, quietly."""

from __future__ import annotations

import os
import sys
from typing import Literal

from shared.core.environment import THREADS
from shared.core.errors import UserError
from shared.core.messages import hold_messages

Precision = Literal["float32", "float64", "mixed_bfloat16", "mixed_float16"]
EPSILON = 1e-7  # Keras' default; optimizers, losses and normalisation divide by it


def import_keras() -> None:
    """Import Keras with TensorFlow, without their start-up messages on the screen.

    The messages are shown if the import fails, also if TensorFlow ends the process.

    Raises:
        UserError: If `KERAS_BACKEND` names another backend.
    """
    if "tensorflow" in sys.modules:
        return
    if (
        backend := os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    ) != "tensorflow":
        raise UserError(
            f"KERAS_BACKEND={backend}: the recipes run on tensorflow only. Unset it."
        )
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    problem = None
    with hold_messages():
        try:
            import keras  # noqa: F401
            import tensorflow as tf
        except (ValueError, AttributeError, TypeError) as error:
            problem = error
        else:
            tf.config.list_physical_devices()
    if problem:
        raise UserError(
            f"Keras does not start ({problem}). Correct or remove keras.json in the "
            "folder of KERAS_HOME (else ~/.keras), and the variables KERAS_*."
        )


def set_up_numbers(precision: Precision) -> None:
    """Set how Keras computes. The user's `keras.json` then decides nothing.

    Args:
        precision: Of the layers that are built from now on. The mixed ones compute in
            16 bits and keep their weights in float32.
    """
    import keras

    keras.config.set_floatx("float64" if precision == "float64" else "float32")
    keras.config.set_epsilon(EPSILON)
    keras.config.set_image_data_format("channels_last")
    keras.config.set_max_epochs(None)
    keras.config.set_max_steps_per_epoch(None)
    keras.config.set_dtype_policy(precision)


def read_threads() -> int | None:
    """Return how many cores the environment allows; None if it sets no limit.

    Raises:
        UserError: If `RNN_RECIPES_THREADS` is not a number from 1 up.
    """
    text = os.environ.get(THREADS, "")
    if text and not (text.isdecimal() and int(text)):
        raise UserError(
            f"{THREADS}={text}: takes a number of cores, e.g. {THREADS}=2. "
            "Set one, or unset the variable."
        )
    return int(text) if text else None


def limit_threads(threads: int | None) -> None:
    """Limit the cores of a run, and let TensorFlow compute each operation on one core.

    Several cores would cut the sums inside an operation into other parts, and so move
    the last digits. TensorFlow still runs different operations side by side, and the
    compiled loop shares the rows of a batch among all cores. So the numbers of a run
    are the same on any number of cores.

    Call it before TensorFlow is imported. The variable `TF_NUM_INTRAOP_THREADS` of the
    user wins.

    Args:
        threads: Largest number of cores to use; None: no limit.
    """
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
    if threads is None:
        return
    from threadpoolctl import threadpool_limits

    threadpool_limits(threads)  # for NumPy, which is imported already
    for name in (
        THREADS,
        "TF_NUM_INTEROP_THREADS",
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
    ):
        os.environ[name] = str(threads)


def count_gpus() -> int:
    """Return how many GPUs TensorFlow sees."""
    import_keras()
    import tensorflow as tf

    return len(tf.config.list_physical_devices("GPU"))
