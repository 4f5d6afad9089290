"""The rows from which a weather run forecasts: those of a record, or those it kept."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import msgspec
import numpy as np

from shared.core.errors import UserError
from shared.core.text import shorten
from shared.data.series.frequency import describe_seconds
from shared.data.weather.cleaning import Observations, clean_records
from shared.data.weather.dataset import FILES, WeatherConfig, find_observations
from shared.data.weather.latest_rows import unpack_latest
from shared.data.weather.station_file import read_records
from shared.data.windows import label_segments
from shared.inference.series_table import describe_kept
from shared.runs.decode import DamagedError, read_arrays
from shared.runs.reader import Run

LATEST = "latest.npz"


class Kept(msgspec.Struct, frozen=True):
    """What a run keeps of its training rows; other facts are not read here.

    Attributes:
        interval: Seconds from one row to the next.
        scaling: Column -> mean and standard deviation.
        ranges: Column -> smallest and largest value.
        file: The record of the run; None if it was generated.
    """

    interval: float
    scaling: dict[str, tuple[float, float]]
    ranges: dict[str, tuple[float, float]] = {}
    file: str | None = None


def read_kept(run: Run) -> Kept:
    """Return what a run keeps of its training rows.

    Raises:
        UserError: If it was made by an older version, or is damaged.
    """
    facts = run.config["data_facts"]
    if "scaling" not in facts:
        raise UserError(
            f"{run.path}: the run was made by an older version, which did not keep the "
            "scaling of its inputs; train it again."
        )
    try:
        kept = msgspec.convert(facts, Kept)
        if any(std <= 0 for _, std in kept.scaling.values()) or kept.interval <= 0:
            raise ValueError("a scale is not above 0")
    except ValueError as error:
        raise UserError(
            f"{run.path}: config.json has no scaling that this version reads "
            f"({shorten(str(error), 120)}); train the run again."
        ) from None
    return kept


def find_record(
    run: Run, config: WeatherConfig, kept: Kept, file: Path | None
) -> tuple[Observations, str]:
    """Return the rows to forecast from, and which they are, in words.

    Args:
        run: A finished run of a weather recipe.
        config: Its settings.
        kept: Of its training rows.
        file: A file of the station; None: that of the run if it is still there, else
            the last steps that the run has kept.

    Raises:
        UserError: If there is nothing to read, or it does not fit the run.
    """
    path = file or (None if kept.file is None else Path(kept.file))
    if file is not None or (path is not None and path.is_file()):
        records = read_records(path, config.skip_columns)
        observations = clean_records(records, path, config.max_gap)
        source = f"{path} ({_describe_rows(observations)})"
    elif path is not None and os.path.lexists(run.path / LATEST):
        observations = _read_latest(run, config, kept)
        source = f"{describe_kept(path)}, {_describe_rows(observations)}"
    else:
        observations, source = _find_again(config, path)
        source = f"{source} ({_describe_rows(observations)})"
    place = str(path or source)
    _check_columns(observations, kept.scaling, place)
    _check_interval(observations, kept.interval, place)
    return observations, source


def find_last_window(
    observations: Observations, config: WeatherConfig, place: str
) -> np.ndarray:
    """Return the rows of the last window, from the earliest to the latest.

    Raises:
        UserError: If there are too few rows after the last gap.
    """
    segments = label_segments(observations.elapsed, observations.interval)
    count = int((segments == segments[-1]).sum())
    if count < config.num_read:
        raise UserError(
            f"{place}: {count:,} rows after the last gap, and the network reads "
            f"{config.num_read:,}; take a record that starts earlier, or a larger "
            "--max-gap in training."
        )
    stop = len(observations.times)
    return np.arange(stop - config.num_read, stop, config.sampling)


def _read_latest(run: Run, config: WeatherConfig, kept: Kept) -> Observations:
    interval = np.timedelta64(round(kept.interval), "s")
    try:
        arrays = read_arrays(run.path / LATEST)
        return unpack_latest(arrays, config.target, kept.scaling, interval)
    except (DamagedError, KeyError, ValueError, TypeError) as error:
        reason = f"without {error}" if type(error) is KeyError else str(error)
        raise UserError(
            f"{run.path}: {LATEST} cannot be used ({shorten(reason, 120)}); name the "
            "record with --file."
        ) from None


def _find_again(config: WeatherConfig, path: Path | None) -> tuple[Observations, str]:
    """Return the generated climate, or a record of the same name at another place."""
    if path is None:
        config = dataclasses.replace(config, data="sample", data_dir=None)
    else:  # never the climate instead of the record
        names = [name for name, files in FILES.items() if path.name in files]
        config = dataclasses.replace(config, data=(names or [config.data])[0])
    observations, name, _, _ = find_observations(config)
    return observations, name


def _describe_rows(observations: Observations) -> str:
    first, last = observations.times[[0, -1]]
    lines = observations.lines[[0, -1]]
    place = f", lines {lines[0]} to {lines[1]}" if lines[1] else ""
    return f"{first} to {last}{place}".replace("T", " ")


def _check_columns(
    observations: Observations, scaling: dict[str, tuple[float, float]], place: str
) -> None:
    missing = [name for name in scaling if name not in observations.columns]
    if missing:
        raise UserError(
            f"{place}: has no column {', '.join(map(repr, missing))}, which the "
            f"network reads; it has {shorten(', '.join(observations.columns), 400)}."
        )


def _check_interval(observations: Observations, trained: float, place: str) -> None:
    """Refuse a record whose rows have another interval than in training."""
    found = float(observations.interval / np.timedelta64(1, "s"))
    if found != trained:
        raise UserError(
            f"{place}: has a row every {describe_seconds(found)}, and the network "
            f"needs one every {describe_seconds(trained)}; take a record with that "
            "interval."
        )
