"""Saved curves as event files for TensorBoard."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path

from shared.core.files import write_whole
from shared.runs.reader import Run


def write_events(runs: Iterable[Run], folder: Path) -> list[Path]:
    """Write `<folder>/<recipe>/<run>/events.out.tfevents.rnn-recipes` for each run.

    Every column of the history becomes a scalar by epoch, at the time of that epoch.
    Columns with `val_` become `validation/<name>`, `seconds` keeps its name, and others
    become `training/<name>`. An existing file of a run is replaced.

    Args:
        runs: Runs; those without epochs are skipped.
        folder: Created if missing.
    """
    # Imported here because it takes seconds and no other reader needs it.
    from tensorflow.core.util.event_pb2 import Event
    from tensorflow.io import TFRecordWriter

    def write(run: Run, part: Path) -> None:
        begin = read_begin(run)
        times = [begin + passed for passed in accumulate(run.history["seconds"])]
        with TFRecordWriter(str(part)) as file:
            first = Event(wall_time=begin, file_version="brain.Event:2")
            file.write(first.SerializeToString())
            for k, (epoch, time) in enumerate(
                zip(run.history["epoch"], times, strict=True)
            ):
                event = Event(wall_time=time, step=int(epoch))
                for name, column in run.history.items():
                    if name != "epoch":
                        event.summary.value.add(tag=_tag(name), simple_value=column[k])
                file.write(event.SerializeToString())

    paths = []
    for run in runs:
        if run.history:
            # The name of a folder leads to no other place; run.recipe could.
            path = folder / run.path.parent.name / run.path.name
            paths.append(path / "events.out.tfevents.rnn-recipes")
            write_whole(paths[-1], lambda part, run=run: write(run, part))
    return paths


def read_begin(run: Run) -> float:
    """Return when a run began, in seconds since 1970, from its folder name."""
    try:
        stamp = datetime.strptime(run.path.name[:20], "%Y-%m-%dT%H-%M-%SZ")
    except ValueError:  # a renamed folder
        return (run.path / "config.json").stat().st_mtime
    return stamp.replace(tzinfo=UTC).timestamp()


def _tag(name: str) -> str:
    if name == "seconds":
        return name
    part = "validation" if name.startswith("val_") else "training"
    return f"{part}/{name.removeprefix('val_')}"
