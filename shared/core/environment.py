"""What a run depended on besides its settings: versions, device, code, command."""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

THREADS = "RNN_RECIPES_THREADS"
"""Environment variable: the number of cores to use. `--threads` sets it."""
VARIABLES = (
    "KERAS_", "TF_ENABLE_", "TF_XLA_", "TF_NUM_", "TF_DETERMINISTIC_", "TF_GPU_",
    "TF_CUDNN_", "TF_USE_", "XLA_", "CUDA_VISIBLE_", "NUMBA_", "OMP_", "OPENBLAS_",
    "MKL_",
)  # fmt: skip
"""First letters of the environment variables that can move numbers."""
PROJECT = Path(__file__).resolve().parents[2]
PACKAGES = ("keras", "tensorflow", "numpy", "numba", "scipy", "pandas", "scikit-learn")


def describe_environment() -> dict[str, Any]:
    """Return versions, device, threads and code state, ready for JSON."""
    return describe_machine() | {"code": read_commit()}


def describe_machine() -> dict[str, Any]:
    """Return versions, device and threads, ready for JSON."""
    import keras
    import tensorflow as tf

    threading = tf.config.threading
    return {
        "versions": list_versions(),
        "keras": {
            "floatx": keras.config.floatx(),
            "epsilon": keras.config.epsilon(),
            "dtype_policy": keras.config.dtype_policy().name,
        },
        "variables": {
            name: os.environ[name]
            for name in sorted(os.environ)
            if name.startswith(VARIABLES) and name != "KERAS_HOME"
        },
        "device": {
            "machine": f"{platform.system()} {platform.machine()}",
            "cpu": _read_cpu_name(),
            "cores": count_cores(),
            "gpus": [
                tf.config.experimental.get_device_details(gpu).get("device_name", "?")
                for gpu in tf.config.list_physical_devices("GPU")
            ],
            # 0: TensorFlow chooses, and takes every core.
            "threads_in_op": threading.get_intra_op_parallelism_threads(),
            "threads_between_ops": threading.get_inter_op_parallelism_threads(),
            "threads_asked": os.environ.get(THREADS, ""),
            "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "default"),
        },
    }


def list_versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that can move numbers."""
    versions = {name: metadata.version(name) for name in PACKAGES}
    return {"python": platform.python_version()} | versions


def count_cores() -> int:
    """Return how many cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def count_threads() -> int:
    """Return how many cores this run uses: as `--threads` says, else all."""
    return int(os.environ.get(THREADS) or count_cores())


def read_commit() -> dict[str, Any]:
    """Return the project's git commit, and whether its code differs from it.

    Returns:
        `commit` and `changed`, None without a repository of the project's own.
    """
    # A variable such as GIT_DIR would name another repository.
    variables = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(PROJECT), *arguments]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=10, env=variables
        )
        return done.stdout.strip() if done.returncode == 0 else ""

    if not (PROJECT / ".git").exists():  # git would find a repository around it
        return {"commit": None, "changed": None}
    try:
        commit = git("rev-parse", "HEAD") or None
        # New files count: a new recipe is not in the commit.
        changed = bool(git("status", "--porcelain", "--", "recipes", "shared"))
        return {"commit": commit, "changed": changed if commit else None}
    except (OSError, subprocess.TimeoutExpired):
        return {"commit": None, "changed": None}


def reset_peak_memory() -> None:
    """Reset the peak memory, where the system can (Linux).

    Memory that the process has freed but not returned would count too. So the process
    returns it first, where the C library can (glibc).
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_memory_mb() -> float | None:
    """Return the peak memory since the last reset, in MB (10^6 bytes).

    Windows has no such figure: None.
    """
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024) / 1e6


def _read_cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"
