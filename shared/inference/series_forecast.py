"""A forecast beyond the end of every series, from a run folder alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from shared.core.errors import UserError
from shared.core.text import shorten
from shared.data.series.filling import FilledSeries
from shared.data.series.layout import Layout
from shared.inference.file_form import AS_TRAINED, FileForm
from shared.inference.intervals import (
    MOST_ORIGINS,
    calibrate,
    describe_lack,
    describe_newer,
)
from shared.inference.series_result import SeriesForecast
from shared.inference.series_run import (
    DAMAGES,
    Calibration,
    read_calibration,
    read_layout,
)
from shared.inference.series_table import Rows, extend, find_rows
from shared.runs.reader import Run
from shared.tasks.conformal import LEVELS, choose_ends, measure_outside

if TYPE_CHECKING:
    import keras

BATCH = 256


def forecast_series(
    run: Run, file: Path | None, form: FileForm = AS_TRAINED
) -> SeriesForecast:
    """Forecast the steps after the last measured row of every series.

    Args:
        run: A finished run of a series recipe.
        file: A table with the columns of the run, maybe newer; None: the file of the
            run if it is still there, else the last steps that the run has kept.
        form: How the table is written.

    Raises:
        UserError: If the run cannot forecast, or the table does not fit it.
    """
    layout = read_layout(run)
    rows = find_rows(run, layout, file, form)
    from shared.inference.load_model import load_model

    return forecast_rows(run, layout, rows, load_model(run.path))


def forecast_rows(
    run: Run, layout: Layout, rows: Rows, model: keras.Model
) -> SeriesForecast:
    """Forecast the steps after the last measured row of every series.

    Args:
        run: A finished run of a series recipe.
        layout: Of the run.
        rows: What was read for it.
        model: Of the run.

    Raises:
        UserError: If the model does not fit the layout, or forecasts no numbers.
    """
    found = SeriesForecast(
        layout, rows.series, source=rows.source, remarks=list(rows.remarks)
    )
    _check_shapes(model, layout, run)
    calibration = None
    try:
        calibration = read_calibration(run, layout)
    except DAMAGES as error:
        found.remarks.append(
            "no intervals: calibration.npz of the run cannot be used "
            f"({shorten(str(error), 120)})"
        )
    # The last origin of each series lies beyond the table; earlier ones calibrate.
    counts = [_forecast_one(one, model, calibration, found) for one in found.series]
    if calibration is not None:
        found.remarks += _describe_intervals(found, counts, calibration)
    if not all(np.isfinite(values).all() for values in found.values.values()):
        raise UserError(
            f"{run.path}: the network forecasts values that are no numbers. Train the "
            "run again, e.g. with a smaller --learning-rate."
        )
    return found


def _check_shapes(model: keras.Model, layout: Layout, run: Run) -> None:
    """Refuse a model that does not fit the layout beside it."""
    wanted = [(None, layout.lookback, len(layout.features))]
    if layout.num_known:
        wanted.append((None, layout.horizon, layout.num_known))
    outputs = layout.horizon * len(layout.target) * max(1, len(layout.quantiles))
    shapes = [tuple(each.shape) for each in model.inputs]
    if shapes != wanted or int(np.prod(model.output_shape[1:])) != outputs:
        raise UserError(
            f"{run.path}: best.keras and config.json are not of one run; train it "
            "again."
        )


def _forecast_one(
    series: FilledSeries,
    model: keras.Model,
    calibration: Calibration | None,
    found: SeriesForecast,
) -> int:
    """Forecast one series, and calibrate its intervals on the latest origins.

    Returns:
        Number of newer forecasts whose outcome is in the table.
    """
    layout = found.layout
    whole = extend(series, layout)
    features = layout.arrange(whole)
    stop = series.num_observed
    newer = _find_newer(series, layout, calibration)
    steps = np.concatenate([newer, [stop]]).astype(np.int64)  # first step ahead
    predictions = _predict(model, features, steps, layout)
    name = series.name
    found.times[name] = whole.times[stop : stop + layout.horizon]
    found.values[name] = layout.to_units(predictions[-1:], series)[0]
    found.intervals[name] = {}
    if calibration is None:
        return 0
    targets = _cut_targets(series, newer, layout)
    quantiles = layout.quantiles
    if not quantiles:
        predictions = predictions[..., 0]
    median = predictions[..., quantiles.index(0.5)] if quantiles else predictions
    for level in LEVELS:
        lower, upper = choose_ends(predictions, quantiles, level)
        outside = measure_outside(targets, lower[:-1], upper[:-1])
        kept = calibration.errors[level]
        half = calibrate(kept, outside, level, calibration.window)
        if half is None:
            continue
        # A negative half narrows an interval of quantiles, at most to the forecast.
        ends = (
            np.minimum(lower[-1:] - half, median[-1:]),
            np.maximum(upper[-1:] + half, median[-1:]),
        )
        low, high = (layout.to_units(end, series)[0] for end in ends)
        found.intervals[name][level] = low, high
    return len(newer)


def _describe_intervals(
    found: SeriesForecast, counts: list[int], calibration: Calibration
) -> list[str]:
    """Return a sentence for each level that is missing, and one on newer forecasts.

    Args:
        found: With its intervals.
        counts: Newer forecasts of each series.
        calibration: Of the run.
    """
    sentences = []
    for level in LEVELS:
        lacking = [
            len(calibration.errors[level]) + count
            for one, count in zip(found.series, counts, strict=True)
            if level not in found.intervals[one.name]
        ]
        if lacking:
            whose = f" for {len(lacking)} series" if len(counts) > 1 else ""
            sentences.append(describe_lack(level, max(lacking), whose))
    if newer := [count for count in counts if count]:
        sentences.append(describe_newer(newer, len(counts)))
    return sentences


def _find_newer(
    series: FilledSeries, layout: Layout, calibration: Calibration | None
) -> np.ndarray:
    """Return the first steps of forecasts that the run has not seen the outcome of."""
    if calibration is None:
        return np.empty(0, np.int64)
    steps = np.arange(layout.lookback, series.num_observed + 1 - layout.horizon)
    lost = np.concatenate([[0], np.cumsum(~series.is_measured)])
    stale = np.concatenate([[0], np.cumsum(series.is_stale)])
    whole = (lost[steps + layout.horizon] == lost[steps]) & (
        stale[steps] == stale[steps - layout.lookback]
    )
    whole &= series.times[steps + layout.horizon - 1] >= calibration.end
    return steps[whole][-MOST_ORIGINS:]


def _predict(
    model: keras.Model, features: np.ndarray, steps: np.ndarray, layout: Layout
) -> np.ndarray:
    """Return predictions, float64, (num_steps, horizon, targets, quantiles or 1)."""
    batches = []
    for k in range(0, len(steps), BATCH):
        first = steps[k : k + BATCH, None]
        inputs = features[first + np.arange(-layout.lookback, 0)]
        if layout.num_known:
            ahead = features[first + np.arange(layout.horizon)]
            inputs = [inputs, ahead[:, :, -layout.num_known :]]
        batches.append(np.asarray(model.predict_on_batch(inputs), np.float64))
    shape = (len(steps), layout.horizon, len(layout.target), -1)
    return np.concatenate(batches).reshape(shape)


def _cut_targets(
    series: FilledSeries,
    steps: np.ndarray,
    layout: Layout,
) -> np.ndarray:
    """Return targets in the unit of the forecasts, (num_steps, horizon, targets)."""
    columns, scales = [], layout.find_scales(series)
    for name in layout.target:
        values = series.values[name]
        if not layout.is_single:
            values = (values - scales[name][0]) / scales[name][1]
        columns.append(values[steps[:, None] + np.arange(layout.horizon)])
    return np.stack(columns, axis=-1)
