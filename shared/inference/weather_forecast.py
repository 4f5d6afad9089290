"""The forecast of a weather run for the time after the last row of a record."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from shared.core.errors import UserError
from shared.core.text import shorten
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
    scaling = run.config["data_facts"].get("scaling")
    if scaling is None:
        raise UserError(
            f"{run.path}: the run was made by an older version, which did not keep the "
            "scaling of its inputs; train it again."
        )
    if file is None:
        observations, name, _, _ = find_observations(config)
        place = name
    else:
        records = read_records(file, config.skip_columns)
        observations = clean_records(records, file, config.max_gap)
        place = str(file)
    _check_columns(observations, scaling, place)
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
        remarks=list(observations.repairs),
    )
    _add_intervals(found, run)
    return found


def _describe_rows(observations: Observations, place: str) -> str:
    first, last = observations.times[[0, -1]]
    return f"{place} ({first} to {last})".replace("T", " ")


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
