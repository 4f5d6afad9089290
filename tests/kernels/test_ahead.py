"""The loop is compiled ahead, in a process of its own, and kept for other checkouts."""

import os
import subprocess
import sys

import pytest

from shared.core.environment import PROJECT
from shared.kernels import ahead

pytestmark = pytest.mark.xdist_group("ahead")

COMPILE = "from shared.kernels.ahead import compile_loop; compile_loop()"
TRAIN = """
from shared.core.backend import import_keras
import_keras()
from shared.kernels.compiled import find_problem
assert find_problem() == "", find_problem()
"""
COUNT = """
from shared.kernels.loop.backward import run_backward
from shared.kernels.loop.forward import run_forward
for function in (run_forward, run_backward):
    print(sum(function.stats.cache_misses.values()), end=" ")
"""


def count_compiled(program, tmp_path):
    """Return how often a process compiles `run_forward` and `run_backward`."""
    environment = os.environ | {
        "RNN_RECIPES_CACHE": str(tmp_path / "cache"),
        "NUMBA_CACHE_DIR": str(tmp_path / "numba"),
    }
    done = subprocess.run(
        [sys.executable, "-c", program + COUNT],
        cwd=PROJECT, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [int(count) for count in done.stdout.split()[-2:]]


@pytest.mark.slow
def test_a_training_finds_what_was_compiled_ahead(tmp_path):
    assert count_compiled(COMPILE, tmp_path) == [1, 1]
    assert count_compiled(TRAIN, tmp_path) == [0, 0]

    # As in another checkout of the same code: Numba's folder is empty.
    for path in (tmp_path / "numba").glob("*/*.nb?"):
        path.unlink()
    assert count_compiled(COMPILE, tmp_path) == [0, 0]
    assert count_compiled(TRAIN, tmp_path) == [0, 0]

    # A damaged copy is compiled again.
    for path in (tmp_path / "numba").glob("*/*.nb?"):
        path.unlink()
    (kept,) = (tmp_path / "cache" / "kernels").glob("loops-*.npz")
    kept.write_bytes(kept.read_bytes()[:1000])
    assert count_compiled(COMPILE, tmp_path) == [1, 1]


@pytest.fixture
def started(monkeypatch):
    """Processes that would be started; none is."""
    commands = []

    class Process:
        def __init__(self, command, **_):
            commands.append(command)

    monkeypatch.setattr(ahead.subprocess, "Popen", Process)
    monkeypatch.setattr(ahead.atexit, "register", lambda *_: None)
    monkeypatch.setattr(ahead, "_started", [])
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.delenv("NUMBA_DISABLE_JIT", raising=False)
    return commands


def test_it_starts_once_and_only_if_nothing_is_compiled(started, tmp_path, monkeypatch):
    monkeypatch.setattr(ahead, "LOOP", tmp_path)
    ahead.start_compiling()
    ahead.start_compiling()
    assert len(started) == 1
    monkeypatch.setattr(ahead, "_started", [])
    folder = tmp_path / "__pycache__"
    ahead.forget_other_code(folder)
    (folder / "backward.run_backward-1.py311.nbi").write_bytes(b"")
    ahead.start_compiling()
    assert len(started) == 1


def test_code_of_older_files_is_compiled_again(started, tmp_path, monkeypatch):
    """Numba looks only at the file of the function that is called."""
    monkeypatch.setattr(ahead, "LOOP", tmp_path)
    source, folder = tmp_path / "products.py", tmp_path / "__pycache__"
    source.write_text("old")
    ahead.forget_other_code(folder)
    compiled = folder / "backward.run_backward-1.py311.nbi"
    compiled.write_bytes(b"")
    ahead.forget_other_code(folder)
    assert compiled.exists()
    source.write_text("new")
    ahead.start_compiling()
    assert len(started) == 1
    ahead.forget_other_code(folder)
    assert not compiled.exists()
    ahead.forget_other_code(folder)


def test_no_process_can_be_started(monkeypatch, tmp_path, started):
    def fail(*_, **__):
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(ahead, "LOOP", tmp_path)
    monkeypatch.setattr(ahead.subprocess, "Popen", fail)
    ahead.start_compiling()
    ahead.wait_for_compiling()
    assert ahead._started == []


def test_a_process_that_hangs_is_ended(monkeypatch):
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    monkeypatch.setattr(ahead, "_started", [process])
    monkeypatch.setattr(ahead, "LONGEST", 0.05)
    ahead.wait_for_compiling()
    assert process.returncode not in (None, 0)


def test_it_ends_with_the_process_that_started_it(tmp_path):
    script = (
        "import os, sys; from pathlib import Path; from shared.kernels import ahead\n"
        "ahead.LOOP = Path(sys.argv[1]); ahead.start_compiling()\n"
        "print(ahead._started[0].pid, flush=True); os._exit(130)"
    )
    environment = {k: v for k, v in os.environ.items() if k != "NUMBA_CACHE_DIR"}
    environment["RNN_RECIPES_CACHE"] = str(tmp_path / "cache")
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        cwd=PROJECT, env=environment, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    number = int(done.stdout)
    for _ in range(600):
        try:
            os.kill(number, 0)
        except ProcessLookupError:
            return
        subprocess.run(["sleep", "0.1"], check=True)
    pytest.fail("the process is still there")


@pytest.mark.parametrize("name", ["../evil.nbi", "a/b.nbc"])
def test_a_copy_writes_into_its_folder_only(name, tmp_path):
    with pytest.raises(ValueError):
        ahead._write_files(tmp_path, {name: ahead.np.zeros(1, ahead.np.uint8)})
    assert not list(tmp_path.iterdir())
