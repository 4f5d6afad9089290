"""Weather records as a forecasting task: found, cleaned, split in time and windowed."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from shared.data.climate import DEPENDENCE, NUM_ROWS, Climate, make_climate
from shared.data.sources import KERAS_CACHE, find_source
from shared.data.splits import Examples, Splits, TargetScale
from shared.data.weather_cleaning import Observations, clean_records, list_sources
from shared.data.weather_file import WIND_DIRECTION, read_records
from shared.data.windows import Windows, find_starts, label_segments
from shared.errors import UserError, check_at_least

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
        counts = ("lookback", "sampling", "delay", "stride", "limit")
        check_at_least(self, dict.fromkeys(counts, 1) | {"max_gap": 0})
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


@dataclass(frozen=True)
class WeatherSplits(Splits):
    """A weather record, split into windows.

    Attributes:
        target: float32, (num_rows,): the column to predict, in its unit, row by row of
            the series that the windows are cut from.
    """

    target: np.ndarray = field(kw_only=True)

    def find_column(self, name: str) -> int:
        """Return which number of a step is a column of the record.

        Args:
            name: Of the column.

        Raises:
            UserError: If it is not read as it stands in the record.
        """
        columns = self.facts["columns"]
        if name not in columns:
            raise UserError(
                f"--target {name!r}: this network starts from the latest value, and "
                f"wind speeds are read as their components only; take one of "
                f"{', '.join(map(repr, columns))}."
            )
        return columns.index(name)


def load_weather(config: WeatherConfig) -> WeatherSplits:
    """Return windows of a weather record, split in time order.

    Every window and its target lie within one part and cross no gap. No window holds
    a value that was interpolated from rows after its end, and no target was
    interpolated. Inputs are `Windows`: every column of the record, standardised with
    the mean and standard deviation of the training rows, and the sine and cosine of
    the time of day and of year as they are. Targets are float32, (num_windows,), in
    their unit.

    Raises:
        UserError: If no file is there though one was asked for, or the file is not
            what it should be, or too short.
    """
    observations, name, facts, climate = find_observations(config)
    _check_target(config, observations)
    num_rows = len(observations.times)
    num_train = int(num_rows * config.train_share)
    num_validation = int(num_rows * config.validation_share)
    bounds = {
        "train": (0, num_train),
        "validation": (num_train, num_train + num_validation),
        "test": (num_train + num_validation, num_rows),
    }
    starts = _find_usable_starts(config, observations, bounds, name)
    # What was interpolated from later parts is no fact of the training part.
    known = observations.known_at[:num_train] <= observations.times[num_train - 1]
    rows = np.flatnonzero(known)
    series = _standardise(config, observations, rows, name)
    target = observations.targets[config.target].astype(np.float32)
    ahead = config.delay * config.sampling
    parts = {}
    for part, first in starts.items():
        best = None
        if climate is not None:
            best = climate.predict_best(
                config.target, first + config.span - ahead, ahead
            )
        parts[part] = Examples(
            inputs=Windows(
                series, first, config.lookback, config.sampling, config.reverse
            ),
            targets=target[first + config.span],
            best_possible=best,
            times=observations.times[first + config.span],
            dependence=math.ceil((DEPENDENCE + ahead) / config.stride),
        )
    seconds = float(observations.interval / np.timedelta64(1, "s"))
    facts |= {
        "rows": num_rows,
        "interval": seconds,
        "columns": list(observations.columns),
        "mended": observations.mended,
    }
    step = config.sampling * seconds / 3600
    print(
        f"  {len(observations.columns)} columns, windows of {config.lookback} steps of "
        f"{step:g} h, the target {config.delay * step:g} h after the last"
    )
    return WeatherSplits(
        data=_name_task(name, config, config.delay * step),
        **parts,
        facts=facts,
        scale=TargetScale(
            float(target[rows].mean(dtype=np.float64)),
            float(target[rows].std(dtype=np.float64)),
            _spell_unit(config.target),
        ),
        target=target,
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
        records = read_records(source.path, config.skip_columns, config.limit)
        observations = clean_records(records, source.path, config.max_gap)
    except UserError as error:
        if source.origin != KERAS_CACHE:
            raise
        raise UserError(f"{error} Or delete it, and the next run downloads.") from None
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
    observations = clean_records(
        climate.records, Path("climate-sample"), config.max_gap
    )
    return observations, "climate-sample", {"origin": "generated"}, climate


def _check_target(config: WeatherConfig, observations: Observations) -> None:
    if config.target in observations.targets:
        return
    reason = "there is no such column"
    if config.target in config.skip_columns:
        reason = "--skip-columns leaves it out"
    elif config.target == WIND_DIRECTION:
        reason = "a direction is no number that can be missed by so and so much"
    raise UserError(
        f"--target {config.target!r}: {reason}; take one of "
        f"{', '.join(map(repr, observations.targets)) or 'none: all are left out'}."
    )


def _find_usable_starts(
    config: WeatherConfig,
    observations: Observations,
    bounds: dict[str, tuple[int, int]],
    name: str,
) -> dict[str, np.ndarray]:
    """Return the first row of every window, by part; at least one each."""
    times = observations.times
    if config.span >= len(times):
        raise UserError(
            f"{name}: too short: a window with its target needs {config.span + 1:,} "
            f"rows, and there are {len(times):,}; take fewer --lookback or --delay "
            "steps, a longer file, or a larger --limit."
        )
    # Rows at whose time some row up to there was not known yet.
    early = np.zeros(len(times), bool)
    for row in np.flatnonzero(observations.known_at > times):
        early[row : np.searchsorted(times, observations.known_at[row])] = True
    segments = label_segments(times, observations.interval)
    ahead = config.delay * config.sampling
    starts = {}
    for part, (first, stop) in bounds.items():
        found = find_starts(segments, first, stop, config.span, config.stride)
        last = found + config.span - ahead
        invented = observations.invented[config.target][found + config.span]
        starts[part] = found[~early[last] & ~invented]
        if not len(starts[part]):
            lines = observations.lines[first:stop]
            place = f"lines {lines[0]} to {lines[-1]}" if len(lines) else "no row"
            longest = np.bincount(segments[first:stop]).max() if len(lines) else 0
            raise UserError(
                f"{name}: too short: the {part} part ({place}) has at most "
                f"{longest:,} rows without a gap, and a window with its target needs "
                f"{config.span + 1:,}; take fewer --lookback or --delay steps, other "
                "shares, a longer file, or a larger --limit."
            )
    return starts


def _standardise(
    config: WeatherConfig, observations: Observations, rows: np.ndarray, name: str
) -> np.ndarray:
    """Return the inputs of the network, float32, (num_rows, num_features).

    Args:
        config: Says which cycles of the calendar are told.
        observations: All rows.
        rows: Those that mean and spread are taken from.
        name: Of the record.
    """
    seconds = observations.times.astype("datetime64[s]").astype(np.float64)
    angles = [2 * np.pi * seconds / period for period in CYCLES[config.calendar]]
    calendar = [wave(angle) for angle in angles for wave in (np.sin, np.cos)]
    num_columns = len(observations.columns)
    series = np.empty((len(seconds), num_columns + len(calendar)), np.float32)
    for k, (column, values) in enumerate(observations.columns.items()):
        mean, spread = values[rows].mean(), values[rows].std()
        if spread <= 1e-9 * max(1.0, abs(mean)):
            first, last = observations.lines[rows[[0, -1]]]
            sources = " ".join(map(repr, list_sources(column)))
            raise UserError(
                f"{name}: column {column!r} is {mean:g} in all training rows (lines "
                f"{first} to {last}), and a constant cannot be standardised; leave it "
                f"out with --skip-columns {sources}, or read more rows."
            )
        series[:, k] = (values - mean) / spread
    if calendar:
        series[:, num_columns:] = np.column_stack(calendar)
    if not series.shape[1]:
        raise UserError("--skip-columns: leaves nothing to read; skip fewer columns.")
    return series


def _name_task(name: str, config: WeatherConfig, hours: float) -> str:
    """Name the record, and what is predicted where it is not the book's task."""
    target = re.sub(r" \([^)]*\)$", "", config.target).replace(" ", "-")
    marks = [
        "" if config.target == "T (degC)" else target,
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
