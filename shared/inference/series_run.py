"""What a run of a series recipe keeps for later forecasts, read and checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np

from shared.core.errors import UserError
from shared.core.text import shorten
from shared.data.series.calendar import LENGTHS
from shared.data.series.filling import FilledSeries
from shared.data.series.layout import Layout
from shared.runs.decode import DamagedError, read_arrays
from shared.runs.reader import Run
from shared.tasks.conformal import LEVELS

LONGEST_REASON = 120  # characters
DAMAGES = (DamagedError, KeyError, TypeError, ValueError, AttributeError)


class Reading(msgspec.Struct, frozen=True):
    """How the table of a run was read."""

    time: str
    series: str | None
    time_format: str
    decimal: Literal[".", ",", "auto"]
    encoding: str
    every: str | None
    how: Literal["mean", "sum", "last"]


@dataclass(frozen=True)
class Calibration:
    """Errors on the latest forecasts whose outcome a run has seen.

    Attributes:
        end: datetime64[s]: the first time after all of these forecasts.
        errors: Level -> float64, (num_forecasts, horizon, num_targets), from the oldest
            forecast to the latest.
        window: How many of the latest ones calibrated an interval in the test.
    """

    end: np.datetime64
    errors: dict[float, np.ndarray]
    window: int


def read_layout(run: Run) -> Layout:
    """Return the layout of a run.

    Raises:
        UserError: If it has none that this version reads.
    """
    try:
        layout = Layout.from_json(run.config["data_facts"]["layout"])
        _check_layout(layout)
    except DAMAGES as error:
        raise UserError(
            f"{run.path}: config.json has no layout that this version reads "
            f"({_format_reason(error)}); train the run again."
        ) from None
    return layout


def read_reading(run: Run) -> tuple[Reading, str | None]:
    """Return how the table of a run was read, and its path; None if it was generated.

    Raises:
        UserError: If the run does not say it in a form that this version reads.
    """
    facts = run.config["data_facts"]
    try:
        reading = msgspec.convert(facts["reading"], Reading)
        return reading, msgspec.convert(facts.get("file"), str | None)
    except (KeyError, ValueError) as error:
        raise UserError(
            f"{run.path}: config.json does not say how the table was read "
            f"({_format_reason(error)}); train the run again."
        ) from None


def read_latest(run: Run, layout: Layout) -> list[FilledSeries]:
    """Return the last steps of every series that a run has kept.

    Raises:
        UserError: If `latest.npz` is missing or damaged.
    """
    try:
        arrays = read_arrays(run.path / "latest.npz")
        return _unpack_latest(arrays, layout)
    except DAMAGES as error:
        raise UserError(
            f"{run.path}: latest.npz cannot be used ({_format_reason(error)}); name "
            "the table with --file."
        ) from None


def read_calibration(run: Run, layout: Layout) -> Calibration:
    """Return the errors that a run has kept.

    Raises:
        DamagedError, KeyError, TypeError, ValueError: If `calibration.npz` is missing
            or damaged.
    """
    targets = (len(layout.target),) if len(layout.target) > 1 else ()
    arrays = read_arrays(run.path / "calibration.npz")
    ends, window = arrays["ends"], arrays["window"]
    if (
        ends.ndim != 1
        or not len(ends)
        or ends.dtype.kind != "M"
        or np.isnat(ends).any()
    ):
        raise ValueError("its ends are no times")
    if window.shape != () or window.dtype.kind not in "iu" or window < 1:
        raise ValueError("its window is no number of forecasts")
    errors = {}
    for level in LEVELS:
        found = arrays[f"errors_{100 * level:g}"]
        if found.shape != (len(ends), layout.horizon, *targets):
            raise ValueError(f"errors of the shape {found.shape}")
        if found.dtype.kind != "f" or not np.isfinite(found).all():
            raise ValueError("errors that are no numbers")
        shape = (len(ends), layout.horizon, len(layout.target))
        errors[level] = found.astype(np.float64).reshape(shape)
    return Calibration(ends.max().astype("datetime64[s]"), errors, int(window))


def _check_layout(layout: Layout) -> None:
    """Refuse values that no run writes; ValueError with the reason."""
    for name, least in {"lookback": 1, "horizon": 1, "season": 1, "max_gap": 0}.items():
        value = getattr(layout, name)
        if type(value) is not int or value < least:
            raise ValueError(f"{name} is {value!r}")
    columns = layout.columns
    if not layout.target or not all(isinstance(name, str) for name in columns):
        raise ValueError("its columns have no names")
    if not set(layout.cycles) <= set(LENGTHS):
        raise ValueError(f"its cycles are {layout.cycles!r}")
    quantiles = layout.quantiles
    if quantiles and (0.5 not in quantiles or list(quantiles) != sorted(quantiles)):
        raise ValueError(f"its quantiles are {quantiles!r}")
    if not len(layout.outputs) == len(layout.change) == len(layout.target):
        raise ValueError("its targets and their scales differ in number")
    tables = [layout.ranges, *layout.scales.values()]
    if not layout.scales or any(set(table) != set(columns) for table in tables):
        raise ValueError("a column has no scale or no range")
    if any(scale <= 0 for one in layout.scales.values() for _, scale in one.values()):
        raise ValueError("a scale is not above 0")


def _unpack_latest(arrays: dict[str, np.ndarray], layout: Layout) -> list[FilledSeries]:
    """Return the series in the arrays of `latest.npz`; ValueError if one is wrong."""
    names, lengths, times = arrays["names"], arrays["lengths"], arrays["times"]
    values, measured = arrays["values"], arrays["is_measured"]
    # Runs of older versions did not keep which values are stale.
    stale = arrays.get("is_stale", np.zeros(measured.shape, bool))
    if names.dtype.kind != "U" or lengths.dtype.kind not in "iu":
        raise ValueError("its series have no names or lengths")
    if not len(names) or names.shape != lengths.shape or lengths.min() < 1:
        raise ValueError("a series has no steps")
    total = int(lengths.sum())
    shapes = (values.shape, times.shape, measured.shape, stale.shape)
    if shapes != ((total, len(layout.columns)), (total,), (total,), (total,)):
        raise ValueError("its arrays do not fit each other")
    if values.dtype.kind != "f" or not np.isfinite(values).all():
        raise ValueError("it holds values that are no numbers")
    if times.dtype.kind != "M" or np.isnat(times).any():
        raise ValueError("it holds times that are no times")
    if measured.dtype.kind != "b" or stale.dtype.kind != "b":
        raise ValueError("it does not say which values were measured")
    stops = np.cumsum(lengths)
    return [
        _rebuild(
            str(name), times[part], values[part], measured[part], stale[part], layout
        )
        for name, part in zip(names, map(slice, stops - lengths, stops), strict=True)
    ]


def _rebuild(
    name: str,
    times: np.ndarray,
    values: np.ndarray,
    measured: np.ndarray,
    stale: np.ndarray,
    layout: Layout,
) -> FilledSeries:
    """Return a series; ValueError if its times are not a grid, or it has no value."""
    times = times.astype("datetime64[s]")
    positions, is_off = layout.frequency.count_steps(times)
    if is_off.any() or (positions != np.arange(len(times))).any():
        raise ValueError(f"its times are not {layout.frequency.describe()}")
    if not measured.any():
        raise ValueError("a series has no measured step")
    return FilledSeries(
        name=name,
        times=times,
        values={column: values[:, k] for k, column in enumerate(layout.columns)},
        lines=np.zeros(len(times), np.int64),
        is_measured=measured,
        is_stale=stale,
        num_observed=int(np.flatnonzero(measured)[-1]) + 1,
        num_filled={},
    )


def _format_reason(error: Exception) -> str:
    reason = f"without {error}" if type(error) is KeyError else str(error)
    return shorten(reason, LONGEST_REASON)
