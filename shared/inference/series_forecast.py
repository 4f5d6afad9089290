"""A forecast beyond the end of every series, from a run folder alone."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.core.errors import UserError
from shared.core.text import shorten
from shared.data.series.filling import FilledSeries, fill_series
from shared.data.series.layout import Layout
from shared.data.series.reading import SeriesTable, TableOptions, read_series
from shared.inference.series_run import (
    DAMAGES,
    Calibration,
    Reading,
    read_calibration,
    read_latest,
    read_layout,
    read_reading,
)
from shared.plots.forecast_figure import PAST, ForecastPanel
from shared.runs.reader import Run
from shared.tasks.conformal import (
    LEVELS,
    choose_ends,
    count_needed,
    find_half_widths,
    measure_outside,
)

if TYPE_CHECKING:
    import keras

MOST_ORIGINS = 500  # of newer rows, that calibrate the intervals
BATCH = 256
OUTSIDE = 0.1  # of the training range: new data farther out are named
MOST_WARNINGS = 5


@dataclass
class SeriesForecast:
    """Forecasts of the steps after the last measured one.

    Attributes:
        layout: Of the run.
        series: What was read, one after the other.
        times: Series -> datetime64[s], (horizon,).
        values: Series -> float64, (horizon, num_targets, num_quantiles or 1), in the
            units of the table.
        intervals: Series -> level -> lower and upper ends, each (horizon, num_targets).
        source: Which rows were read, in words.
        remarks: What the user should know, each in one sentence.
    """

    layout: Layout
    series: list[FilledSeries]
    times: dict[str, np.ndarray] = field(default_factory=dict)
    values: dict[str, np.ndarray] = field(default_factory=dict)
    intervals: dict[str, dict[float, tuple[np.ndarray, np.ndarray]]] = field(
        default_factory=dict
    )
    source: str = ""
    remarks: list[str] = field(default_factory=list)

    def median(self, name: str) -> np.ndarray:
        """Return the forecast of a series, float64, (horizon, num_targets)."""
        quantiles = self.layout.quantiles
        return self.values[name][..., quantiles.index(0.5) if quantiles else 0]

    def to_rows(self) -> list[dict[str, Any]]:
        """Return a row for each series, step and target."""
        rows = []
        several = len(self.series) > 1 or bool(self.series[0].name)
        for one in self.series:
            for step, time in enumerate(self.times[one.name]):
                for k, target in enumerate(self.layout.target):
                    row: dict[str, Any] = {"series": one.name} if several else {}
                    row["time"] = str(time).replace("T", " ")
                    if len(self.layout.target) > 1:
                        row["target"] = target
                    row["forecast"] = _round(self.median(one.name)[step, k])
                    for q, level in enumerate(self.layout.quantiles):
                        value = self.values[one.name][step, k, q]
                        row[f"quantile_{level:g}"] = _round(value)
                    for level in LEVELS:  # a missing interval is an empty cell
                        ends = self.intervals[one.name].get(level)
                        for j, word in enumerate(("lower", "upper")):
                            end = "" if ends is None else _round(ends[j][step, k])
                            row[f"{word}_{100 * level:g}"] = end
                    rows.append(row)
        return rows

    def to_panels(self) -> list[ForecastPanel]:
        """Return what the picture shows: a panel for each series and target."""
        panels = []
        for one in self.series:
            first = max(0, one.num_observed - PAST * self.layout.horizon)
            part = slice(first, one.num_observed)
            for k, target in enumerate(self.layout.target):
                past = np.where(one.is_measured[part], one.values[target][part], np.nan)
                panels.append(
                    ForecastPanel(
                        title=one.name,
                        past_times=one.times[part],
                        past=past,
                        times=self.times[one.name],
                        forecast=self.median(one.name)[:, k],
                        intervals={
                            level: (lower[:, k], upper[:, k])
                            for level, (lower, upper) in self.intervals[
                                one.name
                            ].items()
                        },
                        quantity=target,
                    )
                )
        return panels


def forecast_series(run: Run, file: Path | None) -> SeriesForecast:
    """Forecast the steps after the last measured row of every series.

    Args:
        run: A finished run of a series recipe.
        file: A table with the columns of the run, maybe newer; None: the file of the
            run if it is still there, else the last steps that the run has kept.

    Raises:
        UserError: If the run cannot forecast, or the table does not fit it.
    """
    layout = read_layout(run)
    reading, trained_on = read_reading(run)
    found = SeriesForecast(layout, [])
    path = file or (None if trained_on is None else Path(trained_on))
    if file is not None or (path is not None and path.is_file()):
        found.series, table = _read_table(reading, layout, path)
        found.source = _describe_rows(path, found.series)
        found.remarks += table.remarks
    else:
        found.series = read_latest(run, layout)
        found.source = "the last steps that the run has kept"
        if path is not None:
            found.source += f" ({shorten(str(path))} is no longer there)"
    found.series = _keep_readable(found.series, layout, path, found.remarks)
    found.remarks += _find_outside(found.series, layout)
    from shared.inference.load_model import load_model

    model = load_model(run.path)
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


def extend(series: FilledSeries, layout: Layout) -> FilledSeries:
    """Return a series up to its last measured step and the horizon behind it.

    Targets and inputs have their last known value there. Only what is known ahead is
    read from these steps.

    Raises:
        UserError: If the future of a known column is missing.
    """
    stop, horizon = series.num_observed, layout.horizon
    there = min(len(series.times) - stop, horizon)
    if layout.known and there < horizon:
        raise UserError(
            f"{_name(series)}the future of {', '.join(map(repr, layout.known))} is "
            f"needed for {horizon} steps, and the table has {there} rows after the "
            "last value of the target; add rows with these columns and an empty target."
        )
    positions = np.arange(stop, stop + horizon)
    times = layout.frequency.time_at(series.times[0], positions)
    values = {}
    for name in layout.columns:
        future = np.full(horizon, series.values[name][stop - 1])
        if name in layout.known:
            future = series.values[name][stop : stop + horizon]
        values[name] = np.concatenate([series.values[name][:stop], future])
    return dataclasses.replace(
        series,
        times=np.concatenate([series.times[:stop], times]),
        values=values,
        is_measured=np.append(series.is_measured[:stop], np.zeros(horizon, bool)),
        is_stale=np.append(series.is_stale[:stop], np.zeros(horizon, bool)),
        lines=np.append(series.lines[:stop], np.zeros(horizon, np.int64)),
    )


def _read_table(
    reading: Reading, layout: Layout, path: Path
) -> tuple[list[FilledSeries], SeriesTable]:
    options = TableOptions(
        file=path,
        time=reading.time,
        target=layout.target,
        series=reading.series,
        inputs=layout.inputs,
        known=layout.known,
        every=reading.every,
        how=reading.how,
        time_format=reading.time_format,
        decimal=reading.decimal,
        encoding=reading.encoding,
        frequency=layout.frequency,
    )
    table = read_series(options)
    filled = []
    for one in table.series:
        series = fill_series(one, layout.target, layout.known, layout.max_gap)
        _check_known(one, series, layout, path)
        filled.append(series)
    return filled, table


def _check_known(raw: Any, series: FilledSeries, layout: Layout, path: Path) -> None:
    """Refuse an empty cell in the future of a known column."""
    first = len(raw.times) - len(series.times) + series.num_observed
    for name in layout.known:
        future = raw.values[name][first : first + layout.horizon]
        missing = np.isnan(future)
        if missing.any():
            time = raw.times[first + int(missing.argmax())]
            raise UserError(
                f"{path}: {_name(series)}column {shorten(name, 60)!r} has no value at "
                f"{str(time).replace('T', ' ')}, which the forecast needs; fill it in."
            )


def _keep_readable(
    series: list[FilledSeries],
    layout: Layout,
    path: Path | None,
    remarks: list[str],
) -> list[FilledSeries]:
    """Return the series whose end the network can read, and tell which are left out.

    Raises:
        UserError: If there is none.
    """
    reasons = {one.name: _find_obstacle(one, layout) for one in series}
    kept = [one for one in series if reasons[one.name] is None]
    left_out = [one for one in series if reasons[one.name] is not None]
    if not left_out:
        return kept
    reason = f"{_name(left_out[0])}{reasons[left_out[0].name]}"
    if not kept:
        place = f"{path}: " if path else ""
        raise UserError(f"{place}{reason}.")
    remarks.append(f"{len(left_out)} of {len(series)} series left out: {reason}")
    return kept


def _find_obstacle(series: FilledSeries, layout: Layout) -> str | None:
    """Return why the network cannot read the end of a series; None if it can."""
    count = series.num_observed
    if count < layout.lookback:
        return (
            f"has {count:,} steps with a value, and the network reads "
            f"{layout.lookback:,}; take a table that starts earlier"
        )
    stale = series.is_stale[count - layout.lookback : count]
    if stale.any():
        time = series.times[count - layout.lookback + int(stale.argmax())]
        return (
            f"more than {layout.max_gap} steps without a value before "
            f"{str(time).replace('T', ' ')}, and the network reads them; fill the gap, "
            "or train with a larger --max-gap"
        )
    return None


def _find_outside(series: list[FilledSeries], layout: Layout) -> list[str]:
    """Return a sentence for each column that lies outside the training range."""
    found = []
    for name, (low, high) in layout.ranges.items():
        room = OUTSIDE * (high - low)
        for one in series:
            first = max(0, one.num_observed - layout.lookback)
            values = one.values[name][first : one.num_observed]
            distance = np.maximum(low - values, values - high)
            if distance.max(initial=-1.0) > room:
                k = int(distance.argmax())
                line = int(one.lines[first + k])
                place = f" in line {line}" if line else ""
                found.append(
                    f"{_name(one)}{shorten(name, 60)!r} is {values[k]:g}{place}, "
                    f"outside the training range of {low:g} to {high:g}: the forecast "
                    "is less sure than its intervals say"
                )
    if len(found) > MOST_WARNINGS:
        rest = len(found) - MOST_WARNINGS
        found = [*found[:MOST_WARNINGS], f"{rest} more columns lie outside theirs"]
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
        errors = np.concatenate([calibration.errors[level], outside])
        most = max(calibration.window, count_needed(level))
        half = find_half_widths(errors[-most:], level)
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
            sentences.append(
                f"no {level:.0%} interval{whose}: {max(lacking)} earlier forecasts can "
                f"calibrate it, and it needs {count_needed(level)}"
            )
    if newer := [count for count in counts if count]:
        each = f" of each of {len(newer)} series" if len(counts) > 1 else ""
        number = f"{min(newer)} to {max(newer)}" if len({*newer}) > 1 else f"{newer[0]}"
        sentences.append(
            f"intervals use {number} newer forecasts{each}, whose outcome is in the "
            "table"
        )
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


def _describe_rows(path: Path, series: list[FilledSeries]) -> str:
    """Return first and last measured time, and the lines of the rows."""
    first = min(one.times[0] for one in series)
    last = max(one.times[max(0, one.num_observed - 1)] for one in series)
    count = "" if len(series) == 1 else f"{len(series)} series, "
    lines = np.concatenate([one.lines[: one.num_observed] for one in series])
    lines = lines[lines > 0]
    place = f", lines {lines.min()} to {lines.max()}" if len(lines) else ""
    times = f"{first} to {last}".replace("T", " ")
    return f"{path} ({count}{times}{place})"


def _name(series: FilledSeries) -> str:
    return f"series {shorten(series.name, 60)!r}: " if series.name else ""


def _round(value: float) -> float:
    return float(f"{value:.7g}")
