"""Weather forecasting: find the records, clean them, split in time, cut windows."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from shared.core.errors import UserError
from shared.data.sources import KERAS_CACHE, find_source, refuse_named_folder
from shared.data.splits import Examples, Splits, TargetScale
from shared.data.weather.cleaning import Observations, clean_records
from shared.data.weather.climate import DEPENDENCE, NUM_ROWS, Climate, make_climate
from shared.data.weather.config import WeatherConfig
from shared.data.weather.features import make_features, measure_scaling
from shared.data.weather.latest_rows import pack_latest
from shared.data.weather.station_file import WIND_DIRECTION, read_records
from shared.data.windows import Windows, find_starts, label_segments
from shared.tasks.score import absolute_error
from shared.tasks.task import Regression

__all__ = ["WeatherConfig", "WeatherSplits", "load_weather"]

URL = (
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
    "jena_climate_2009_2016.csv.zip"
)
FILES = {
    "jena-2009-2016": ("jena_climate_2009_2016.csv", "jena_climate_2009_2016.csv.zip"),
    "jena-2020": ("weather_jena_2020.csv", "weather_jena_2020.csv.gz"),
}


@dataclass(frozen=True)
class WeatherSplits(Splits):
    """A weather record, split into windows.

    Attributes:
        target: float32, (num_rows,): the column to predict, in its unit, for every row
            of the series from which the windows are cut.
    """

    target: np.ndarray = field(kw_only=True)

    def find_column(self, name: str) -> int:
        """Return the position of a column of the record in the inputs of a step.

        Args:
            name: Of the column.

        Raises:
            UserError: If the network does not read this column unchanged.
        """
        columns = self.facts["columns"]
        if name not in columns:
            raise UserError(
                f"--target {name!r}: this network starts from the latest value, and "
                "reads wind speeds as their components only; take one of "
                f"{', '.join(map(repr, columns))}."
            )
        return columns.index(name)


def load_weather(config: WeatherConfig) -> WeatherSplits:
    """Return windows of a weather record, split in time order.

    Every window and its target lie within one part and cross no gap. No window holds a
    value that was interpolated from rows after its end. No target was interpolated.
    Inputs are `Windows`. They hold every column of the record, standardised with the
    mean and standard deviation of the training rows, and the unscaled sine and cosine
    of the time of day and of year. Targets are float32, (num_windows,), in their unit.

    Raises:
        UserError: If the requested file is missing, has another form or is too short.
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
    scaling = measure_scaling(config, observations, rows, name)
    series = make_features(config, observations, scaling)
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
        "repairs": observations.repairs,
        "scaling": scaling,
        "ranges": {
            column: (float(values[rows].min()), float(values[rows].max()))
            for column, values in observations.columns.items()
        },
    }
    step = config.sampling * seconds / 3600
    unit = _format_unit(config.target)
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
            unit,
        ),
        task=Regression(absolute_error(unit), config.target),
        is_sample=climate is not None,
        kept=pack_latest(observations, config.target, config.num_read),
        target=target,
    )


def find_observations(
    config: WeatherConfig,
) -> tuple[Observations, str, dict[str, Any], Climate | None]:
    """Return a real record if one is found, else the generated climate.

    Returns:
        The record, its name, facts about its source, and the `Climate` if the record is
        generated.

    Raises:
        UserError: If `--data` names a file and it is not found. If the user named a
            folder without the file, or one for the sample.
    """
    if config.data == "sample":
        refuse_named_folder(config.data_dir)
        return _sample(config)
    names = FILES.get(config.data) or sum(FILES.values(), ())
    url = None if config.data == "jena-2020" else URL
    source, missed = find_source(names, config.data_dir, url, sha256=None)
    if source is None:
        reasons = "; ".join(missed)
        if config.data != "auto":
            raise UserError(
                f"--data {config.data}: no weather file found ({reasons}). Put "
                f"{' or '.join(names)} into a folder and name it with --data-dir, or "
                "take --data sample."
            )
        print(
            "No weather file found:\n  "
            + "\n  ".join(missed)
            + "\nThe run goes on with a generated climate (data set climate-sample). "
            "Its scores say nothing about real weather.\n"
            f"For real weather, put {' or '.join(names)} into a folder and name it "
            "with --data-dir."
        )
        return _sample(config)
    print(f"Weather: {source.path} ({source.origin})")
    try:
        records = read_records(source.path, config.skip_columns, config.limit)
        observations = clean_records(records, source.path, config.max_gap)
    except UserError as error:
        if source.origin != KERAS_CACHE:
            raise
        raise UserError(f"{error} Or delete it; the next run downloads it.") from None
    for sentence in observations.repairs:
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
            "--skip-columns: the generated climate is always read whole; omit the flag."
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
        reason = "a direction is no number to predict: 359 is next to 1 degree"
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
    starts = {}
    for part, (first, stop) in bounds.items():
        starts[part] = find_usable(config, observations, first, stop)
        if not len(starts[part]):
            segments = label_segments(observations.elapsed, observations.interval)
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


def find_usable(
    config: WeatherConfig, observations: Observations, first: int, stop: int
) -> np.ndarray:
    """Return the first row of every window of a part, int64, (num_windows,).

    The window and its target cross no gap. At its end all its values were known. Its
    target was measured.

    Args:
        config: Sets the windows.
        observations: All rows.
        first: First row of the part.
        stop: Row after its last one.
    """
    times = observations.times
    # Rows at whose time a value of that row or an earlier one was not known yet.
    early = np.zeros(len(times), bool)
    for row in np.flatnonzero(observations.known_at > times):
        early[row : np.searchsorted(times, observations.known_at[row])] = True
    segments = label_segments(observations.elapsed, observations.interval)
    starts = find_starts(segments, first, stop, config.span, config.stride)
    last = starts + config.num_read - 1
    interpolated = observations.interpolated[config.target][starts + config.span]
    return starts[~early[last] & ~interpolated]


def _name_task(name: str, config: WeatherConfig, hours: float) -> str:
    """Name the record, and the settings that differ from the book's task."""
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


def _format_unit(column: str) -> str:
    """Return the unit in a column's name: `T (degC)` -> `deg C`."""
    found = re.search(r"\(([^)]*)\)", column)
    return "" if found is None else found[1].replace("degC", "deg C")
