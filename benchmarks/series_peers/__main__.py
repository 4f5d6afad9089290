"""Run one peer and save its forecasts: the process that `measure.run_peer` starts."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

import numpy as np

from .data import TASKS, load_task
from .peers import PEERS, Budget, Problem


def main() -> None:
    warnings.simplefilter("ignore")
    request = json.loads(sys.argv[1])
    task = next(task for task in TASKS if task.name == request["task"])
    values, origins, actual = load_task(task, Path(request["file"]))
    budget = Budget(**request["budget"])
    problem = Problem(task, values, origins, request["seed"], budget)
    found = PEERS[request["peer"]].forecast(problem)
    arrays = {"point": found.point}
    for level, (low, high) in found.intervals.items():
        arrays |= {f"low_{level}": low, f"high_{level}": high}
    for name, array in arrays.items():
        if array.shape != actual.shape or not np.isfinite(array).all():
            sys.exit(f"{name} has the shape {array.shape}, or missing values")
    facts = {"epochs": found.epochs, "fit_seconds": found.fit_seconds}
    np.savez(request["keep"], facts=json.dumps(facts), **arrays)


if __name__ == "__main__":
    main()
