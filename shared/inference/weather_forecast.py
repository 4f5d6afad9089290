"""The forecast of a weather run for the time after the last row of a record."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from shared.core.errors import UserError
from shared.core.text import shorten
from shared.data.series.frequency import describe_seconds
from shared.data.weather.cleaning import Observations, clean_records
from shared.data.weather.dataset import (
    WeatherConfig,
    find_observations,
    make_features,
)
from shared.data.weather.station_file import read_records
from shared.data.windows import label_segments
from shared.plots.forecast_figure import ForecastPanel
from shared.runs.reader import Run, read_predictions
from shared.tasks.conformal import LEVELS, count_needed, find_half_widths

MOST_ERRORS = 1_000  # of the latest test forecasts, that calibrate the intervals
PAST = 10  # days that the picture shows
DAY = np.timedelta64(1, "D")
OUTSIDE = 0.1  # of the training range: new data farther out are named


class Kept(msgspec.Struct, frozen=True):
    """What a run keeps of its training rows; other facts are not read here.

    Attributes:
        interval: Seconds from one row to the next.
        scaling: Column -> mean and standard deviation.
        ranges: Column -> smallest and largest value.
    """

    interval: float
    scaling: dict[str, tuple[float, float]]
    ranges: dict[str, tuple[float, float]] = {}


@dataclass
class WeatherForecast:
    """A forecast of one value.

    Attributes:
        time: When it will be measured, datetime64[s].
        value: The forecast.
        intervals: Level -> lower and upper end.
        observations: The record that was read.
        target: Column that is predicted.
        source: Which rows were read, in words.
        remarks: What the user should know, each in one sentence.
    """

    time: np.datetime64
    value: float
    intervals: dict[float, tuple[float, float]]
    observations: Observations
    target: str
    source: str
    remarks: list[str] = field(default_factory=list)

    def to_rows(self) -> list[dict[str, Any]]:
        """Return the forecast as a row of a table."""
        row: dict[str, Any] = {"time": str(self.time).replace("T", " ")}
        row["forecast"] = round(self.value, 4)
        for level, ends in self.intervals.items():
            for word, end in zip(("lower", "upper"), ends, strict=True):
                row[f"{word}_{100 * level:g}"] = round(end, 4)
        return [row]

    def to_panels(self) -> list[ForecastPanel]:
        """Return what the picture shows."""
        times = self.observations.times
        shown = times >= times[-1] - PAST * DAY
        return [
            ForecastPanel(
                title="",
                past_times=times[shown],
                past=self.observations.targets[self.target][shown],
                times=np.array([self.time]),
                forecast=np.array([self.value]),
                intervals={
                    level: (np.array([low]), np.array([high]))
                    for level, (low, high) in self.intervals.items()
                },
                quantity=self.target,
            )
        ]


def forecast_weather(run: Run, config: WeatherConfig, file: Path | None) -> Any:
    """Forecast the time `delay` steps after the last row of a record.

    Args:
        run: A finished run of a weather recipe.
        config: Its settings.
        file: A file of the station, maybe newer; None: the record of the run.

    Raises:
        UserError: If the run has no scaling, or the record does not fit it.
    """
    kept = _read_kept(run)
    scaling = kept.scaling
    if file is None:
        observations, name, _, _ = find_observations(config)
        place = name
    else:
        records = read_records(file, config.skip_columns)
        observations = clean_records(records, file, config.max_gap)
        place = str(file)
    _check_columns(observations, scaling, place)
    _check_interval(observations, kept.interval, place)
    rows = _find_rows(observations, config, place)
    features = make_features(config, observations, scaling)
    window = features[rows[::-1] if config.reverse else rows][None]
    from shared.inference.load_model import load_model

    model = load_model(run.path)
    if tuple(model.input_shape[1:]) != window.shape[1:]:
        raise UserError(
            f"{run.path}: best.keras and config.json are not of one run; train it "
            "again."
        )
    value = float(np.asarray(model.predict(window, verbose=0)).ravel()[0])
    ahead = config.delay * config.sampling * observations.interval
    found = WeatherForecast(
        time=observations.times[-1] + ahead.astype("timedelta64[s]"),
        value=value,
        intervals={},
        observations=observations,
        target=config.target,
        source=_describe_rows(observations, place),
        remarks=[
            *observations.repairs,
            *_find_outside(observations, rows, kept.ranges),
        ],
    )
    if not np.isfinite(value):
        raise UserError(
            f"{run.path}: the network forecasts a value that is no number. Train the "
            "run again, e.g. with a smaller --learning-rate."
        )
    _add_intervals(found, run)
    return found


def _read_kept(run: Run) -> Kept:
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


def _describe_rows(observations: Observations, place: str) -> str:
    first, last = observations.times[[0, -1]]
    lines = observations.lines[[0, -1]]
    times = f"{first} to {last}".replace("T", " ")
    return f"{place} ({times}, lines {lines[0]} to {lines[1]})"


def _check_interval(observations: Observations, trained: float, place: str) -> None:
    """Refuse a record whose rows have another interval than in training."""
    found = float(observations.interval / np.timedelta64(1, "s"))
    if found != trained:
        raise UserError(
            f"{place}: has a row every {describe_seconds(found)}, and the network "
            f"needs one every {describe_seconds(trained)}; take a record with that "
            "interval."
        )


def _find_outside(
    observations: Observations,
    rows: np.ndarray,
    ranges: dict[str, tuple[float, float]],
) -> list[str]:
    """Return a sentence for each column of a window outside the training range."""
    found = []
    for name, (low, high) in ranges.items():
        values = observations.columns[name][rows]
        distance = np.maximum(low - values, values - high)
        k = int(distance.argmax())
        if distance[k] > OUTSIDE * (high - low):
            found.append(
                f"{name!r} is {values[k]:g} in line {observations.lines[rows[k]]}, "
                f"outside the training range of {low:g} to {high:g}: the forecast is "
                "less sure than its interval says"
            )
    return found


def _check_columns(
    observations: Observations, scaling: dict[str, list[float]], place: str
) -> None:
    missing = [name for name in scaling if name not in observations.columns]
    if missing:
        raise UserError(
            f"{place}: has no column {', '.join(map(repr, missing))}, which the "
            f"network reads; it has {shorten(', '.join(observations.columns), 400)}."
        )


def _find_rows(
    observations: Observations, config: WeatherConfig, place: str
) -> np.ndarray:
    """Return the rows of the last window, from the earliest to the latest.

    Raises:
        UserError: If there are too few rows after the last gap.
    """
    span = (config.lookback - 1) * config.sampling
    segments = label_segments(observations.elapsed, observations.interval)
    count = int((segments == segments[-1]).sum())
    if count <= span:
        raise UserError(
            f"{place}: {count:,} rows after the last gap, and the network reads "
            f"{span + 1:,}; take a record that starts earlier, or a larger --max-gap "
            "in training."
        )
    last = len(observations.times) - 1
    return np.arange(last - span, last + 1, config.sampling)


def _add_intervals(found: WeatherForecast, run: Run) -> None:
    """Calibrate the intervals on the latest test forecasts of the run."""
    stored = read_predictions(run)
    if stored is None:
        found.remarks.append("no intervals: the run has no usable predictions.npz")
        return
    errors = np.abs(stored["predictions"] - stored["targets"])[-MOST_ERRORS:]
    for level in LEVELS:
        half = find_half_widths(errors.astype(np.float64), level)
        if half is None:
            found.remarks.append(
                f"no {level:.0%} interval: {len(errors)} earlier forecasts can "
                f"calibrate it, and it needs {count_needed(level)}"
            )
            continue
        found.intervals[level] = found.value - float(half), found.value + float(half)
