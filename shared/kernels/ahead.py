"""Compile the loop ahead: in a process of its own, while this one starts TensorFlow.

The process fills Numba's cache in the checkout. It also keeps a copy in the user's
cache folder, so another checkout of the same code compiles nothing. Numba itself checks
that a copy belongs to this code, this processor and this version. Whatever fails here,
the training compiles the loop by itself.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np

from shared.core.cache import read_cached, write_cached
from shared.core.environment import PROJECT
from shared.core.files import hash_file, write_whole
from shared.core.signals import WORKER, end_with_parent

LOOP = Path(__file__).with_name("loop")
COMPILED = "*.run_*.nb[ic]"
"""Numba's files of the functions that are called; they hold all others."""
SOURCES = "sources.sha256"
"""Beside them: the hash of the files that they were compiled from."""
LONGEST = 600  # seconds to wait for the process

_started: list[subprocess.Popen] = []


def start_compiling() -> None:
    """Start a process that compiles the loop, unless this checkout has it already.

    The process ends with this one, however this one ends.
    """
    folder = LOOP / "__pycache__"
    if (
        _started
        or os.environ.get("NUMBA_CACHE_DIR")
        or os.environ.get("NUMBA_DISABLE_JIT")
        or (any(folder.glob("*.run_backward-*.nbi")) and _is_current(folder))
        or not os.access(LOOP, os.W_OK)
    ):
        return
    with contextlib.suppress(OSError):  # no second process: compile in this one
        process = subprocess.Popen(
            [sys.executable, "-m", "shared.kernels.ahead"],
            cwd=PROJECT,
            stdin=subprocess.PIPE,  # it ends with this process: see end_with_parent
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=os.environ | {WORKER: "1"},
            start_new_session=True,  # so that Ctrl-C does not reach it twice
        )
        _started.append(process)
        atexit.register(_stop, process)


def wait_for_compiling() -> None:
    """Wait until the process of `start_compiling` has ended, if there is one."""
    for process in _started:
        try:
            process.wait(LONGEST)
        except subprocess.TimeoutExpired:
            _stop(process)


def _stop(process: subprocess.Popen) -> None:
    if process.poll() is None:
        process.kill()
        process.wait()


def compile_loop() -> None:
    """Compile the loop for float32, or take it from the user's cache folder."""
    import numba
    from filelock import FileLock

    from shared.kernels.loop.backward import run_backward
    from shared.kernels.loop.forward import run_forward
    from shared.kernels.loop.rows import run_sum

    functions = (run_forward, run_backward, run_sum)
    folder = Path(run_forward.stats.cache_path)
    folder.mkdir(parents=True, exist_ok=True)
    name = f"kernels/loops-{_hash_surroundings(numba.__version__)}.npz"
    with FileLock(folder / "loops.lock"):  # one process compiles, the others wait
        forget_other_code(folder)
        if not any(folder.glob(COMPILED)):
            read_cached(name, lambda files: _write_files(folder, files))
        _call_loop()
        if any(function.stats.cache_misses for function in functions):
            write_cached(
                name,
                {
                    path.name: np.frombuffer(path.read_bytes(), np.uint8)
                    for path in folder.glob(COMPILED)
                },
            )


def forget_other_code(folder: Path) -> None:
    """Remove what was compiled from another version of the loop's files.

    Numba itself looks only at the file of the function that is called.

    Args:
        folder: Where Numba keeps what it compiled.
    """
    if not _is_current(folder):
        with contextlib.suppress(OSError):  # then Numba cannot write there either
            for path in folder.glob(COMPILED):
                path.unlink(missing_ok=True)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / SOURCES).write_text(hash_sources())


def _is_current(folder: Path) -> bool:
    """Return whether what is compiled in a folder is of the present code."""
    try:
        return (folder / SOURCES).read_text() == hash_sources()
    except (OSError, UnicodeDecodeError):
        return False


def hash_sources() -> str:
    """Return a hash of all files of the loop."""
    return hashlib.sha256(
        "".join(hash_file(path) for path in sorted(LOOP.glob("*.py"))).encode()
    ).hexdigest()


def _hash_surroundings(version: str) -> str:
    """Return a hash of what the compiled code depends on, 20 digits."""
    from llvmlite import __version__, binding

    facts = [
        hash_sources(), version, __version__, platform.python_version(),
        platform.machine(), binding.get_host_cpu_name(),
        binding.get_host_cpu_features().flatten(),
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:20]


def _write_files(folder: Path, files: dict[str, np.ndarray]) -> None:
    for name, content in files.items():
        if Path(name).name != name:
            raise ValueError(name)
        data = content.tobytes()
        write_whole(folder / name, lambda part, data=data: part.write_bytes(data))


def _call_loop() -> None:
    """Run the functions on one tiny batch, with the types of every batch."""
    from shared.kernels.loop.kinds import GRU
    from shared.kernels.loop.rows import PLAIN, run_sum
    from shared.kernels.parts import Loop, go_back, read_batch

    def zeros(*shape: int) -> np.ndarray:
        return np.zeros(shape, np.float32)

    loop = Loop(GRU, 1, 2)
    named = {
        "x": zeros(1, 3, 2), "h0": zeros(1, 2), "x_weights": zeros(2, 6),
        "h_weights": zeros(2, 6),
    }  # fmt: skip
    _, h, c, *kept = read_batch(loop, list(named), False, True, *named.values())
    go_back(loop, list(named), *named.values(), *kept, h, c)
    words = np.zeros(1, np.int64)
    run_sum(PLAIN, zeros(2), words, np.float32(1), zeros(0), 2, zeros(2))


if __name__ == "__main__":
    end_with_parent()
    compile_loop()
