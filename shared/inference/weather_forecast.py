"""The forecast of a weather run for the time after the last row of a record."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.core.errors import UserError
from shared.data.weather.cleaning import Observations
from shared.data.weather.dataset import WeatherConfig, find_usable
from shared.data.weather.features import make_features
from shared.data.windows import Windows
from shared.inference.intervals import (
    MOST_ORIGINS,
    calibrate_all,
    cut_warnings,
    find_outside,
    list_ends,
    read_test_errors,
    round_number,
)
from shared.inference.parts import restore_part
from shared.inference.weather_record import find_last_window, find_record, read_kept
from shared.plots.forecast_figure import ForecastPanel
from shared.runs.reader import Run

if TYPE_CHECKING:
    import keras

BATCH = 256
PAST = 10  # days that the picture shows
DAY = np.timedelta64(1, "D")


@dataclass
class WeatherForecast:
    """A forecast of one value.

    Attributes:
        time: When it will be measured, datetime64[s].
        value: The forecast.
        intervals: Level -> lower and upper end, each (1,).
        observations: The record that was read.
        target: Column that is predicted.
        source: Which rows were read, in words.
        remarks: What the user should know, each in one sentence.
    """

    time: np.datetime64
    value: float
    intervals: dict[float, tuple[np.ndarray, np.ndarray]]
    observations: Observations
    target: str
    source: str
    remarks: list[str] = field(default_factory=list)

    def to_rows(self) -> list[dict[str, Any]]:
        """Return the forecast as a row of a table."""
        row: dict[str, Any] = {"time": str(self.time).replace("T", " ")}
        row["forecast"] = round_number(self.value)
        return [row | list_ends(self.intervals, 0)]

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
                intervals=self.intervals,
                quantity=self.target,
            )
        ]


def forecast_weather(run: Run, file: Path | None) -> WeatherForecast:
    """Forecast the time `delay` steps after the last row of a record.

    Args:
        run: A finished run of a weather recipe.
        file: A file of the station, maybe newer; None: the record of the run if it is
            still there, else the last steps that the run has kept.

    Raises:
        UserError: If the run has no scaling, or the record does not fit it.
    """
    config = restore_part(run, WeatherConfig)
    kept = read_kept(run)
    observations, source = find_record(run, config, kept, file)
    rows = find_last_window(observations, config, source)
    features = make_features(config, observations, kept.scaling)
    from shared.inference.load_model import load_model

    model = load_model(run.path)
    if tuple(model.input_shape[1:]) != (config.lookback, features.shape[1]):
        raise UserError(
            f"{run.path}: best.keras and config.json are not of one run; train it "
            "again."
        )
    lines = observations.lines[rows]
    outside = [
        find_outside(name, observations.columns[name][rows], lines, bounds)
        for name, bounds in kept.ranges.items()
    ]
    value = float(_predict(model, config, features, rows[:1])[0])
    if not np.isfinite(value):
        raise UserError(
            f"{run.path}: the network forecasts a value that is no number. Train the "
            "run again, e.g. with a smaller --learning-rate."
        )
    ahead = config.delay * config.sampling * observations.interval
    found = WeatherForecast(
        time=observations.times[-1] + ahead.astype("timedelta64[s]"),
        value=value,
        intervals={},
        observations=observations,
        target=config.target,
        source=source,
        remarks=[*observations.repairs, *cut_warnings([*filter(None, outside)])],
    )
    _add_intervals(found, run, config, model, features)
    return found


def _predict(
    model: keras.Model, config: WeatherConfig, features: np.ndarray, starts: np.ndarray
) -> np.ndarray:
    """Return the forecasts of windows, float64, (num_windows,).

    Args:
        model: Windows -> one value.
        config: Sets the windows.
        features: Of all rows.
        starts: First row of each window.
    """
    windows = Windows(
        features, starts, config.lookback, config.sampling, config.reverse
    )
    batches = [
        np.asarray(model.predict_on_batch(windows.cut(slice(k, k + BATCH))), np.float64)
        for k in range(0, len(starts), BATCH)
    ]
    return np.concatenate(batches).ravel() if batches else np.empty(0)


def _add_intervals(
    found: WeatherForecast,
    run: Run,
    config: WeatherConfig,
    model: keras.Model,
    features: np.ndarray,
) -> None:
    """Calibrate the intervals on the latest forecasts whose outcome is known."""
    kept = read_test_errors(run)
    if kept is None:
        found.remarks.append("no intervals: the run has no usable predictions.npz")
        return
    errors, last = kept
    observations = found.observations
    starts = find_usable(config, observations, 0, len(observations.times))
    if last is None:
        starts = starts[:0]
    else:
        is_newer = observations.times[starts + config.span] > last
        starts = starts[is_newer][-MOST_ORIGINS:]
    predictions = _predict(model, config, features, starts)
    truth = observations.targets[config.target][starts + config.span]
    newer = np.abs(predictions - truth)
    found.intervals, sentences = calibrate_all(errors, newer, np.array([found.value]))
    found.remarks += sentences
