"""After the training of a forecast: intervals, their coverage, and what predict needs.

Writes into the run folder

- `forecast_scores.csv`: error of the network and its baselines on the test part;
- `intervals.csv`: promised and reached coverage, and mean width, per level and step;
- `calibration.npz`: the latest errors, from which later intervals are made;
- `latest.npz`: the last steps of every series, from which a forecast can start.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.data.feeding import feed
from shared.tasks.conformal import (
    LEVELS,
    choose_ends,
    count_needed,
    measure_coverage,
    measure_outside,
    roll_half_widths,
)

if TYPE_CHECKING:
    import keras

    from shared.data.series.dataset import SeriesSplits
    from shared.data.splits import Examples
    from shared.runs.writer import RunFolder

BATCH = 256
MOST_KEPT = 1_000  # errors that calibrate later intervals


def write_forecast_report(
    model: keras.Model, data: SeriesSplits, folder: RunFolder
) -> None:
    """Calibrate intervals, score them on the test part, and print both.

    Args:
        model: With the weights of the best epoch.
        data: The splits it was trained on.
        folder: Still open.
    """
    validation = predict(model, data.validation, data)
    test = predict(model, data.test, data)
    folder.write_table("forecast_scores", list_scores(test, data, folder))
    rows, calibration = calibrate(validation, test, data)
    folder.write_table("intervals", rows)
    folder.write_arrays("calibration", calibration)
    folder.write_arrays("latest", pack_latest(data))
    _print_intervals([row for row in rows if row["step"] == "all"], data)


def predict(model: keras.Model, part: Examples, data: SeriesSplits) -> np.ndarray:
    """Return predictions, float32, (num_windows, *data.output_shape)."""
    stream = feed(part, BATCH)["x"]
    predictions = np.asarray(model.predict(stream, verbose=0))
    return predictions.reshape(len(part), *data.output_shape)


def list_scores(
    test: np.ndarray, data: SeriesSplits, folder: RunFolder
) -> list[dict[str, Any]]:
    """Return a row for the network and each baseline with every metric of the task."""
    named = {"network": test} | {
        one.name: one.predictions
        for one in folder.baselines
        if one.predictions is not None
    }
    rows = []
    for name, predictions in named.items():
        row: dict[str, Any] = {"forecast": name}
        for metric in data.task.measures:
            mean = data.task.measure(metric, data.test.targets, predictions).mean()
            row["rmse" if metric == "mse" else metric] = float(
                math.sqrt(mean) if metric == "mse" else mean
            )
        rows.append(row)
    return rows


def calibrate(
    validation: np.ndarray, test: np.ndarray, data: SeriesSplits
) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
    """Return the coverage of rolling intervals on the test part, and the latest errors.

    A forecast of the test part is calibrated on forecasts of the validation part, and
    on those of the test part whose last step was measured before it was made.

    Returns:
        Rows with `level`, `step` (a number or `all`), `covered`, `width` and `windows`.
        And arrays: `errors_<percent>`, (num_forecasts, horizon, ...); `ends`, the first
        time after each of these forecasts; `window`, how many calibrate an interval.
    """
    predictions = np.concatenate([validation, test])
    targets = np.concatenate([data.validation.targets, data.test.targets])
    spans = [_find_span(part, data) for part in (data.validation, data.test)]
    origins, ends = (np.concatenate(parts) for parts in zip(*spans, strict=True))
    chosen = np.arange(len(validation), len(predictions))
    latest = np.argsort(ends, kind="stable")[-MOST_KEPT:]
    rows: list[dict[str, Any]] = []
    kept = {"ends": ends[latest], "window": np.array(len(validation))}
    for level in LEVELS:
        lower, upper = choose_ends(predictions, data.layout.quantiles, level)
        outside = measure_outside(targets, lower, upper)
        half, _ = roll_half_widths(
            outside, origins, ends, chosen, level, len(validation)
        )
        ends_of = lower[chosen] - half, upper[chosen] + half
        kept[f"errors_{100 * level:g}"] = outside[latest].astype(np.float32)
        for step in ["all", *range(1, data.layout.horizon + 1)]:
            which = slice(None) if step == "all" else slice(step - 1, step)
            found = measure_coverage(
                targets[chosen][:, which], *(e[:, which] for e in ends_of), level
            )
            rows.append(
                {
                    "level": level,
                    "step": step,
                    "covered": _round(found.covered),
                    "width": _round(found.width),
                    "windows": found.num_windows,
                }
            )
    return rows, kept


def pack_latest(data: SeriesSplits) -> dict[str, np.ndarray]:
    """Return the last steps of every series as arrays, one after the other."""
    columns = data.layout.columns
    return {
        "names": np.array([one.name for one in data.latest]),
        "lengths": np.array([len(one.times) for one in data.latest]),
        "times": np.concatenate([one.times for one in data.latest]),
        "is_measured": np.concatenate([one.is_measured for one in data.latest]),
        "is_stale": np.concatenate([one.is_stale for one in data.latest]),
        "values": np.concatenate(
            [np.stack([one.values[c] for c in columns], axis=1) for one in data.latest]
        ),
    }


def _find_span(part: Examples, data: SeriesSplits) -> tuple[np.ndarray, np.ndarray]:
    """Return the first step of each forecast, and the first one after its last step.

    A forecast was observed when a later one was made if its second time is at most the
    first time of the later one.
    """
    steps = np.full(len(part), data.layout.horizon)
    return part.times, data.layout.frequency.time_at(part.times, steps)


def _print_intervals(rows: list[dict[str, Any]], data: SeriesSplits) -> None:
    print("Intervals on the test part, calibrated on the latest forecasts before each:")
    for row in rows:
        if math.isnan(row["covered"]):
            print(
                f"  {row['level']:.0%}: too few forecasts to calibrate; it needs "
                f"{count_needed(row['level'])} before the test part."
            )
            continue
        print(
            f"  {row['level']:.0%}: covered {row['covered']:.1%} of the values, mean "
            f"width {row['width']:.4g} {data.scale.unit}".rstrip()
        )


def _round(value: float) -> float:
    return float(f"{value:.6g}")
