"""AutoETS and AutoTheta of statsforecast."""

from __future__ import annotations

import numpy as np
import pandas as pd
from statsforecast import StatsForecast, models

from .peers import LEVELS, Forecasts, Problem, Stopwatch


def fit(problem: Problem, name: str) -> Forecasts:
    """Choose and fit a model on all rows before the test part, then move it forward.

    The parameters stay; the state follows the values up to each forecast. The intervals
    are those of the model.
    """
    task = problem.task
    last = problem.origins[-1] + task.horizon
    table = pd.DataFrame(
        {"unique_id": "series", "ds": np.arange(last), "y": problem.values[:last]}
    )
    model = getattr(models, name)(season_length=task.season, alias="peer")
    with Stopwatch() as watch:
        found = StatsForecast([model], freq=1, n_jobs=1).cross_validation(
            h=task.horizon,
            df=table,
            test_size=last - problem.test_start,
            step_size=task.stride,
            n_windows=None,
            refit=False,
            level=list(LEVELS),
        )
    found = found.sort_values(["cutoff", "ds"])
    shape = (len(problem.origins), task.horizon)
    ends = {
        level: tuple(
            found[f"peer-{side}-{level}"].to_numpy(float).reshape(shape)
            for side in ("lo", "hi")
        )
        for level in LEVELS
    }
    point = found["peer"].to_numpy(float).reshape(shape)
    return Forecasts(point, ends, fit_seconds=watch.seconds)
