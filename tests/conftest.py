"""Every test has caches, results and Keras home of its own, and no network."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from tests.helpers import REAL_DATA, REAL_WEATHER, STARTED
from tests.undrawn import leave_undrawn

# As `limit_threads` does. A test may import TensorFlow before the first recipe runs.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-stored", action="store_true", help="store missing or moved losses"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: left to `make test-slow`")


def pytest_collection_modifyitems(config: pytest.Config, items: list) -> None:
    """Leave out the slow tests, unless `-m` chooses among the marks."""
    if config.getoption("markexpr"):
        return
    slow = [item for item in items if item.get_closest_marker("slow")]
    config.hook.pytest_deselected(items=slow)
    items[:] = [item for item in items if item not in slow]


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


@pytest.fixture(autouse=True)
def _no_process_is_left():
    yield
    while STARTED:
        process = STARTED.pop()
        if process.poll() is None:
            process.kill()
            process.wait()


@pytest.fixture
def undrawn():
    """Draw no pictures: for trainings of a test that looks at none."""
    with leave_undrawn():
        yield


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
