"""The last rows of a weather record, as a run keeps them for a later forecast."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from shared.data.weather.cleaning import Observations


def pack_latest(
    observations: Observations, target: str, num_rows: int
) -> dict[str, np.ndarray]:
    """Return the last rows as arrays, in the units of the record.

    Args:
        observations: All rows.
        target: Column that is predicted.
        num_rows: How many of the last rows a window reads.
    """
    part = slice(-num_rows, None)
    columns = observations.columns
    values = np.empty((len(observations.times[part]), len(columns)))
    for k, column in enumerate(columns.values()):
        values[:, k] = column[part]
    return {
        "columns": np.array(list(columns), np.str_),
        "times": observations.times[part],
        "elapsed": observations.elapsed[part],
        "values": values,
        "target": observations.targets[target][part],
    }


def unpack_latest(
    arrays: dict[str, np.ndarray],
    target: str,
    wanted: Iterable[str],
    interval: np.timedelta64,
) -> Observations:
    """Return the rows in the arrays of `pack_latest`. Their lines are not known: 0.

    Args:
        arrays: As read from a file, maybe a damaged one.
        target: Column that is predicted.
        wanted: Columns that the network reads.
        interval: Time from one row to the next if no row is missing.

    Raises:
        KeyError, ValueError: If an array is missing or wrong.
    """
    names, times, elapsed = arrays["columns"], arrays["times"], arrays["elapsed"]
    values, targets = arrays["values"], arrays["target"]
    count = len(times)
    shapes = (times.shape, elapsed.shape, targets.shape, values.shape)
    if not count or shapes != ((count,), (count,), (count,), (count, len(names))):
        raise ValueError("its arrays do not fit each other")
    if names.dtype.kind != "U" or set(wanted) - set(names.tolist()):
        raise ValueError("it lacks a column that the network reads")
    for numbers in (values, targets):
        if numbers.dtype.kind != "f" or not np.isfinite(numbers).all():
            raise ValueError("it holds values that are no numbers")
    for clock in (times, elapsed):
        if clock.dtype.kind != "M" or np.isnat(clock).any():
            raise ValueError("it holds times that are no times")
        if (np.diff(clock) <= np.timedelta64(0)).any():
            raise ValueError("its times do not increase")
    return Observations(
        times=times.astype("datetime64[s]"),
        elapsed=elapsed.astype("datetime64[s]"),
        columns={str(name): values[:, k] for k, name in enumerate(names)},
        targets={target: targets},
        interval=interval,
        lines=np.zeros(count, np.int64),
        known_at=times,
        interpolated={target: np.zeros(count, bool)},
    )
