"""The rows from which a series run forecasts: those of a table, or those it kept."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import msgspec
import numpy as np

from shared.core.errors import UserError
from shared.core.text import shorten
from shared.data.series.filling import FilledSeries, fill_series
from shared.data.series.layout import Layout
from shared.data.series.messages import format_time
from shared.data.series.phase import (
    describe_grid,
    has_whole_days,
    is_same_grid,
)
from shared.data.series.reading import Series, TableOptions, read_series
from shared.inference.file_form import AS_TRAINED, FileForm
from shared.inference.intervals import cut_warnings, find_outside
from shared.inference.series_run import Reading, read_latest, read_reading
from shared.runs.reader import Run


@dataclasses.dataclass(frozen=True)
class Rows:
    """What a forecast starts from.

    Attributes:
        series: Those whose end the network can read; at least one.
        source: Which rows they are, in words.
        remarks: What was found, each in one sentence.
    """

    series: list[FilledSeries]
    source: str
    remarks: list[str]


def find_rows(
    run: Run,
    layout: Layout,
    file: Path | None,
    form: FileForm = AS_TRAINED,
    headers: tuple[tuple[str, ...], ...] = (),
) -> Rows:
    """Read a table as the run read its own, or take the last steps that it has kept.

    Args:
        run: A finished run of a series recipe.
        layout: Of the run.
        file: A table; None: the file of the run if it is still there.
        form: How the table is written, where it is not as the run read its own.
        headers: Names of the columns of a table without a header, as in `open_table`.

    Raises:
        UserError: If there is nothing to read, or it does not fit the run.
    """
    reading, trained_on = read_reading(run)
    given = {name: getattr(form, name) for name in form.list_given()}
    reading = msgspec.structs.replace(reading, **given)
    path = file or (None if trained_on is None else Path(trained_on))
    if file is not None or (path is not None and path.is_file()):
        series, remarks = _read_table(reading, layout, path, headers)
        _check_grids(series, run, layout, path, remarks)
        source = _describe_rows(path, series)
    else:
        source = describe_kept(path)
        form.refuse_without_file(source)
        series, remarks = read_latest(run, layout), []
    kept = _keep_readable(series, layout, path, remarks)
    remarks += _find_outside(kept, layout)
    return Rows(kept, source, remarks)


def describe_kept(path: Path | None) -> str:
    """Return a phrase for the rows in a run folder.

    Args:
        path: The file of the run, which is no longer there; None: it had none.
    """
    source = "the last steps that the run has kept"
    if path is not None:
        source += f" ({shorten(str(path))} is no longer there)"
    return source


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
    reading: Reading,
    layout: Layout,
    path: Path,
    headers: tuple[tuple[str, ...], ...],
) -> tuple[list[FilledSeries], list[str]]:
    """Return the series of a table, and what was found in it."""
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
        headers=headers,
        frequency=layout.frequency,
    )
    table = read_series(options)
    filled = []
    for one in table.series:
        series = fill_series(one, layout.target, layout.known, layout.max_gap)
        _check_known(one, series, layout, path)
        filled.append(series)
    return filled, list(table.remarks)


def _check_grids(
    series: list[FilledSeries],
    run: Run,
    layout: Layout,
    path: Path,
    remarks: list[str],
) -> None:
    """Refuse a series on another grid than in training, such as another weekday.

    A series that the run knows must lie on its own grid, another one on that of any
    series.
    """
    try:
        known = {one.name: one.times[0] for one in read_latest(run, layout)}
    except UserError:
        remarks.append("the grid of the run is not known: its latest.npz is damaged")
        return
    frequency = layout.frequency
    for one in series:
        if not len(one.times):
            continue
        time = one.times[0]
        wanted = [known[one.name]] if one.name in known else list(known.values())
        if not any(is_same_grid(frequency, each, time) for each in wanted):
            line = int(one.lines[one.lines > 0][0])
            raise UserError(
                f"{path}: line {line}: {_name(one)}has a row "
                f"{describe_grid(frequency, time)}, and the run needs one "
                f"{describe_grid(frequency, wanted[0])}; correct the times, or train a "
                "run on this table."
            )
        clocks = {_clock(each) for each in wanted}
        if has_whole_days(frequency) and _clock(time) not in clocks:
            remarks.append(
                f"{_name(one)}times such as {format_time(time)}; those of the run "
                f"were written as {format_time(wanted[0])}"
            )
            return


def _clock(time: np.datetime64) -> np.timedelta64:
    return time - time.astype("datetime64[D]")


def _check_known(raw: Series, series: FilledSeries, layout: Layout, path: Path) -> None:
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
    for name, bounds in layout.ranges.items():
        for one in series:
            first = max(0, one.num_observed - layout.lookback)
            part = slice(first, one.num_observed)
            values, lines = one.values[name][part], one.lines[part]
            if sentence := find_outside(name, values, lines, bounds):
                found.append(f"{_name(one)}{sentence}")
    return cut_warnings(found)


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
