"""Run one peer in a process of its own, and score its forecasts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from shared.core.environment import PROJECT

from .data import Task, load_task
from .peers import LEVELS, QUANTILES

ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "CUDA_VISIBLE_DEVICES": "",
    "KERAS_BACKEND": "tensorflow",
}


class PeerError(Exception):
    """A peer that did not finish. The message is the last line of its output."""


def run_peer(
    task: Task,
    file: Path,
    peer: str,
    seed: int,
    keep: Path,
    budget: Mapping[str, Any] | None = None,
    python: str = sys.executable,
) -> dict[str, Any]:
    """Train a peer in a new process on one thread, and measure it.

    Args:
        task: What it forecasts.
        file: The series, as `data.write_series` writes it.
        peer: A key of `peers.PEERS`.
        seed: Of its network.
        keep: File for its forecasts, `.npz`.
        budget: Fields of `peers.Budget` that differ from its defaults.
        python: The interpreter that has the peers.

    Returns:
        A row of the table.

    Raises:
        PeerError: If the process fails.
    """
    request = {"task": task.name, "file": str(file), "peer": peer, "seed": seed,
               "budget": dict(budget or {}), "keep": str(keep)}  # fmt: skip
    folders = [str(PROJECT), str(PROJECT / "benchmarks")]
    environment = os.environ | ONE_THREAD | {"PYTHONPATH": os.pathsep.join(folders)}
    with tempfile.TemporaryDirectory() as scratch, tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [python, "-m", "series_peers", json.dumps(request)],
            cwd=scratch,  # some packages write logs where they run
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            lines = output.read().decode(errors="replace").split("\n")
            raise PeerError(next((li for li in reversed(lines) if li.strip()), "?"))
    with np.load(keep) as found:
        intervals = {
            level: (found[f"low_{level}"], found[f"high_{level}"])
            for level in LEVELS
            if f"low_{level}" in found
        }
        point, facts = found["point"], json.loads(str(found["facts"]))
    values, origins, actual = load_task(task, file)
    train = values[: -task.test_rows - task.validation_rows]
    return {
        "series": task.series,
        "horizon": task.horizon,
        "peer": peer,
        "seed": seed,
        "windows": len(origins),
        **score(actual, point, train, task.season, intervals),
        "epochs": "" if facts["epochs"] is None else facts["epochs"],
        "fit_seconds": round(facts["fit_seconds"], 2),
        "processor_seconds": round(used.ru_utime + used.ru_stime, 2),
        "peak_mb": round(used.ru_maxrss * 1024 / 1e6),
    }


def score(
    actual: np.ndarray,
    forecast: np.ndarray,
    train: np.ndarray,
    season: int,
    intervals: Mapping[int, tuple[np.ndarray, np.ndarray]],
) -> dict[str, Any]:
    """Return the scores of the forecasts of several windows.

    Args:
        actual: (num_windows, horizon).
        forecast: (num_windows, horizon).
        train: (num_rows,), the training part. MASE divides by the mean absolute change
            over a season in it.
        season: Steps of a season.
        intervals: Percent -> lower and upper ends, each (num_windows, horizon). May be
            empty.

    Returns:
        `mae`, `rmse`, `mase`; `mean_pinball` over the ends of all intervals and the
        forecast as the median; `coverage_80`, `width_80` and so on. Text where there
        is no interval.
    """
    error = np.abs(forecast - actual)
    scale = np.abs(train[season:] - train[:-season]).mean()
    row: dict[str, Any] = {
        "mae": error.mean(),
        "rmse": np.sqrt((error**2).mean()),
        "mase": error.mean() / scale,
        "mean_pinball": "",
    }
    ends = {0.5: forecast}
    for level in LEVELS:
        row |= {f"coverage_{level}": "", f"width_{level}": ""}
        if level in intervals:
            low, high = intervals[level]
            inside = (low <= actual) & (actual <= high)
            row |= {f"coverage_{level}": inside.mean(),
                    f"width_{level}": (high - low).mean()}  # fmt: skip
            ends[round(0.5 - level / 200, 3)] = low
            ends[round(0.5 + level / 200, 3)] = high
    if set(ends) == set(QUANTILES):
        row["mean_pinball"] = np.mean(
            [_pinball(actual, end, quantile) for quantile, end in ends.items()]
        )
    return {
        name: value if value == "" else float(f"{value:.5g}")
        for name, value in row.items()
    }


def _pinball(actual: np.ndarray, end: np.ndarray, quantile: float) -> float:
    above = actual - end
    return float(np.maximum(quantile * above, (quantile - 1) * above).mean())
