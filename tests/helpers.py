"""Small data and processes for the tests."""

from __future__ import annotations

import importlib
import os
import pickle
import signal
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from socketserver import BaseServer

import numpy as np

from shared.commands.recipe import main as run_recipe
from shared.core.roles import Role, Settings
from shared.runs.legacy import ROLE_OF

PROJECT = Path(__file__).resolve().parents[1]
REAL_DATA = Path(os.environ.get("RNN_RECIPES_DATA", PROJECT.parent / "shared" / "data"))
REAL_WEATHER = "weather_jena_2020.csv.gz"
RECIPES = sorted(path.stem for path in (PROJECT / "recipes").glob("[a-z]*.py"))


def object_array(rows: list) -> np.ndarray:
    array = np.empty(len(rows), dtype=object)
    array[:] = rows
    return array


def make_reviews(num_reviews: int = 60, seed: int = 0) -> dict[str, np.ndarray]:
    """Small reviews as the real file has them: sorted by label, ranks from 1."""
    random = np.random.default_rng(seed)
    arrays = {}
    for part in ("train", "test"):
        labels = np.arange(num_reviews) * 2 // num_reviews
        rows = [
            [int(r) for r in random.integers(1, 30, random.integers(3, 25))]
            + [40 + label]
            for label in labels.tolist()
        ]
        arrays |= {f"x_{part}": object_array(rows), f"y_{part}": labels}
    return arrays


def write_npz(path: Path, arrays: dict[str, np.ndarray]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **arrays)
    return path


def write_npz_pickled(path: Path, content: object, num_rows: int, protocol: int = 4):
    """Write `x_train` with any pickle behind a valid header."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        zipfile.ZipFile(path, "w") as archive,
        archive.open("x_train.npy", "w") as file,
    ):
        header = {"descr": "|O", "fortran_order": False, "shape": (num_rows,)}
        np.lib.format.write_array_header_1_0(file, header)
        file.write(pickle.dumps(content, protocol=protocol))
    return path


STARTED: list[subprocess.Popen] = []
"""Processes of a test. `tests/conftest.py` ends those that the test left."""


def start(command: list[str], ignore: tuple[str, ...] = (), **options):
    """Start a program with the signals of a terminal, whatever this process ignores.

    A shell starts what it runs in the background with an ignored Ctrl-C.
    """
    process = subprocess.Popen(
        command, cwd=PROJECT, preexec_fn=_set_signals(ignore), **options
    )
    STARTED.append(process)
    return process


def _set_signals(ignore: tuple[str, ...] = ()):
    if os.name == "nt":
        return None

    def reset() -> None:
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            handler = signal.SIG_IGN if name in ignore else signal.SIG_DFL
            signal.signal(getattr(signal, name), handler)

    return reset


def run_python(*arguments: str, **environment: str) -> subprocess.CompletedProcess:
    """Run a Python program of the project as a user would."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=PROJECT,
        env=os.environ | environment,
        preexec_fn=_set_signals(),
        capture_output=True,
        text=True,
        timeout=300,
    )


def make_settings(**values: object) -> Settings:
    """Settings of a run, with the roles that flags of these names have."""
    roles = {name: str(ROLE_OF.get(name, Role.MODEL)) for name in values}
    return Settings(dict(values), roles)


def train_here(workers, num_workers, threads, report, pruner=None) -> None:
    """Run the command lines of a sweep in this process, instead of `run_workers`."""
    for worker in workers:
        recipe, *flags = worker.command[1:]
        module = importlib.import_module(f"recipes.{Path(recipe).stem}")
        run_recipe(module.Config, module.run, flags)
        root = Path(flags[flags.index("--results-dir") + 1])
        made = [path.parent for path in root.glob("*/*/summary.json")]
        worker.folder = max(made, key=lambda path: path.stat().st_ctime_ns)
        worker.status = 0
        report(worker, "")


@contextmanager
def serve(opened: AbstractContextManager[BaseServer]) -> Iterator[BaseServer]:
    """Let a server answer in a thread of its own."""
    with opened as server:
        # The server looks for its end every 0.01 s, not every 0.5 s.
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
