"""The forecast of a sine run for the samples after the end of its test series."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from shared.core.errors import UserError
from shared.core.text import shorten
from shared.data.generated.sine import (
    PARTS,
    SineConfig,
    draw_samples,
    predict_bayes,
)
from shared.inference.intervals import (
    calibrate_all,
    list_ends,
    read_test_errors,
    round_number,
)
from shared.inference.parts import restore_part
from shared.plots.forecast_figure import ForecastPanel
from shared.runs.reader import Run, read_predictions

SHOWN = 3  # windows of history that the picture shows


@dataclass
class SineForecast:
    """Forecasts of the samples that follow a series.

    Attributes:
        first: Number of the first sample of the series.
        samples: float64, (num_samples,): the series.
        forecast: float64, (delay,): the samples after it.
        best: float64, (delay,): the best possible forecast from the same windows.
        lookback: Samples that the network reads.
        intervals: Level -> lower and upper ends, each (delay,).
        source: Which series it is, in words.
        remarks: What the user should know, each in one sentence.
    """

    first: int
    samples: np.ndarray
    forecast: np.ndarray
    best: np.ndarray
    lookback: int
    source: str
    intervals: dict[float, tuple[np.ndarray, np.ndarray]]
    remarks: list[str] = field(default_factory=list)

    @property
    def ahead(self) -> np.ndarray:
        """Numbers of the samples that are forecast, int64, (delay,)."""
        return self.first + len(self.samples) + np.arange(len(self.forecast))

    def to_rows(self) -> list[dict[str, Any]]:
        """Return a row for each sample."""
        return [
            {
                "sample": int(sample),
                "forecast": round_number(self.forecast[k]),
                "best possible": round_number(self.best[k]),
            }
            | list_ends(self.intervals, k)
            for k, sample in enumerate(self.ahead)
        ]

    def to_panels(self) -> list[ForecastPanel]:
        """Return what the picture shows."""
        shown = min(len(self.samples), SHOWN * self.lookback)
        return [
            ForecastPanel(
                title="",
                past_times=self.ahead[0] - np.arange(shown, 0, -1),
                past=self.samples[-shown:],
                times=self.ahead,
                forecast=self.forecast,
                intervals=self.intervals,
                quantity="sample",
                best=self.best,
                across="number of the sample",
            )
        ]


def forecast_sine(run: Run, file: Path | None) -> SineForecast:
    """Forecast the samples after the last one of the test series.

    A network predicts the sample `delay` after its window. So it forecasts as many
    samples, each from the window that ends `delay` before.

    Args:
        run: A finished run on the noisy sine.
        file: None: the series is generated.

    Raises:
        UserError: If a file is named, or the series of the run cannot be made again.
    """
    if file is not None:
        raise UserError(
            f"--file {shorten(str(file))}: {run.recipe} forecasts its generated "
            "series; omit the flag. For a table of yours, train series-gru."
        )
    config = restore_part(run, SineConfig)
    first, samples, source = _make_series(run, config)
    # The window of the k-th forecast ends `delay` samples before it.
    starts = len(samples) - config.lookback - config.delay + 1
    starts = starts + np.arange(config.delay)
    windows = samples[starts[:, None] + np.arange(config.lookback)]
    from shared.inference.load_model import load_model

    model = load_model(run.path)
    if tuple(model.input_shape[1:]) != (config.lookback, 1):
        raise UserError(
            f"{run.path}: best.keras and config.json are not of one run; train it "
            "again."
        )
    inputs = windows[:, :, None].astype(np.float32)
    forecast = np.asarray(model.predict_on_batch(inputs), np.float64)[:, 0]
    if not np.isfinite(forecast).all():
        raise UserError(
            f"{run.path}: the network forecasts values that are no numbers. Train the "
            "run again, e.g. with a smaller --learning-rate."
        )
    kept, intervals = read_test_errors(run), {}
    remarks = ["no intervals: the run has no usable predictions.npz"]
    if kept is not None:
        intervals, remarks = calibrate_all(kept[0], np.empty(0), forecast)
    return SineForecast(
        first=first,
        samples=samples,
        forecast=forecast,
        best=predict_bayes(config, windows).astype(np.float64),
        lookback=config.lookback,
        source=source,
        intervals=intervals,
        remarks=remarks,
    )


def _make_series(run: Run, config: SineConfig) -> tuple[int, np.ndarray, str]:
    """Return the number of the first sample of a series, its samples, and its name.

    It is the test part, or with random phases the last sine of the test part.

    Raises:
        UserError: If its samples are not those of the run.
    """
    span = config.lookback + config.delay
    drawn = draw_samples(config, run.seed)
    first = sum(getattr(config, f"{part}_points") for part in PARTS[:-1])
    lost = span - 1 if config.phase == "running" else 0  # the last have no target
    windows = drawn[first : first + config.test_points - lost]
    stored = read_predictions(run)
    if stored is not None and not np.array_equal(
        stored["targets"], windows[:, -1].astype(np.float32)
    ):
        raise UserError(
            f"{run.path}: the series of the run cannot be generated again by this "
            "version; train the run again."
        )
    if config.phase == "random":
        return 0, windows[-1], "the last sine of the generated test part"
    samples = np.append(windows[:, 0], windows[-1, 1:])
    last = first + len(samples) - 1
    return first, samples, f"the generated test series (samples {first} to {last})"
