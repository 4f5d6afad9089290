"""Intervals on the test part, of the network and of every baseline beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.tasks.conformal import (
    LEVELS,
    choose_ends,
    find_ends,
    measure_coverage,
    measure_outside,
    roll_half_widths,
)

if TYPE_CHECKING:
    from shared.baselines.baseline import Baseline
    from shared.data.series.dataset import SeriesSplits
    from shared.data.splits import Examples

NETWORK = "network"
MOST_KEPT = 1_000  # errors that calibrate later intervals


def calibrate(
    validation: np.ndarray, test: np.ndarray, data: SeriesSplits
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return rolling intervals on the test part, and the latest errors.

    A forecast of the test part is calibrated on forecasts of the validation part, and
    on those of the test part whose last step was measured before it was made.

    Args:
        validation: Predictions for the validation part.
        test: Predictions for the test part.
        data: The splits.

    Returns:
        float64, (num_levels, 2, num_windows, horizon, ...): lower and upper ends, in
        the order of `LEVELS`; NaN where too few forecasts calibrate. And arrays:
        `errors_<percent>`, (num_forecasts, horizon, ...); `ends`, the first time after
        each of these forecasts; `window`, how many calibrate an interval.
    """
    predictions = np.concatenate([validation, test])
    targets = np.concatenate([data.validation.targets, data.test.targets])
    spans = [_find_span(part, data) for part in (data.validation, data.test)]
    origins, ends = (np.concatenate(parts) for parts in zip(*spans, strict=True))
    chosen = np.arange(len(validation), len(predictions))
    latest = np.argsort(ends, kind="stable")[-MOST_KEPT:]
    kept = {"ends": ends[latest], "window": np.array(len(validation))}
    intervals = []
    for level in LEVELS:
        lower, upper = choose_ends(predictions, data.layout.quantiles, level)
        outside = measure_outside(targets, lower, upper)
        half, _ = roll_half_widths(
            outside, origins, ends, chosen, level, len(validation)
        )
        intervals.append([lower[chosen] - half, upper[chosen] + half])
        kept[f"errors_{100 * level:g}"] = outside[latest].astype(np.float32)
    return np.array(intervals, np.float64), kept


def add_baselines(
    network: np.ndarray, baselines: Sequence[Baseline], data: SeriesSplits
) -> dict[str, np.ndarray]:
    """Return the intervals of the network and of every baseline, by name.

    A baseline has its own intervals, or rolling ones like the network. All are on the
    same forecasts: they are NaN where the network has too few forecasts to calibrate.

    Args:
        network: From `calibrate`.
        baselines: Those without predictions are left out.
        data: The splits.
    """
    intervals = {NETWORK: network}
    for one in baselines:
        if one.predictions is None:
            continue
        found = one.intervals
        if found is None and one.validation_predictions is not None:
            found, _ = calibrate(one.validation_predictions, one.predictions, data)
        if found is None:
            found = np.full_like(network, np.nan)
        intervals[one.name] = np.where(np.isfinite(network), found, np.nan)
    return intervals


def list_intervals(
    intervals: Mapping[str, np.ndarray], targets: np.ndarray
) -> list[dict[str, Any]]:
    """Return a row per forecast, level and step.

    Args:
        intervals: From `add_baselines`.
        targets: Of the test part, (num_windows, horizon, ...).

    Returns:
        Rows with `forecast`, `level`, `step` (a number or `all`), `covered`, `width`
        and `windows`. NaN where there are no intervals.
    """
    rows = []
    for name, every in intervals.items():
        for level, ends in zip(LEVELS, every, strict=True):
            for step in ["all", *range(1, targets.shape[1] + 1)]:
                which = slice(None) if step == "all" else slice(step - 1, step)
                found = measure_coverage(
                    targets[:, which], *(e[:, which] for e in ends), level
                )
                rows.append(
                    {
                        "forecast": name,
                        "level": level,
                        "step": step,
                        "covered": _round(found.covered),
                        "width": _round(found.width),
                        "windows": found.num_windows,
                    }
                )
    return rows


def score_intervals(
    forecasts: np.ndarray, ends: np.ndarray, targets: np.ndarray
) -> float:
    """Return the mean pinball loss over the ends of all intervals and the forecast.

    These are the quantiles 0.025, 0.1, 0.5, 0.9 and 0.975. Twice the mean approximates
    the continuous ranked probability score (CRPS).

    Args:
        forecasts: (num_windows, horizon, ...), without an axis of quantiles.
        ends: (num_levels, 2, num_windows, horizon, ...), as from `calibrate`.
        targets: (num_windows, horizon, ...).

    Returns:
        In the unit of the forecasts; NaN if too few forecasts could calibrate.
    """
    quantiles = {0.5: forecasts}
    for level, pair in zip(LEVELS, ends, strict=True):
        quantiles |= dict(zip(find_ends(level), pair, strict=True))
    from shared.tasks.pinball import measure_pinball  # it imports Keras

    return measure_pinball(targets, quantiles)


def _find_span(part: Examples, data: SeriesSplits) -> tuple[np.ndarray, np.ndarray]:
    """Return the first step of each forecast, and the first one after its last step.

    A forecast was observed when a later one was made if its second time is at most the
    first time of the later one.
    """
    steps = np.full(len(part), data.layout.horizon)
    return part.times, data.layout.frequency.time_at(part.times, steps)


def _round(value: float) -> float:
    return float(f"{value:.6g}")
