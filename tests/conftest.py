"""Every test has caches, results and Keras home of its own, and no network."""

from __future__ import annotations

import os
import pickle
import socket
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

PROJECT = Path(__file__).resolve().parents[1]
REAL_DATA = Path(os.environ.get("RNN_RECIPES_DATA", PROJECT.parent / "shared" / "data"))
REAL_WEATHER = "weather_jena_2020.csv.gz"
RECIPES = sorted(path.stem for path in (PROJECT / "recipes").glob("[a-z]*.py"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-stored", action="store_true", help="write the stored losses anew"
    )


def pytest_terminal_summary(terminalreporter) -> None:
    for path in (REAL_DATA / "imdb.npz", REAL_DATA / REAL_WEATHER):
        there = "there" if path.is_file() else "NOT there: tests skipped"
        terminalreporter.write_line(f"Real data ({path}): {there}")


@pytest.fixture(autouse=True)
def _own_places(tmp_path, monkeypatch):
    monkeypatch.setenv("RNN_RECIPES_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.delenv("RNN_RECIPES_DATA", raising=False)
    monkeypatch.setenv("COLUMNS", "100")


@pytest.fixture
def no_network(monkeypatch):
    """Fail the test if anything looks up a host."""

    def refuse(*arguments, **_):
        raise AssertionError(f"the network was touched: {arguments[:2]}")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture
def offline(monkeypatch):
    """Make every look-up of a host fail at once, as on a machine without network."""

    def fail(*_, **__):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)


@pytest.fixture(scope="session")
def real_data() -> Path:
    if not (REAL_DATA / "imdb.npz").is_file():
        pytest.skip(f"needs the real reviews: no {REAL_DATA / 'imdb.npz'}")
    return REAL_DATA


@pytest.fixture(scope="session")
def real_weather() -> Path:
    if not (REAL_DATA / REAL_WEATHER).is_file():
        pytest.skip(f"needs the real weather: no {REAL_DATA / REAL_WEATHER}")
    return REAL_DATA


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


def run_python(*arguments: str, **environment: str) -> subprocess.CompletedProcess:
    """Run a Python program of the project as a user would."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=PROJECT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
