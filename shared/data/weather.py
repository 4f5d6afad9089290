"""Weather records as a forecasting task: found, cleaned, split in time and windowed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from shared.data.climate import NUM_ROWS, Climate, make_climate
from shared.data.sources import KERAS_CACHE, find_source
from shared.data.splits import Examples, Splits, TargetScale
from shared.data.weather_file import Observations, clean_table, read_table
from shared.data.windows import Windows, find_starts, label_segments
from shared.errors import UserError, spell_flag

URL = (
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
    "jena_climate_2009_2016.csv.zip"
)
FILES = {
    "jena-2009-2016": ("jena_climate_2009_2016.csv", "jena_climate_2009_2016.csv.zip"),
    "jena-2020": ("weather_jena_2020.csv", "weather_jena_2020.csv.gz"),
}
DAY, YEAR = 86_400.0, 365.2425 * 86_400.0  # seconds
CYCLES = {"day-and-year": (DAY, YEAR), "day": (DAY,), "none": ()}


@dataclass(frozen=True)
class WeatherConfig:
    """Which records, and how they become windows."""

    lookback: int
    """Steps the network reads."""
    sampling: int
    """Rows from one step to the next; the station writes six rows an hour."""
    delay: int
    """Steps from the last one read to the one predicted."""
    target: str
    """Column to predict."""
    train_share: float
    """Part of the rows to train on, the earliest."""
    validation_share: float
    """Part of the rows that choose the epoch, the next ones; the rest is the test."""
    stride: int = 1
    """Rows from one window to the next."""
    reverse: bool = False
    """Feed the steps of each window from the latest to the earliest."""
    calendar: Literal["day-and-year", "day", "none"] = "day-and-year"
    """Which cycles the network is told as sine and cosine of the time. On a single year
    the yearly ones are a trend that ends with the training part."""
    max_gap: int = 60
    """Minutes up to which missing values are interpolated; longer gaps stay gaps."""
    skip_columns: tuple[str, ...] = ()
    """Columns of the file not to read."""
    data: Literal["auto", "jena-2009-2016", "jena-2020", "sample"] = "auto"
    """A file of the station or an error; sample: a generated climate. auto: a file
    where one can be had."""
    data_dir: Path | None = None
    """Folder with the file; else RNN_RECIPES_DATA, the Keras cache, the download."""
    limit: int | None = None
    """Read only so many rows from the start of the file, for a quick look."""

    def check(self) -> None:
        """Refuse settings that no record can satisfy.

        Raises:
            UserError: With the flag, what it takes and the way out.
        """
        for name in ("lookback", "sampling", "delay", "stride", "limit"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UserError(
                    f"{spell_flag(name)} {value}: takes whole numbers from 1 up."
                )
        if self.max_gap < 0:
            raise UserError(
                f"--max-gap {self.max_gap}: takes minutes from 0 (fill nothing) up."
            )
        shares = (self.train_share, self.validation_share)
        if not (min(shares) > 0 and sum(shares) < 1):
            raise UserError(
                f"--train-share {shares[0]} --validation-share {shares[1]}: take "
                "shares above 0 that leave a part of the rows for the test, e.g. 0.5 "
                "and 0.25."
            )

    @property
    def span(self) -> int:
        """Rows from the start of a window to its target."""
        return (self.lookback - 1 + self.delay) * self.sampling


def load_weather(config: WeatherConfig) -> Splits:
    """Return windows of a weather record, split in time order.

    Every window and its target lie within one part and cross no gap. Inputs are
    `Windows`: every column of the record, standardised with the mean and standard
    deviation of the training rows, and the sine and cosine of the time of day and
    of year as they are. Targets are float32, (num_windows,), in their unit.

    Raises:
        UserError: If no file is there though one was asked for, or the file is not
            what it should be, or too short.
    """
    observations, name, facts, climate = find_observations(config)
    if config.target not in observations.columns:
        raise UserError(
            f"--target {config.target!r}: there is no such column; take one of "
            f"{', '.join(map(repr, observations.columns))}."
        )
    times, num_rows = observations.times, len(observations.times)
    num_train = int(num_rows * config.train_share)
    num_validation = int(num_rows * config.validation_share)
    bounds = {
        "train": (0, num_train),
        "validation": (num_train, num_train + num_validation),
        "test": (num_train + num_validation, num_rows),
    }
    segments = label_segments(times, observations.interval)
    starts = {
        part: find_starts(segments, *rows, config.span, config.stride)
        for part, rows in bounds.items()
    }
    for part, rows in bounds.items():
        if not len(starts[part]):
            longest = (
                np.bincount(segments[slice(*rows)]).max() if rows[1] > rows[0] else 0
            )
            raise UserError(
                f"{name}: too short: the {part} part (rows {rows[0] + 1:,} to "
                f"{rows[1]:,}) has at most {longest:,} rows without a gap, and a "
                f"window with its target needs {config.span + 1:,}; take fewer "
                "--lookback or --delay steps, other shares, or a longer file."
            )
    series = _standardise(observations, num_train, name, CYCLES[config.calendar])
    raw = observations.columns[config.target].astype(np.float32)
    parts = {}
    for part, first in starts.items():
        rows = first + config.span
        parts[part] = Examples(
            inputs=Windows(
                series, first, config.lookback, config.sampling, config.reverse
            ),
            targets=raw[rows],
            best_possible=climate
            and climate.predict_best(
                config.target,
                rows - config.delay * config.sampling,
                config.delay * config.sampling,
            ),
            times=times[rows],
        )
    train_rows = raw[:num_train].astype(np.float64)
    return Splits(
        data=_name_task(name, config, observations.interval),
        **parts,
        facts=facts
        | {
            "rows": num_rows,
            "interval": observations.interval / np.timedelta64(1, "s"),
            "columns": list(observations.columns),
            "mended": observations.mended,
        },
        scale=TargetScale(
            float(train_rows.mean()),
            float(train_rows.std()),
            _spell_unit(config.target),
        ),
    )


def find_observations(
    config: WeatherConfig,
) -> tuple[Observations, str, dict[str, Any], Climate | None]:
    """Return a real record where one can be had, else the generated climate.

    Returns:
        The record, its name, facts about its source, and for the generated one what
        made it.

    Raises:
        UserError: If a file was asked for and none is there.
    """
    if config.data == "sample":
        return _sample(config)
    names = FILES.get(config.data) or sum(FILES.values(), ())
    url = None if config.data == "jena-2020" else URL
    source, missed = find_source(names, config.data_dir, url, sha256=None)
    if source is None:
        reasons = "; ".join(missed)
        if config.data != "auto":
            raise UserError(
                f"--data {config.data}: the record is not to be had ({reasons}). Put "
                f"{' or '.join(names)} into a folder and name it with --data-dir, or "
                "take --data sample."
            )
        print(
            "No weather record is to be had here:\n  "
            + "\n  ".join(missed)
            + "\nGoing on with a generated climate (data set climate-sample). Its "
            "scores say nothing about real weather.\n"
            f"For real weather put {' or '.join(names)} into a folder and name it with "
            "--data-dir."
        )
        return _sample(config)
    print(f"Weather: {source.path} ({source.origin})")
    try:
        table = read_table(source.path, config.skip_columns)
    except UserError as error:
        if source.origin != KERAS_CACHE:
            raise
        raise UserError(f"{error} Or delete it, and the next run downloads.") from None
    if config.limit is not None:
        table = table.iloc[: config.limit]
    observations = clean_table(table, source.path, config.max_gap)
    for sentence in observations.mended:
        print(f"  {sentence}")
    (name,) = [name for name, files in FILES.items() if source.path.name in files]
    facts = {
        "file": str(source.path),
        "origin": source.origin,
        "sha256": source.sha256,
    }
    return observations, name, facts, None


def _sample(
    config: WeatherConfig,
) -> tuple[Observations, str, dict[str, Any], Climate]:
    if config.skip_columns:
        raise UserError(
            "--skip-columns: the generated climate is read whole; leave the flag away."
        )
    climate = make_climate(config.limit or NUM_ROWS)
    observations = clean_table(climate.table, Path("climate-sample"), config.max_gap)
    return observations, "climate-sample", {"origin": "generated"}, climate


def _standardise(
    observations: Observations, num_train: int, name: str, periods: tuple[float, ...]
) -> np.ndarray:
    """Return the inputs of the network, float32, (num_rows, num_features)."""
    seconds = observations.times.astype("datetime64[s]").astype(np.float64)
    angles = [2 * np.pi * seconds / period for period in periods]
    calendar = [wave(angle) for angle in angles for wave in (np.sin, np.cos)]
    num_columns = len(observations.columns)
    series = np.empty((len(seconds), num_columns + len(calendar)), np.float32)
    for k, (column, values) in enumerate(observations.columns.items()):
        mean, spread = values[:num_train].mean(), values[:num_train].std()
        if spread <= 1e-9 * max(1.0, abs(mean)):
            raise UserError(
                f"{name}: column {column!r} is {mean:g} in all of the {num_train:,} "
                "training rows (rows 1 and up), and a constant cannot be "
                f"standardised; leave it out with --skip-columns {column!r}, or read "
                "more rows."
            )
        series[:, k] = (values - mean) / spread
    if calendar:
        series[:, num_columns:] = np.column_stack(calendar)
    return series


def _name_task(name: str, config: WeatherConfig, interval: np.timedelta64) -> str:
    """Name the record, and what is predicted where it is not the book's task."""
    hours = config.delay * config.sampling * interval / np.timedelta64(1, "h")
    marks = [
        "" if config.target == "T (degC)" else config.target.split()[0],
        "" if hours == 24 else f"{hours:g}h",
        ""
        if (config.train_share, config.validation_share) == (0.5, 0.25)
        else f"split-{config.train_share:g}-{config.validation_share:g}",
        "" if config.limit is None else f"limit-{config.limit}",
    ]
    return "-".join([name, *filter(None, marks)])


def _spell_unit(column: str) -> str:
    """Return the unit in a column's name: `T (degC)` -> `deg C`."""
    found = re.search(r"\(([^)]*)\)", column)
    return "" if found is None else found[1].replace("degC", "deg C")
