"""A file system without locks: the run goes on, and one line says what is lost."""

import errno
import os

import pytest

from shared.runs.writer import _lock

fcntl = pytest.importorskip("fcntl")


def fail_with(number):
    def flock(*_):
        raise OSError(number, os.strerror(number))

    return flock


@pytest.mark.filterwarnings("ignore:flock not supported")
@pytest.mark.parametrize("name", ["ENOLCK", "ENOTSUP", "ENOSYS"])
def test_without_locks_the_run_goes_on(name, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(fcntl, "flock", fail_with(getattr(errno, name)))
    lock = _lock(tmp_path / "x")
    lock.release()
    if name != "ENOSYS":  # filelock then falls back to a file that marks the lock
        (line,) = capsys.readouterr().out.splitlines()
        assert "no locks" in line


def test_another_error_is_not_hidden(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        _lock(tmp_path / "file" / "x")
