"""Pictures of runs. They are only written to files, never shown on a screen."""

import contextlib
import logging
import os
import sys

from shared.core.program import is_own_program


def _import_matplotlib() -> None:
    """Import matplotlib, also if MPLBACKEND names a backend that is not installed."""
    backend = os.environ.pop("MPLBACKEND", None)
    if is_own_program():  # it also warns that its caches have no place
        logging.getLogger("matplotlib").setLevel(logging.ERROR)
    import matplotlib

    if is_own_program():
        matplotlib.rcdefaults()  # so that the user's matplotlibrc changes no picture
    if backend:
        os.environ["MPLBACKEND"] = backend
        with contextlib.suppress(ValueError):  # others may use it, in a notebook
            matplotlib.rcParams["backend"] = backend


if "matplotlib" not in sys.modules:
    _import_matplotlib()
