"""After the training of a forecast: intervals, their coverage, and what predict needs.

Writes into the run folder

- `forecast_scores.csv`: errors of the network and its baselines on the test part, and
  the mean pinball loss of their intervals (`score_intervals`);
- `intervals.csv`: promised and reached coverage, and mean width, of each of them, per
  level and step;
- `calibration.npz`: the latest errors, from which later intervals are made;
- `latest.npz`: the last steps of every series, from which a forecast can start.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.data.feeding import feed
from shared.tasks.conformal import count_needed
from shared.training.forecast_intervals import (
    NETWORK,
    add_baselines,
    calibrate,
    list_intervals,
    score_intervals,
)

if TYPE_CHECKING:
    import keras

    from shared.data.series.dataset import SeriesSplits
    from shared.data.splits import Examples
    from shared.runs.writer import RunFolder

BATCH = 256
COMPARED = 0.8
"""Level of the intervals whose widths are printed side by side."""


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
    network, calibration = calibrate(validation, test, data)
    intervals = add_baselines(network, folder.baselines, data)
    rows = list_intervals(intervals, data.test.targets)
    folder.write_table("forecast_scores", list_scores(test, intervals, data, folder))
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
    test: np.ndarray,
    intervals: Mapping[str, np.ndarray],
    data: SeriesSplits,
    folder: RunFolder,
) -> list[dict[str, Any]]:
    """Return a row for the network and each baseline with its scores on the test part.

    Args:
        test: Predictions of the network.
        intervals: From `add_baselines`.
        data: The splits.
        folder: Holds the baselines.

    Returns:
        Rows with `forecast`, `mae`, `rmse`, `mase` and `mean_pinball`, the loss
        of the intervals.
    """
    named = {NETWORK: test} | {
        one.name: one.predictions
        for one in folder.baselines
        if one.predictions is not None
    }
    targets = data.test.targets
    rows = []
    for name, predictions in named.items():
        row: dict[str, Any] = {"forecast": name}
        for metric in ("mae", "mse", "mase"):
            mean = data.task.measure(metric, targets, predictions).mean()
            row["rmse" if metric == "mse" else metric] = float(
                math.sqrt(mean) if metric == "mse" else mean
            )
        forecasts = data.task.find_median(predictions)
        row["mean_pinball"] = score_intervals(forecasts, intervals[name], targets)
        rows.append(row)
    return rows


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


def _print_intervals(rows: list[dict[str, Any]], data: SeriesSplits) -> None:
    """Print the network's intervals, and how wide those of the baselines are."""
    print("Intervals on the test part, calibrated on the latest forecasts before each:")
    for row in rows:
        if row["forecast"] != NETWORK:
            continue
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
    others = [
        f"{row['forecast']} {row['width']:.4g} ({row['covered']:.1%})"
        for row in sorted(rows, key=lambda row: row["width"])
        if row["forecast"] != NETWORK
        and row["level"] == COMPARED
        and not math.isnan(row["covered"])
    ]
    if others:
        line = f"{COMPARED:.0%} of the others, width (covered): {', '.join(others)}"
        print(textwrap.indent(textwrap.fill(line, 86, subsequent_indent="  "), "  "))
