"""The forecasts of a run's test part, and its division into consecutive folds."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from shared.core.errors import UserError
from shared.core.text import shorten
from shared.data.series.frequency import Frequency
from shared.data.series.layout import Layout
from shared.runs.groups import choose_runs
from shared.runs.reader import PREDICTIONS, Run, read_predictions
from shared.studies.backtest.fold_intervals import Intervals, roll_intervals
from shared.tasks.task import MultiStepForecast

NETWORK = "network"
BASELINE = "baseline "  # before the name of a baseline in the predictions


@dataclass(frozen=True)
class Fold:
    """A block of the test part. Its forecasts lie within it with all their steps.

    Attributes:
        number: From 1.
        first: datetime64[s]: its first step.
        stop: datetime64[s]: the step after its last one, where the next fold begins.
            None for the last fold, which ends with the test part.
        steps: From `first` up to `stop`. For the last fold: up to the last forecast.
    """

    number: int
    first: np.datetime64
    stop: np.datetime64 | None
    steps: int


@dataclass(frozen=True)
class Forecasts:
    """Forecasts of a test part, and what was measured.

    Attributes:
        task: Scores them.
        times: datetime64[s], (num_windows,): first step of each forecast.
        ends: datetime64[s], (num_windows,): the step after its last one.
        targets: (num_windows, horizon), or (num_windows, horizon, num_targets).
        named: `network` or the name of a baseline -> its forecasts.
        best_achievable: Names of baselines that nobody can expect to beat.
        series: Name of the series of each forecast, (num_windows,). None: only one.
        intervals: Of the network. Empty: the run keeps no errors.
        left_out: How many `leave_out` has left out.
    """

    task: MultiStepForecast
    times: np.ndarray
    ends: np.ndarray
    targets: np.ndarray
    named: dict[str, np.ndarray]
    best_achievable: frozenset[str] = frozenset()
    series: np.ndarray | None = None
    intervals: Intervals = field(default_factory=dict)
    left_out: int = 0

    def __len__(self) -> int:
        return len(self.times)

    def select(self, chosen: np.ndarray) -> Forecasts:
        """Return some of the forecasts.

        Args:
            chosen: bool, (num_windows,).
        """
        named = {name: values[chosen] for name, values in self.named.items()}
        times, ends, targets = (
            a[chosen] for a in (self.times, self.ends, self.targets)
        )
        series = None if self.series is None else self.series[chosen]
        intervals = {
            level: (lower[chosen], upper[chosen])
            for level, (lower, upper) in self.intervals.items()
        }
        return dataclasses.replace(
            self, times=times, ends=ends, targets=targets, named=named, series=series,
            intervals=intervals,
        )  # fmt: skip

    def select_fold(self, fold: Fold) -> Forecasts:
        """Return the forecasts whose steps all lie in a fold."""
        inside = self.times >= fold.first
        if fold.stop is not None:
            inside &= self.ends <= fold.stop
        return self.select(inside)


def find_run(name: str, root: Path) -> Run:
    """Return the newest finished run of a recipe of series, or a run by its folder.

    Args:
        name: Name of a recipe, or a run folder.
        root: Folder of all runs.

    Raises:
        UserError: If there is none, it is not of a series, or it has not finished.
    """
    run = choose_runs([name], root)[0][-1]
    facts = run.config["data_facts"]
    if run.task.kind != MultiStepForecast.kind or "layout" not in facts:
        raise UserError(
            f"{shorten(name)}: {run.recipe} forecasts no series with a horizon. Name a "
            "run of a series recipe, e.g. series-gru."
        )
    if run.state != "finished" or run.summary["test"] is None:
        raise UserError(
            f"{shorten(str(run.path))}: {run.state}, without a test. Name a run that "
            f"has finished, or train one: make {run.recipe}."
        )
    return run


def read_layout(run: Run) -> Layout:
    """Return how the run reads its table.

    Raises:
        UserError: If another version of this suite wrote it.
    """
    try:
        return Layout.from_json(run.config["data_facts"]["layout"])
    except (KeyError, TypeError, ValueError, AttributeError):
        raise UserError(
            f"{shorten(str(run.path))}: its layout has another form than that of this "
            f"version. Train it again: make {run.recipe}."
        ) from None


def read_forecasts(run: Run, layout: Layout) -> Forecasts:
    """Return the forecasts of a run for its test part.

    Raises:
        UserError: If the run has no usable predictions.
    """
    arrays = read_predictions(run)
    if arrays is None or "times" not in arrays:
        reason = run.problems.get(PREDICTIONS, f"{PREDICTIONS} is missing")
        raise UserError(
            f"{shorten(str(run.path))}: no forecasts to score ({reason}). Name another "
            f"run, or train it again: make {run.recipe}."
        )
    times = arrays["times"].astype("datetime64[s]")
    named = {NETWORK: arrays["predictions"]} | {
        name.removeprefix(BASELINE): values
        for name, values in arrays.items()
        if name.startswith(BASELINE)
    }
    ends = layout.frequency.time_at(times, np.full(len(times), layout.horizon))
    targets = arrays["targets"]
    return Forecasts(
        run.task,
        times,
        ends,
        targets,
        named,
        frozenset(
            one["name"] for one in run.summary["baselines"] if one["is_best_achievable"]
        ),
        arrays.get("series"),
        roll_intervals(run, layout, times, ends, targets, named[NETWORK]),
    )


def split_folds(
    times: np.ndarray, horizon: int, frequency: Frequency, num_folds: int
) -> list[Fold]:
    """Divide a test part into consecutive folds of nearly the same length.

    A fold begins with a forecast. It has room for at least one horizon, and the folds
    differ by at most one horizon and the gaps between forecasts.

    Args:
        times: datetime64[s], (num_windows,): first step of each forecast, any order.
        horizon: Steps of a forecast.
        frequency: Step of the series.
        num_folds: At least 1.

    Raises:
        UserError: If there are more folds than horizons that do not overlap.
    """
    moments = np.unique(times)
    positions, _ = frequency.count_steps(moments)
    apart = [0]  # forecasts that share no step, one after the other
    for k, position in enumerate(positions):
        if position >= positions[apart[-1]] + horizon:
            apart.append(k)
    if num_folds > len(apart):
        count = f"{len(apart)} forecast{'s' if len(apart) > 1 else ''}"
        raise UserError(
            f"--folds {num_folds}: the test part has {count} of {horizon} steps that "
            f"do not overlap, and each fold needs one. Take at most {len(apart)} "
            "folds, or train with a longer test part."
        )
    firsts = [apart[k * len(apart) // num_folds] for k in range(num_folds)]
    stops = [*firsts[1:], None]
    end = positions[-1] + horizon
    return [
        Fold(
            number,
            moments[first],
            None if stop is None else moments[stop],
            int((end if stop is None else positions[stop]) - positions[first]),
        )
        for number, (first, stop) in enumerate(zip(firsts, stops, strict=True), 1)
    ]


def find_stride(forecasts: Forecasts, frequency: Frequency) -> int:
    """Return the steps from one forecast of a series to the next."""
    series = forecasts.series
    names = [""] if series is None else np.unique(series)
    gaps = []
    for name in names:
        times = forecasts.times if series is None else forecasts.times[series == name]
        gaps += np.diff(frequency.count_steps(times)[0]).tolist()
    return int(np.gcd.reduce(gaps or [1]))
