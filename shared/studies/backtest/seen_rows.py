"""Leave out forecasts that were made before a row that the network has seen."""

from __future__ import annotations

import dataclasses

import numpy as np

from shared.core.errors import UserError
from shared.core.text import shorten
from shared.runs.reader import Run
from shared.studies.backtest.folds import Forecasts


def leave_out(run: Run, forecasts: Forecasts, is_refit: bool) -> Forecasts:
    """Return the forecasts that were made after every row that the network has seen.

    A training for each fold reads only rows before it. So it may keep forecasts that
    the network of the run may not.

    Args:
        run: Of a series recipe.
        forecasts: Of its test part.
        is_refit: Whether the recipe trains again for each fold.

    Raises:
        UserError: If none is left, or the run does not say which rows it has seen.
    """
    seen = _find_last_seen(run)
    if seen is None and run.settings.get("holdout_series"):
        if is_refit:
            return forecasts
        raise UserError(
            f"{shorten(str(run.path))}: was trained with --holdout-series by a version "
            "that did not keep how late its other series go. Add --refit, or train it "
            f"again: make {run.recipe}."
        )
    late = leave_out_early(forecasts, seen)
    if len(late):
        return late
    if is_refit:
        return forecasts
    raise UserError(
        f"{shorten(str(run.path))}: the network has seen rows up to {seen}, and all "
        "forecasts of its held-out series begin before that. Add --refit: it trains on "
        "rows before each fold."
    )


def leave_out_early(
    forecasts: Forecasts, seen: np.datetime64 | None = None
) -> Forecasts:
    """Return the forecasts that were made after every row that the network has seen.

    Where series end at different times, the network has seen rows of one series that
    are later than the first test rows of another.

    Args:
        forecasts: Of the test part.
        seen: Time of the last row that the network has seen. None: the forecasts are of
            all series, and the network has seen every row before the first of each.
    """
    series, times = forecasts.series, forecasts.times
    if seen is not None:
        late = times > seen
    elif series is None:
        return forecasts
    else:
        late = times >= max(times[series == name].min() for name in np.unique(series))
    left_out = int(np.count_nonzero(~late))
    return dataclasses.replace(forecasts.select(late), left_out=left_out)


def _find_last_seen(run: Run) -> np.datetime64 | None:
    """Return the last row that taught the network; None for a run of an old version."""
    try:
        time = np.datetime64(run.config["data_facts"]["taught_until"], "s")
    except (KeyError, TypeError, ValueError):
        return None
    return None if np.isnat(time) else time
