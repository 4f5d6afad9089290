"""What a run records about its machine, on systems that lack a figure."""

import sys
from pathlib import Path

import pytest

from shared.core.environment import peak_memory_mb


@pytest.fixture
def no_proc(monkeypatch):
    def fail(*_):
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", fail)


def test_the_peak_memory_is_a_number_here():
    assert peak_memory_mb() > 10  # Python with NumPy needs more


def test_without_a_source_there_is_no_peak_memory(no_proc, monkeypatch):
    """Windows has neither /proc nor the module `resource`."""
    monkeypatch.setitem(sys.modules, "resource", None)
    assert peak_memory_mb() is None


def test_macos_counts_in_bytes_and_linux_in_kilobytes(no_proc, monkeypatch):
    resource = pytest.importorskip("resource")

    class Usage:
        ru_maxrss = 3_000_000

    monkeypatch.setattr(resource, "getrusage", lambda _: Usage)
    monkeypatch.setattr(sys, "platform", "darwin")
    assert peak_memory_mb() == pytest.approx(3)
    monkeypatch.setattr(sys, "platform", "linux")
    assert peak_memory_mb() == pytest.approx(3072)
