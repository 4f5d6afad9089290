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
from shared.plots.forecast_figure import PAST, ForecastPanel
from shared.runs.decode import DamagedError, read_arrays
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
                    for level, ends in self.intervals[one.name].items():
                        for word, end in zip(("lower", "upper"), ends, strict=True):
                            row[f"{word}_{100 * level:g}"] = _round(end[step, k])
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
    found = SeriesForecast(layout, [])
    facts = run.config["data_facts"]
    path = file or (Path(facts["file"]) if "file" in facts else None)
    if file is not None or (path is not None and path.is_file()):
        found.series, table = _read_table(run, layout, path)
        found.source = _describe_rows(path, found.series)
        found.remarks += table.remarks
    else:
        found.series = read_latest(run, layout)
        found.source = "the last steps that the run has kept"
        if path is not None:
            found.source += f" ({shorten(str(path))} is no longer there)"
    for one in found.series:
        _check_series(one, layout, path)
    found.remarks += _find_outside(found.series, layout)
    from shared.inference.load_model import load_model

    model = load_model(run.path)
    _check_shapes(model, layout, run)
    calibration = _read_calibration(run, layout, found.remarks)
    # The last origin of each series lies beyond the table; earlier ones calibrate.
    for one in found.series:
        _forecast_one(one, model, calibration, found)
    return found


def read_layout(run: Run) -> Layout:
    """Return the layout of a run.

    Raises:
        UserError: If it has none.
    """
    facts = run.config["data_facts"].get("layout")
    if facts is None:
        raise UserError(
            f"{run.path}: a run of {run.recipe} cannot forecast beyond its data; the "
            "recipes series-* and weather-* can."
        )
    try:
        return Layout.from_json(facts)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(
            f"{run.path}: config.json has no layout that this version reads ({error}); "
            "train the run again."
        ) from None


def read_latest(run: Run, layout: Layout) -> list[FilledSeries]:
    """Return the last steps of every series that a run has kept.

    Raises:
        UserError: If `latest.npz` is missing or damaged.
    """
    try:
        arrays = read_arrays(run.path / "latest.npz")
        lengths = arrays["lengths"].astype(np.int64)
        stops = np.cumsum(lengths)
        values, measured = arrays["values"], arrays["is_measured"].astype(bool)
        shapes = (values.shape, arrays["times"].shape, measured.shape)
        total = int(stops[-1])
        if shapes != ((total, len(layout.columns)), (total,), (total,)):
            raise ValueError("its arrays do not fit each other")
        if values.dtype.kind != "f" or not np.isfinite(values).all():
            raise ValueError("it holds values that are no numbers")
        times = arrays["times"].astype("datetime64[s]")
        parts = [
            (str(name), slice(int(stop - length), int(stop)))
            for name, length, stop in zip(
                arrays["names"].tolist(), lengths, stops, strict=True
            )
        ]
    except (
        DamagedError,
        OSError,
        KeyError,
        TypeError,
        ValueError,
        IndexError,
    ) as error:
        raise UserError(
            f"{run.path}: latest.npz cannot be used ({shorten(str(error), 120)}); name "
            "the table with --file."
        ) from None
    return [
        _rebuild(name, times[part], values[part], measured[part], layout)
        for name, part in parts
    ]


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
    run: Run, layout: Layout, path: Path
) -> tuple[list[FilledSeries], SeriesTable]:
    reading = run.config["data_facts"].get("reading", {})
    options = TableOptions(
        file=path,
        time=reading.get("time"),
        target=layout.target,
        series=reading.get("series"),
        inputs=layout.inputs,
        known=layout.known,
        every=reading.get("every"),
        how=reading.get("how", "mean"),
        time_format=reading.get("time_format"),
        decimal=reading.get("decimal", "auto"),
        encoding=reading.get("encoding", "auto"),
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


def _check_series(series: FilledSeries, layout: Layout, path: Path | None) -> None:
    """Refuse a series whose end the network cannot read."""
    count, place = series.num_observed, f"{path}: " if path else ""
    if count < layout.lookback:
        raise UserError(
            f"{place}{_name(series)}has {count:,} steps with a value, and the network "
            f"reads {layout.lookback:,}; take a table that starts earlier."
        )
    stale = series.is_stale[count - layout.lookback : count]
    if stale.any():
        time = series.times[count - layout.lookback + int(stale.argmax())]
        raise UserError(
            f"{place}{_name(series)}more than {layout.max_gap} steps without a value "
            f"before {str(time).replace('T', ' ')}, and the network reads them; fill "
            "the gap, or train with a larger --max-gap."
        )


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


def _read_calibration(
    run: Run, layout: Layout, remarks: list[str]
) -> dict[str, np.ndarray] | None:
    """Return the errors that a run has kept; None without usable ones."""
    targets = (len(layout.target),) if len(layout.target) > 1 else ()
    try:
        arrays = read_arrays(run.path / "calibration.npz")
        ends = arrays["ends"].astype("datetime64[s]")
        kept: dict[str, Any] = {"ends": ends, "window": int(arrays["window"])}
        for level in LEVELS:
            errors = arrays[f"errors_{100 * level:g}"].astype(np.float64)
            if errors.shape != (len(ends), layout.horizon, *targets):
                raise ValueError(f"errors of the shape {errors.shape}")
            if not np.isfinite(errors).all():
                raise ValueError("errors that are no numbers")
            kept[f"{level}"] = errors.reshape(len(ends), layout.horizon, -1)
    except (DamagedError, OSError, KeyError, TypeError, ValueError) as error:
        remarks.append(
            "no intervals: calibration.npz of the run cannot be used "
            f"({shorten(str(error), 120)})"
        )
        return None
    return kept


def _forecast_one(
    series: FilledSeries,
    model: keras.Model,
    calibration: dict[str, Any] | None,
    found: SeriesForecast,
) -> None:
    """Forecast one series, and calibrate its intervals on the latest origins."""
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
        return
    scales = layout.find_scales(series)
    for level in LEVELS:
        lower, upper = choose_ends(
            predictions if layout.quantiles else predictions[..., 0],
            layout.quantiles,
            level,
        )
        errors = calibration[f"{level}"]
        if len(newer):
            targets = _cut_targets(series, newer, layout, scales)
            outside = measure_outside(targets, lower[:-1], upper[:-1])
            errors = np.concatenate([errors, outside])
        half = find_half_widths(errors[-calibration["window"] :], level)
        if half is None:
            found.remarks.append(
                f"no {level:.0%} interval: {len(errors)} earlier forecasts can "
                f"calibrate it, and it needs {count_needed(level)}"
            )
            continue
        ends = [
            layout.to_units(end[-1:] + sign * half, series)[0]
            for end, sign in ((lower, -1), (upper, 1))
        ]
        found.intervals[name][level] = ends[0], ends[1]
    if len(newer):
        found.remarks.append(
            f"{_name(series)}intervals use {len(newer)} newer forecasts, whose outcome "
            "is in the table"
        )


def _find_newer(
    series: FilledSeries, layout: Layout, calibration: dict[str, Any] | None
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
    latest = calibration["ends"].max(initial=np.datetime64("0001-01-01", "s"))
    whole &= series.times[steps + layout.horizon - 1] >= latest
    return steps[whole][-MOST_ORIGINS:]


def _predict(
    model: keras.Model, features: np.ndarray, steps: np.ndarray, layout: Layout
) -> np.ndarray:
    """Return predictions, float64, (num_steps, horizon, targets, quantiles or 1)."""
    inputs = features[steps[:, None] + np.arange(-layout.lookback, 0)]
    if layout.num_known:
        ahead = steps[:, None] + np.arange(layout.horizon)
        inputs = [inputs, features[ahead][:, :, -layout.num_known :]]
    values = np.asarray(model.predict(inputs, batch_size=BATCH, verbose=0), np.float64)
    shape = (len(steps), layout.horizon, len(layout.target), -1)
    return values.reshape(shape)


def _cut_targets(
    series: FilledSeries,
    steps: np.ndarray,
    layout: Layout,
    scales: dict[str, tuple[float, float]],
) -> np.ndarray:
    """Return targets in the unit of the forecasts, (num_steps, horizon, targets)."""
    columns = []
    for name in layout.target:
        values = series.values[name]
        if not layout.is_single:
            values = (values - scales[name][0]) / scales[name][1]
        columns.append(values[steps[:, None] + np.arange(layout.horizon)])
    return np.stack(columns, axis=-1)


def _rebuild(
    name: str,
    times: np.ndarray,
    values: np.ndarray,
    measured: np.ndarray,
    layout: Layout,
) -> FilledSeries:
    last = np.flatnonzero(measured)
    return FilledSeries(
        name=name,
        times=times,
        values={column: values[:, k] for k, column in enumerate(layout.columns)},
        lines=np.zeros(len(times), np.int64),
        is_measured=measured,
        is_stale=np.zeros(len(times), bool),
        num_observed=int(last[-1]) + 1 if len(last) else 0,
        num_filled={},
    )


def _describe_rows(path: Path, series: list[FilledSeries]) -> str:
    first = min(one.times[0] for one in series)
    last = max(one.times[max(0, one.num_observed - 1)] for one in series)
    count = "" if len(series) == 1 else f"{len(series)} series, "
    return f"{path} ({count}{first} to {last})".replace("T", " ")


def _name(series: FilledSeries) -> str:
    return f"series {shorten(series.name, 60)!r}: " if series.name else ""


def _round(value: float) -> float:
    return float(f"{value:.7g}")
