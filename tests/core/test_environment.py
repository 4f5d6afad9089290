"""What a run records about its machine, on systems that lack a figure."""

import subprocess
import sys
from pathlib import Path

import pytest

from shared.core import environment
from shared.core.environment import peak_memory_mb, read_commit


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


def make_repository(folder):
    """Make a repository with one commit, and return its name."""
    (folder / "shared").mkdir(parents=True)
    (folder / "shared" / "code.py").write_text(f"x = {folder.name!r}\n")
    name = ["-c", "user.name=n", "-c", "user.email=e"]
    for command in (["init", "-q"], ["add", "."], [*name, "commit", "-qm", "first"]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=folder, capture_output=True, text=True
    ).stdout.strip()


def test_only_the_projects_own_commit_is_recorded(tmp_path, monkeypatch):
    commit = make_repository(tmp_path / "project")
    other = make_repository(tmp_path / "other" / "around")
    assert other != commit
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other" / "around" / ".git"))
    monkeypatch.setattr(environment, "PROJECT", tmp_path / "project")
    assert read_commit() == {"commit": commit, "changed": False}
    (tmp_path / "project" / "shared" / "code.py").write_text("x = 2\n")
    assert read_commit() == {"commit": commit, "changed": True}
    unpacked = tmp_path / "other" / "around" / "unpacked"
    unpacked.mkdir()
    monkeypatch.setattr(environment, "PROJECT", unpacked)
    assert read_commit() == {"commit": None, "changed": None}
