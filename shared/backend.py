"""Start Keras on TensorFlow, quietly."""

from __future__ import annotations

import os
import sys
import tempfile

from shared.environment import THREADS
from shared.errors import UserError


def import_keras() -> None:
    """Import Keras with TensorFlow, without their start-up messages on the screen.

    TensorFlow writes them straight to the process's error stream before anything can
    silence it, so the stream is set aside meanwhile and shown only on failure.
    """
    if "tensorflow" in sys.modules:
        return
    if (
        backend := os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    ) != "tensorflow":
        raise UserError(
            f"KERAS_BACKEND={backend}: the recipes run on tensorflow only; unset it."
        )
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    sys.stderr.flush()
    screen = os.dup(2)
    with tempfile.TemporaryFile() as aside:
        os.dup2(aside.fileno(), 2)
        try:
            import keras  # noqa: F401
            import tensorflow as tf

            tf.config.list_physical_devices()
        except BaseException:
            aside.seek(0)
            os.write(screen, aside.read())
            raise
        finally:
            os.dup2(screen, 2)
            os.close(screen)


def read_threads() -> int | None:
    """Return how many cores the environment allows; None where it says nothing.

    Raises:
        UserError: If what it says is no number.
    """
    text = os.environ.get(THREADS, "")
    if text and not (text.isdecimal() and int(text)):
        raise UserError(f"{THREADS}={text}: takes a number of cores, e.g. 2; unset it.")
    return int(text) if text else None


def limit_threads(threads: int) -> None:
    """Let TensorFlow, the compiled loop and BLAS use so many cores and no more.

    Must come before TensorFlow is imported. The numbers of a run stay the same.
    """
    from threadpoolctl import threadpool_limits

    threadpool_limits(threads)  # of NumPy, which is there already
    for name in (
        THREADS,
        "TF_NUM_INTRAOP_THREADS",
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
