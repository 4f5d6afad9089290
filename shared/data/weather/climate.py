"""A generated climate: cycles plus correlated noise. The best forecast is known.

It replaces the real weather if there is neither a file nor a network. It has the form
of the station's files (a row every 10 minutes, wind as speed and direction), so that
the same code reads both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shared.data.series.cleaning import Rows
from shared.data.weather.station_file import WIND_DIRECTION, WIND_SPEED, Records

SEED = 2020
NUM_ROWS = 52_560  # a year
DEPENDENCE = 6 * 144  # rows after which two errors are nearly independent: six days
INTERVAL = np.timedelta64(600, "s")
START = np.datetime64("2001-01-01T00:00:00")
DAY, YEAR = 86_400.0, 365.2425 * 86_400.0  # seconds

NAMES = ("T (degC)", "p (mbar)", "Tdew (degC)", "wind x", "wind y")
MEAN = np.array([10.0, 990.0, 5.0, 0.5, 0.3])
YEARLY = np.array([9.0, 1.0, 7.0, 0.3, 0.2])  # amplitudes, coldest in mid January
DAILY = np.array([4.0, 0.5, 0.5, 0.4, 0.3])  # coldest at 3 in the morning
STD = np.array([4.0, 8.0, 3.5, 2.0, 2.0])  # standard deviation of the noise
MEMORY = np.array([2.0, 3.0, 2.0, 0.5, 0.5]) * DAY  # of each mode of the noise
MIX = np.array(
    [  # modes in each variable, so that one variable helps to predict another
        [0.7, -0.3, 0.6, 0.1, 0.2],
        [0.0, 1.0, 0.0, 0.0, 0.0],
        [0.6, -0.1, 0.7, 0.2, 0.3],
        [0.0, 0.5, 0.0, 0.8, 0.3],
        [0.2, 0.0, 0.3, -0.3, 0.9],
    ]
)
WEIGHTS = STD[:, None] * MIX / np.linalg.norm(MIX, axis=1, keepdims=True)


@dataclass(frozen=True)
class Climate:
    """A generated record and the noise behind it.

    Attributes:
        records: In the form of `station_file.read_records`, with T, p, Tdew and wind.
        modes: float64, (num_rows, 5): the independent noises behind the variables.
    """

    records: Records
    modes: np.ndarray

    def predict_best(
        self, target: str, rows: np.ndarray, ahead: int
    ) -> np.ndarray | None:
        """Return the best possible predictions from all rows up to some row.

        A variable is its cycle plus a mix of modes m. Each mode is autoregressive,
        m(t + 1) = a m(t) + e. So, given the past, its expected value h rows later is
        a^h m(t). The variables of one row determine all modes. The remaining error is
        Gaussian, so the prediction is also the best in absolute error.

        Args:
            target: Column.
            rows: int, (num_predictions,): the latest row seen.
            ahead: Rows from the latest row seen to the target.

        Returns:
            float32, (num_predictions,). None for a column that is no such sum.
        """
        if target not in NAMES[:3]:
            return None
        k = NAMES.index(target)
        times = self.records.rows.times[rows] + ahead * INTERVAL
        kept = _decay() ** ahead
        noise = (self.modes[rows] * kept) @ WEIGHTS[k]
        return (_cycle(times)[:, k] + noise).astype(np.float32)


def make_climate(num_rows: int = NUM_ROWS, seed: int = SEED) -> Climate:
    """Generate a record, always the same for the same seed."""
    from scipy.signal import lfilter

    random = np.random.default_rng(seed)
    decay = _decay()
    shocks = random.normal(size=(num_rows, len(NAMES))) * np.sqrt(1 - decay**2)
    shocks[0] = random.normal(size=len(NAMES))  # the stationary std is 1
    modes = np.column_stack(
        [
            lfilter([1.0], [1.0, -a], column)
            for a, column in zip(decay, shocks.T, strict=True)
        ]
    )
    times = START + np.arange(num_rows) * INTERVAL
    values = _cycle(times) + modes @ WEIGHTS.T
    east, north = values[:, 3], values[:, 4]
    table = dict(zip(NAMES[:3], values.T[:3], strict=True))
    table[WIND_SPEED] = np.hypot(east, north)
    table[WIND_DIRECTION] = np.rad2deg(np.arctan2(-east, -north)) % 360
    lines = np.arange(num_rows, dtype=np.int64) + 2
    return Climate(Records(Rows(times, np.zeros_like(lines), lines, table)), modes)


def _decay() -> np.ndarray:
    """Return the share of each mode that remains after one row, (5,)."""
    return np.exp(-INTERVAL.astype(float) / MEMORY)


def _cycle(times: np.ndarray) -> np.ndarray:
    """Return the daily and yearly cycles, float64, (num_rows, 5)."""
    seconds = (times - START) / np.timedelta64(1, "s")
    year = -np.cos(2 * np.pi * (seconds / YEAR - 15 / 365))[:, None]
    day = -np.cos(2 * np.pi * (seconds / DAY - 3 / 24))[:, None]
    return MEAN + YEARLY * year + DAILY * day
