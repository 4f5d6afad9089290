"""A generated series whose best forecast is known.

An hourly value is the sum of a level, a pattern of the day, a pattern of the week and a
disturbance. The disturbance d follows d[t] = 0.9 d[t - 1] + e[t], where e is normal
noise with a standard deviation of 1. The patterns are known exactly, so the best
forecast of h hours is the pattern plus 0.9^h times the latest disturbance. Its error is
normal with the variance (1 - 0.9^(2h)) / (1 - 0.9^2).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shared.data.series.frequency import infer_frequency
from shared.data.series.reading import Series, SeriesTable

NAME = "series-sample"
COLUMN = "value"
START = np.datetime64("2024-01-01T00:00:00", "s")
NUM_STEPS = 8_000
MEMORY, NOISE = 0.9, 1.0
LEVEL, DAY_SWING, WEEK_SWING = 50.0, 6.0, 4.0
SEED = 20_240_101  # the same series for every seed of a training


@dataclass(frozen=True)
class SampleSeries:
    """The generated series.

    Attributes:
        times: datetime64[s], (num_steps,), hourly.
        values: float64, (num_steps,).
        pattern: float64, (num_steps,): the values without the disturbance.
    """

    times: np.ndarray
    values: np.ndarray
    pattern: np.ndarray

    def predict_best(
        self, origins: np.ndarray, horizon: int, quantiles: tuple[float, ...] = ()
    ) -> np.ndarray:
        """Return the forecasts that nobody can expect to beat.

        Args:
            origins: int64, (num_windows,): step of the latest value of each window.
            horizon: Steps of a forecast.
            quantiles: Probabilities; without any, the mean.

        Returns:
            float64, (num_windows, horizon) or (num_windows, horizon, num_quantiles).
        """
        ahead = np.arange(1, horizon + 1)
        disturbance = (self.values - self.pattern)[origins]
        forecast = self.pattern[origins[:, None] + ahead]
        forecast = forecast + disturbance[:, None] * MEMORY**ahead
        if not quantiles:
            return forecast
        from scipy.special import ndtri

        deviation = NOISE * np.sqrt((1 - MEMORY ** (2 * ahead)) / (1 - MEMORY**2))
        return forecast[:, :, None] + deviation[:, None] * ndtri(np.array(quantiles))


def make_sample(num_steps: int = NUM_STEPS) -> SampleSeries:
    """Generate the series, the same each time.

    Args:
        num_steps: Its length.
    """
    times = START + np.arange(num_steps) * np.timedelta64(1, "h")
    hours = np.arange(num_steps)
    day, week = 2 * np.pi * hours / 24, 2 * np.pi * hours / 168
    pattern = (
        LEVEL
        + DAY_SWING * (np.sin(day) + 0.4 * np.cos(2 * day))
        + WEEK_SWING * np.sin(week + 1.0)
    )
    noise = np.random.default_rng(SEED).normal(0, NOISE, num_steps)
    disturbance = np.empty(num_steps)
    latest = noise[0] / np.sqrt(1 - MEMORY**2)
    for step in range(num_steps):
        latest = MEMORY * latest + noise[step] if step else latest
        disturbance[step] = latest
    return SampleSeries(times, pattern + disturbance, pattern)


def to_table(generated: SampleSeries) -> SeriesTable:
    """Return the series in the form of a table that was read."""
    lines = np.arange(2, len(generated.times) + 2)
    values = {COLUMN: generated.values}
    return SeriesTable(
        path=Path(NAME),
        sha256="",
        series=(Series("", generated.times, values, lines),),
        frequency=infer_frequency(generated.times),
        time="time",
        target=(COLUMN,),
        inputs=(),
        known=(),
        series_column=None,
        time_format="iso",
        decimal=".",
        remarks=[],
    )
