"""The numbers of each row of weather that a network reads."""

from __future__ import annotations

from typing import Any

import numpy as np

from shared.core.errors import UserError
from shared.data.weather.cleaning import Observations, list_sources
from shared.data.weather.config import WeatherConfig

DAY, YEAR = 86_400.0, 365.2425 * 86_400.0  # seconds
CYCLES = {"day-and-year": (DAY, YEAR), "day": (DAY,), "none": ()}


def make_features(
    config: WeatherConfig, observations: Observations, scaling: dict[str, Any]
) -> np.ndarray:
    """Return the inputs of the network, float32, (num_rows, num_features).

    Args:
        config: Sets which cycles of the calendar are read.
        observations: All rows.
        scaling: Column -> mean and standard deviation in the training part.
    """
    seconds = observations.times.astype("datetime64[s]").astype(np.float64)
    angles = [2 * np.pi * seconds / period for period in CYCLES[config.calendar]]
    calendar = [wave(angle) for angle in angles for wave in (np.sin, np.cos)]
    series = np.empty((len(seconds), len(scaling) + len(calendar)), np.float32)
    for k, (column, (mean, std)) in enumerate(scaling.items()):
        series[:, k] = (observations.columns[column] - mean) / std
    if calendar:
        series[:, len(scaling) :] = np.column_stack(calendar)
    return series


def measure_scaling(
    config: WeatherConfig, observations: Observations, rows: np.ndarray, name: str
) -> dict[str, tuple[float, float]]:
    """Return mean and standard deviation of each column over some rows.

    Args:
        config: Sets whether there is a calendar.
        observations: All rows.
        rows: Rows of the training part.
        name: Of the record.
    """
    if not observations.columns and not CYCLES[config.calendar]:
        raise UserError("--skip-columns: leaves nothing to read; skip fewer columns.")
    scaling = {}
    for column, values in observations.columns.items():
        mean, std = values[rows].mean(), values[rows].std()
        if std <= 1e-9 * max(1.0, abs(mean)):
            first, last = observations.lines[rows[[0, -1]]]
            sources = " ".join(map(repr, list_sources(column)))
            raise UserError(
                f"{name}: column {column!r} is {mean:g} in all training rows (lines "
                f"{first} to {last}), and a constant cannot be standardised; skip it "
                f"with --skip-columns {sources}, or read more rows."
            )
        scaling[column] = float(mean), float(std)
    return scaling
