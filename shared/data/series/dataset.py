"""Series of any table: read them, split them in time, and cut their windows."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np

from shared.core.errors import UserError, check_at_least
from shared.core.flags import NAMES, NUMBERS
from shared.core.roles import Role
from shared.core.text import shorten
from shared.data.series import sample
from shared.data.series.calendar import choose_cycles
from shared.data.series.filling import FilledSeries, fill_series
from shared.data.series.layout import (
    Layout,
    Scale,
    find_naive_error,
    measure_scales,
)
from shared.data.series.reading import SeriesTable, TableOptions, read_series
from shared.data.splits import Examples, Splits, TargetScale
from shared.data.windows import ForecastWindows, FutureSteps
from shared.tasks.score import Score, absolute_error
from shared.tasks.task import MultiStepForecast

PARTS = ("train", "validation", "test")
ENOUGH_WINDOWS = 5_000  # of validation and of test; more say hardly more
MIN_BLOCKS = 10  # blocks of time for a verdict; else blocks of series
MOST_LOOKBACK = 512  # steps of a window that nobody asked for
MOST_WINDOWS = 20_000  # from which the typical change is measured
SCALED_ERROR = Score("mase", higher_is_better=False)
"""Mean absolute error in units of each series' seasonal naive error."""


@dataclass(frozen=True)
class SeriesConfig:
    """Which table is read, and how its series become windows."""

    horizon: Annotated[int, Role.SPLIT]
    """Steps to forecast, 1 or more."""
    lookback: Annotated[int | None, Role.DATA] = None
    """Steps that the network reads, 1 or more. Omit it for two seasons or four
    horizons, whichever is longer, but at most a third of the training part."""
    file: Annotated[Path | None, Role.SOURCE] = None
    """Table to read: CSV, TSV (also gz, zip, xz) or Parquet. Without it: a generated
    series."""
    time: Annotated[str | None, Role.DATA] = None
    """Column with the time. Omit it if only one column holds times."""
    target: Annotated[tuple[str, ...], Role.SPLIT, NAMES] = ()
    """Columns to predict: `a` or `a,b`. Omit it if there is only one column of
    numbers."""
    series: Annotated[str | None, Role.DATA] = None
    """Column with the name of the series, for a file with many series."""
    inputs: Annotated[tuple[str, ...], Role.DATA, NAMES] = ()
    """More columns to read. Their future is not known."""
    known: Annotated[tuple[str, ...], Role.DATA, NAMES] = ()
    """Columns whose future is known, such as holidays or prices."""
    calendar: Annotated[Literal["auto", "none"], Role.DATA] = "auto"
    """auto: the network also reads the cycles of day, week and year that the training
    part holds twice, as sine and cosine."""
    every: Annotated[str | None, Role.SPLIT] = None
    """Resample to this step, e.g. `15min`, `1h`, `1D`, `W` or `MS`."""
    how: Annotated[Literal["mean", "sum", "last"], Role.SPLIT] = "mean"
    """How --every combines the rows of a step."""
    season: Annotated[int | None, Role.DATA] = None
    """Steps of a season, for the baselines and MASE. Omit it to take it from the step
    of the series: 24 for hours, 7 for days, 12 for months."""
    train_share: Annotated[float, Role.SPLIT] = 0.6
    """Share of the steps for training, above 0: the earliest."""
    validation_share: Annotated[float, Role.SPLIT] = 0.2
    """Share of the steps that choose the epoch, above 0: the next ones. The rest is the
    test part."""
    train_steps: Annotated[int | None, Role.SPLIT] = None
    """Steps for training, the latest before the validation part. Omit it for all."""
    validation_steps: Annotated[int | None, Role.SPLIT] = None
    """Steps of the validation part, instead of a share."""
    test_steps: Annotated[int | None, Role.SPLIT] = None
    """Steps of the test part, the latest. Needs --validation-steps."""
    until: Annotated[str | None, Role.SPLIT] = None
    """Use only steps before this time, e.g. `2024-03-01`."""
    holdout_series: Annotated[tuple[str, ...], Role.SPLIT, NAMES] = ()
    """Series that are left out of training: the test part then has these only."""
    stride: Annotated[int, Role.TRAINING] = 1
    """Steps from one training window to the next, 1 or more."""
    test_stride: Annotated[int | None, Role.SPLIT] = None
    """Steps from one window to the next in validation and test. Omit it for the
    smallest number that gives at most 5,000 windows."""
    max_gap: Annotated[int, Role.DATA] = 24
    """Missing steps in a row that the last known value replaces, 0 or more. No window
    reads across longer gaps. A missing value is never a target."""
    quantiles: Annotated[tuple[float, ...], Role.MODEL, NUMBERS] = ()
    """Probabilities that the network predicts besides 0.5, e.g. `0.1,0.5,0.9`, with the
    pinball loss. Omit it for one forecast."""
    scaling: Annotated[Literal["window", "training"], Role.MODEL] = "window"
    """Scale of the targets that the network reads. window: each window is divided by
    its own mean difference. training: all are divided by that of the training part."""
    loss: Annotated[Literal["mae", "mse"], Role.TRAINING] = "mae"
    """Loss of a network without quantiles: absolute or squared error."""
    time_format: Annotated[str | None, Role.SOURCE] = None
    """Form of the times: iso, day-first, month-first, epoch-s, epoch-ms, or one such as
    `%d.%m.%y %H:%M`. Omit it where the file is clear."""
    decimal: Annotated[Literal["auto", ".", ","], Role.SOURCE] = "auto"
    """Decimal mark of the numbers."""
    encoding: Annotated[str, Role.SOURCE] = "auto"
    """Encoding of a text file. auto: UTF-8, or UTF-16 with a byte order mark."""
    data: Annotated[Literal["auto", "sample"], Role.SOURCE] = "auto"
    """sample: a generated series whose best forecast is known. auto: the file, or the
    sample where none is named."""
    limit: Annotated[int | None, Role.SOURCE] = None
    """Read only this many rows from the start of the file, for a quick look."""

    def validate(self) -> None:
        """Refuse settings that no table can satisfy.

        Raises:
            UserError: With the flag, what it accepts and how to fix it.
        """
        counts = ("lookback", "horizon", "stride", "test_stride", "limit", "season")
        parts = ("train_steps", "validation_steps", "test_steps")
        least = dict.fromkeys((*counts, *parts), 1) | {"max_gap": 0}
        check_at_least(self, least)
        shares = (self.train_share, self.validation_share)
        if not (min(shares) > 0 and sum(shares) < 1):
            raise UserError(
                f"--train-share {shares[0]} --validation-share {shares[1]}: take "
                "shares above 0 that leave a part of the steps for the test, e.g. 0.6 "
                "and 0.2."
            )
        if (self.validation_steps is None) != (self.test_steps is None):
            raise UserError(
                "--validation-steps and --test-steps belong together: pass both, or "
                "none to split by shares."
            )
        if self.train_steps is not None and self.test_steps is None:
            raise UserError(
                "--train-steps needs --validation-steps and --test-steps; pass all "
                "three, or split by shares."
            )
        if self.quantiles:
            values = list(self.quantiles)
            if values != sorted(set(values)) or not 0 < values[0] <= values[-1] < 1:
                raise UserError(
                    f"--quantiles {','.join(map(str, values))}: takes increasing "
                    "probabilities between 0 and 1, e.g. 0.1,0.5,0.9."
                )
            if 0.5 not in values:
                raise UserError(
                    f"--quantiles {','.join(map(str, values))}: the median is the "
                    "forecast; add 0.5."
                )
        if self.data == "sample" and self.file is not None:
            raise UserError(
                f"--data sample --file {shorten(str(self.file))}: omit one of the two."
            )
        if self.file is None:
            self._check_sample()

    def _check_sample(self) -> None:
        """Refuse flags that describe a table where none is named."""
        flags = ("time", "target", "series", "inputs", "known", "every", "time_format",
                 "holdout_series")  # fmt: skip
        for name in flags:
            if getattr(self, name):
                flag = name.replace("_", "-")
                raise UserError(
                    f"--{flag}: describes a table, but no --file is named. Name the "
                    "file, or omit the flag to train on the generated series."
                )

    def options(self) -> TableOptions:
        """Return what the reader needs."""
        return TableOptions(
            file=self.file, time=self.time, target=self.target, series=self.series,
            inputs=self.inputs, known=self.known, every=self.every, how=self.how,
            time_format=self.time_format, decimal=self.decimal,
            encoding=self.encoding, limit=self.limit,
        )  # fmt: skip


@dataclass(frozen=True)
class SeriesSplits(Splits):
    """Series, split into windows.

    Attributes:
        layout: How columns became features, and outputs become forecasts.
        values: float32, (num_rows, num_targets): the targets in the unit of the
            forecasts, for every row of the series from which the windows are cut.
        first_rows: int64, (num_series,): row of `values` where each series starts.
        latest: The last steps of every series, for a forecast beyond them.
    """

    layout: Layout = field(kw_only=True)
    values: np.ndarray = field(kw_only=True)
    first_rows: np.ndarray = field(kw_only=True)
    latest: list[FilledSeries] = field(kw_only=True)

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of a prediction: steps, targets (if several), quantiles (if any)."""
        layout = self.layout
        targets = (len(layout.target),) if len(layout.target) > 1 else ()
        return (layout.horizon, *targets, *filter(None, [len(layout.quantiles)]))


@dataclass(frozen=True)
class _Part:
    """The windows of one part, over all series."""

    starts: np.ndarray
    times: np.ndarray
    names: np.ndarray


def load_series(config: SeriesConfig) -> SeriesSplits:
    """Return windows of a table of series, split in time.

    The steps that a window forecasts lie within one part. Its inputs may reach back
    into the part before, as they will when the network is used. Every scale comes from
    the training part of its series. A missing value is replaced by the last known one
    in inputs, and is never a target.

    Inputs are `ForecastWindows`. Targets are float32, (num_windows, horizon), or
    (num_windows, horizon, num_targets). With one series and one target they are in the
    unit of the table. Otherwise they are in units of the seasonal naive error of each
    series and target, and the score is MASE.

    Raises:
        UserError: If the file is missing, has another form or is too short.
    """
    table, generated = _read(config)
    series = [
        fill_series(one, table.target, table.known, config.max_gap)
        for one in table.series
    ]
    series = [_cut_until(one, config.until) for one in series]
    series = _drop_short(series, config, table)
    _check_values(series, config, table)
    bounds = {one.name: _split(one, config, table) for one in series}
    taught = [one for one in series if one.name not in config.holdout_series]
    season = _choose_season(config, table, taught, bounds)
    held_out = [one for one in series if one.name in config.holdout_series]
    layout = _make_layout(config, table, taught, held_out, bounds, season)
    features = np.concatenate([layout.arrange(one) for one in series])
    values = _to_outputs(layout, series)
    offsets = np.cumsum([0, *(len(one.times) for one in series)])
    known = features[:, -layout.num_known :] if layout.num_known else None
    stride = _choose_stride(config, series, bounds, season)
    parts = {}
    for part in PARTS:
        chosen = {one.name for one in taught}
        if part == "test" and config.holdout_series:
            chosen = set(config.holdout_series)
        step = config.stride if part == "train" else stride
        found = [
            _find_windows(one, bounds[one.name][part], layout, part, step, offset)
            for one, offset in zip(series, offsets, strict=False)
            if one.name in chosen
        ]
        windows = _Part(
            *(np.concatenate(arrays) for arrays in zip(*found, strict=True))
        )
        if not len(windows.starts):
            short = [one for one in series if one.name in chosen]
            raise _explain_short(config, table, short, bounds, layout, part)
        parts[part] = _make_examples(
            windows, features, known, values, layout, part, stride, generated
        )
    facts = _describe(table, config, series, layout)
    for sentence in table.remarks:
        print(f"  {sentence}")
    print(
        f"  {len(layout.features)} features, windows of {layout.lookback} steps, "
        f"{layout.horizon} steps ahead; season {season} steps; windows: "
        + ", ".join(f"{len(parts[part]):,} {part}" for part in PARTS)
    )
    train = parts["train"].targets
    return SeriesSplits(
        data=_name_data(table, generated),
        **parts,
        facts=facts,
        scale=TargetScale(
            *(layout.outputs[0] if layout.is_single else (0.0, 1.0)),
            _find_unit(layout),
        ),
        task=_make_task(config, layout),
        is_sample=generated is not None,
        layout=layout,
        values=train.values,
        first_rows=offsets[:-1],
        latest=[_keep_latest(one, layout) for one in series],
    )


def _read(
    config: SeriesConfig,
) -> tuple[SeriesTable, sample.SampleSeries | None]:
    if config.file is not None:
        print(f"Series: {config.file}")
        return read_series(config.options()), None
    print(
        f"Series: generated (data set {sample.NAME}). Its best forecast is known. For "
        "your own series: --file sales.csv --time date --target sales."
    )
    generated = sample.make_sample(config.limit or sample.NUM_STEPS)
    return sample.to_table(generated), generated


def _cut_until(series: FilledSeries, until: str | None) -> FilledSeries:
    if until is None:
        return series
    try:
        end = np.datetime64(until, "s")
    except ValueError:
        raise UserError(
            f"--until {shorten(until)!r}: takes a time, e.g. 2024-03-01 or "
            "2024-03-01T12:00."
        ) from None
    return series.cut(0, int(np.searchsorted(series.times, end)))


def _drop_short(
    series: list[FilledSeries], config: SeriesConfig, table: SeriesTable
) -> list[FilledSeries]:
    """Leave out series whose training part has no window, and tell it.

    With a single series, or if all are too short, nothing is left out: then a later
    check says what is missing.
    """
    needed = (config.lookback or 1) + config.horizon
    kept = []
    for one in series:
        first, stop = _split(one, config, table)["train"]
        if stop - first >= needed:
            kept.append(one)
    if not kept or len(kept) == len(series):
        return series
    left = {one.name for one in kept}
    names = [one.name for one in series if one.name not in left]
    table.remarks.append(
        f"{len(names)} of {len(series)} series too short for training, left out "
        f"({shorten(', '.join(names), 100)})"
    )
    return kept


def _check_values(
    series: list[FilledSeries], config: SeriesConfig, table: SeriesTable
) -> None:
    """Check the series that are named, and tell what was filled."""
    names = [one.name for one in series]
    for name in config.holdout_series:
        if name not in names:
            raise UserError(
                f"--holdout-series {shorten(name)!r}: there is no such series; take "
                f"one of {shorten(', '.join(map(repr, names)), 400)}."
            )
    if len(set(config.holdout_series)) == len(names):
        raise UserError(
            "--holdout-series: names every series; leave at least one for training."
        )
    for column in table.target + table.inputs + table.known:
        filled = sum(one.num_filled[column] for one in series)
        if filled:
            count = "1 value" if filled == 1 else f"{filled:,} values"
            table.remarks.append(
                f"{count} of {column!r} missing: the network reads the last known one"
            )


def _split(
    series: FilledSeries, config: SeriesConfig, table: SeriesTable
) -> dict[str, tuple[int, int]]:
    """Return first step and the step after the last one of each part."""
    count = series.num_observed
    if config.test_steps is not None:
        test = max(0, count - config.test_steps)
        validation = max(0, test - config.validation_steps)
        train = max(0, validation - (config.train_steps or validation))
        return {
            "train": (train, validation),
            "validation": (validation, test),
            "test": (test, count),
        }
    first = int(round(count * config.train_share, 6))
    second = first + int(round(count * config.validation_share, 6))
    return {"train": (0, first), "validation": (first, second), "test": (second, count)}


def _choose_season(
    config: SeriesConfig,
    table: SeriesTable,
    taught: list[FilledSeries],
    bounds: dict[str, dict[str, tuple[int, int]]],
) -> int:
    """Return the steps of a season; 1 where the training part has not two of them."""
    longest = max(
        stop - first for first, stop in (bounds[s.name]["train"] for s in taught)
    )
    season = config.season or table.frequency.season
    if 2 * season <= longest:
        return season
    if config.season is not None:
        raise UserError(
            f"--season {season}: the training part has {longest:,} steps, fewer than "
            "two seasons. Take a shorter season, or omit the flag."
        )
    return 1


def _choose_lookback(config: SeriesConfig, season: int, num_train: int) -> int:
    """Return the steps of a window."""
    if config.lookback is not None:
        return config.lookback
    wanted = max(2 * season, 4 * config.horizon)
    return max(1, min(wanted, MOST_LOOKBACK, num_train // 3))


def _make_layout(
    config: SeriesConfig,
    table: SeriesTable,
    taught: list[FilledSeries],
    held_out: list[FilledSeries],
    bounds: dict[str, dict[str, tuple[int, int]]],
    season: int,
) -> Layout:
    """Measure every scale on the earliest part of its series, held out or not."""
    columns = table.target + table.inputs + table.known
    is_single = len(table.target) == 1 and len(bounds) == 1
    every = {one.name: one for one in taught}
    scales: dict[str, dict[str, Scale]] = {}
    trained = {}
    for name, parts in bounds.items():
        one = every.get(name)
        if one is None:
            continue
        trained[name] = one.cut(*parts["train"])
        seasonal = () if is_single else table.target
        scales[name] = measure_scales(
            trained[name], len(trained[name].times), columns, seasonal, season
        )
    for one in held_out:
        earliest = one.cut(*bounds[one.name]["train"])
        scales[one.name] = measure_scales(
            earliest, len(earliest.times), columns, table.target, season
        )
    first = next(iter(trained.values()))
    longest = max(trained.values(), key=lambda one: len(one.times))
    cycles = ()
    if config.calendar == "auto" and len(longest.times) > 1:
        seconds = longest.times.astype(np.int64)
        step = float(np.median(np.diff(seconds)))
        cycles = choose_cycles(step, float(seconds[-1] - seconds[0]))
    outputs = tuple(
        scales[first.name][name] if is_single else (0.0, 1.0) for name in table.target
    )
    naive = 1.0
    if is_single:
        naive = find_naive_error(first.values[table.target[0]], season) or 1.0
    return Layout(
        target=table.target,
        inputs=table.inputs,
        known=table.known,
        cycles=cycles,
        lookback=_choose_lookback(config, season, len(longest.times)),
        horizon=config.horizon,
        season=season,
        frequency=table.frequency,
        scales=scales,
        outputs=outputs,
        change=tuple(
            _measure_change(trained, scales, name, config.horizon)
            for name in table.target
        ),
        naive_error=naive,
        ranges={
            name: (
                min(float(one.values[name].min()) for one in trained.values()),
                max(float(one.values[name].max()) for one in trained.values()),
            )
            for name in columns
        },
        quantiles=config.quantiles,
        max_gap=config.max_gap,
    )


def _measure_change(
    trained: dict[str, FilledSeries],
    scales: dict[str, dict[str, Scale]],
    column: str,
    horizon: int,
) -> float:
    """Return the root mean square change of a feature over half a horizon."""
    ahead = max(1, horizon // 2)
    squares = [
        np.mean((values[ahead:] - values[:-ahead]) ** 2) / scales[name][column][1] ** 2
        for name, one in trained.items()
        if len(values := one.values[column][:MOST_WINDOWS]) > ahead
    ]
    change = math.sqrt(float(np.mean(squares))) if squares else 0.0
    return change if change > 1e-9 else 1.0


def _to_outputs(layout: Layout, series: list[FilledSeries]) -> np.ndarray:
    """Return the targets in the unit of the forecasts, for every row."""
    columns = []
    for name in layout.target:
        parts = []
        for one in series:
            values = one.values[name]
            if not layout.is_single:
                centre, scale = layout.find_scales(one)[name]
                values = (values - centre) / scale
            parts.append(values)
        columns.append(np.concatenate(parts).astype(np.float32))
    return columns[0] if len(columns) == 1 else np.stack(columns, axis=1)


def _find_windows(
    series: FilledSeries,
    bounds: tuple[int, int],
    layout: Layout,
    part: str,
    stride: int,
    offset: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return start row, time of the first step ahead and series of each window."""
    first, stop = bounds
    earliest = first if part == "train" else 0
    ahead = np.arange(max(first, earliest + layout.lookback), stop + 1 - layout.horizon)
    ahead = ahead[::stride]
    starts = ahead - layout.lookback
    lost = np.concatenate([[0], np.cumsum(~series.is_measured)])
    stale = np.concatenate([[0], np.cumsum(series.is_stale)])
    whole = (lost[ahead + layout.horizon] == lost[ahead]) & (
        stale[ahead] == stale[starts]
    )
    starts, ahead = starts[whole], ahead[whole]
    names = np.full(len(starts), series.name)
    return starts + offset, series.times[ahead], names


def _choose_stride(
    config: SeriesConfig,
    series: list[FilledSeries],
    bounds: dict[str, dict[str, tuple[int, int]]],
    season: int,
) -> int:
    """Return the stride of validation and test. It shares no factor with the season.

    Else every window of a part would start at the same few hours of the day.
    """
    if config.test_stride is not None:
        return config.test_stride
    longest = max(
        sum(bounds[one.name][part][1] - bounds[one.name][part][0] for one in series)
        for part in PARTS[1:]
    )
    stride = max(1, math.ceil(longest / ENOUGH_WINDOWS))
    while math.gcd(stride, season) > 1:
        stride += 1
    return stride


def _make_examples(
    windows: _Part,
    features: np.ndarray,
    known: np.ndarray | None,
    values: np.ndarray,
    layout: Layout,
    part: str,
    stride: int,
    generated: sample.SampleSeries | None,
) -> Examples:
    several = len(np.unique(windows.names)) > 1
    order, dependence = np.arange(len(windows.starts)), 1
    if part != "train":
        order, dependence = _order_windows(windows, layout.horizon, stride)
    starts = windows.starts[order]
    inputs = ForecastWindows(
        features, starts, layout.lookback, known=known, horizon=layout.horizon
    )
    targets = FutureSteps(values, starts + layout.lookback, layout.horizon)
    best = None
    if generated is not None and part != "train":
        best = generated.predict_best(inputs.last, layout.horizon, layout.quantiles)
    return Examples(
        inputs=inputs,
        targets=targets if part == "train" else np.asarray(targets),
        best_possible=best,
        times=windows.times[order],
        series=windows.names[order] if several else None,
        dependence=dependence,
    )


def _order_windows(windows: _Part, horizon: int, stride: int) -> tuple[np.ndarray, int]:
    """Return an order of windows whose neighbours depend on each other, and how many.

    Forecasts whose steps overlap depend on each other, and so do those of different
    series at one time. So the windows are in order of time, and a block holds all
    series. Where that gives too few blocks, the windows are in order of the series.
    """
    order = np.lexsort([windows.names, windows.times])
    counts = np.unique(windows.times, return_counts=True)[1]
    dependence = math.ceil(horizon / stride) * int(counts.max())
    num_series = len(np.unique(windows.names))
    if len(order) // dependence >= MIN_BLOCKS or num_series < MIN_BLOCKS:
        return order, dependence
    return np.lexsort([windows.times, windows.names]), math.ceil(
        len(order) / num_series
    )


def _explain_short(
    config: SeriesConfig,
    table: SeriesTable,
    series: list[FilledSeries],
    bounds: dict[str, dict[str, tuple[int, int]]],
    layout: Layout,
    part: str,
) -> UserError:
    """Return the error for a part without a window."""
    longest = max(series, key=lambda one: one.num_observed)
    first, stop = bounds[longest.name][part]
    needed = layout.horizon + (layout.lookback if part == "train" else 0)
    reach = "a window and its horizon" if part == "train" else "a horizon"
    whose = f" of series {shorten(longest.name)!r}" if longest.name else ""
    return UserError(
        f"{table.path}: too short: the {part} part{whose} has {stop - first:,} of "
        f"{longest.num_observed:,} steps, and {reach} without a missing value needs "
        f"{needed:,}; take a smaller --lookback or --horizon, other shares, or a "
        "longer file."
    )


def _keep_latest(series: FilledSeries, layout: Layout) -> FilledSeries:
    """Return the last steps of a series, enough for a forecast beyond them."""
    kept = layout.lookback + layout.season + 1
    return series.cut(max(0, series.num_observed - kept))


def _describe(
    table: SeriesTable,
    config: SeriesConfig,
    series: list[FilledSeries],
    layout: Layout,
) -> dict[str, Any]:
    """Return the facts of the run folder: all that a later forecast needs."""
    facts: dict[str, Any] = {
        "origin": "file" if config.file is not None else "generated",
        "rows": sum(one.num_observed for one in series),
        "columns": list(layout.columns),
        "repairs": list(table.remarks),
        "reading": {
            "time": table.time,
            "series": table.series_column,
            "time_format": table.time_format,
            "decimal": table.decimal,
            "encoding": config.encoding,
            "every": config.every,
            "how": config.how,
        },
        "layout": layout.to_json(),
    }
    if config.file is not None:
        facts |= {"file": str(config.file.absolute()), "sha256": table.sha256}
    return facts


def _make_task(config: SeriesConfig, layout: Layout) -> MultiStepForecast:
    quantity = ", ".join(layout.target)
    score = absolute_error(_find_unit(layout)) if layout.is_single else SCALED_ERROR
    return MultiStepForecast(
        score,
        quantity,
        quantiles=layout.quantiles,
        naive_error=layout.naive_error,
        criterion=config.loss,
    )


def _find_unit(layout: Layout) -> str:
    """Return the unit in a column's name: `T (degC)` -> `degC`."""
    if not layout.is_single:
        return ""
    found = re.search(r"\(([^)]*)\)", layout.target[0])
    return "" if found is None else found[1]


def _name_data(table: SeriesTable, generated: sample.SampleSeries | None) -> str:
    if generated is not None:
        return sample.NAME
    name = re.sub(r"(\.(csv|tsv|txt|parquet|gz|zip|xz))+$", "", table.path.name.lower())
    return re.sub(r"[^\w.-]+", "-", name).strip("-.")[:60] or "series"
