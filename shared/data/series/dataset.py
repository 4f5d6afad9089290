"""Series of any table: read them, split them in time, and cut their windows."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from shared.core.errors import UserError
from shared.core.text import shorten
from shared.data.series import sample
from shared.data.series.config import SeriesConfig
from shared.data.series.cutting import (
    PARTS,
    WindowStarts,
    choose_stride,
    cut_until,
    drop_short,
    explain_short,
    find_windows,
    order_windows,
    split_steps,
)
from shared.data.series.filling import FilledSeries, fill_series
from shared.data.series.layout import Layout
from shared.data.series.reading import SeriesTable, read_series
from shared.data.series.scaling import choose_season, make_layout
from shared.data.splits import Examples, Splits, TargetScale
from shared.data.windows import ForecastWindows, FutureSteps
from shared.tasks.score import Score, absolute_error
from shared.tasks.task import MultiStepForecast

__all__ = ["SeriesConfig", "SeriesSplits", "load_series"]

SCALED_ERROR = Score("mase", higher_is_better=False)
"""Mean absolute error in units of each series' seasonal naive error."""


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
    series = [cut_until(one, config.until) for one in series]
    series = drop_short(series, config, table.remarks)
    _check_values(series, config, table)
    bounds = {one.name: split_steps(one, config) for one in series}
    taught = [one for one in series if one.name not in config.holdout_series]
    held_out = [one for one in series if one.name in config.holdout_series]
    season = choose_season(config, table, taught, bounds)
    layout = make_layout(config, table, taught, held_out, bounds, season)
    features = np.concatenate([layout.arrange(one) for one in series])
    values = _to_outputs(layout, series)
    stride = choose_stride(config, series, bounds, season)
    parts = {}
    for part in PARTS:
        used = held_out if part == "test" and held_out else taught
        names = {one.name for one in used}
        step = config.stride if part == "train" else stride
        windows = find_windows(series, names, bounds, layout, part, step)
        if not len(windows.starts):
            raise explain_short(table.path, used, bounds, layout, part)
        parts[part] = _make_examples(
            windows, features, values, layout, part, stride, generated
        )
    facts = _describe(table, config, series, layout)
    facts["taught_until"] = str(
        max(one.times[bounds[one.name]["validation"][1] - 1] for one in taught)
    )
    for sentence in table.remarks:
        print(f"  {sentence}")
    print(
        f"  {len(layout.features)} features, windows of {layout.lookback} steps, "
        f"{layout.horizon} steps ahead; season {season} steps; windows: "
        + ", ".join(f"{len(parts[part]):,} {part}" for part in PARTS)
    )
    lengths = [len(one.times) for one in series]
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
        values=parts["train"].targets.values,
        first_rows=np.cumsum([0, *lengths[:-1]]),
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


def _make_examples(
    windows: WindowStarts,
    features: np.ndarray,
    values: np.ndarray,
    layout: Layout,
    part: str,
    stride: int,
    generated: sample.SampleSeries | None,
) -> Examples:
    several = len(np.unique(windows.names)) > 1
    order, dependence = np.arange(len(windows.starts)), 1
    if part != "train":
        order, dependence = order_windows(windows, layout.horizon, stride)
    starts = windows.starts[order]
    known = features[:, -layout.num_known :] if layout.num_known else None
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
