"""Saved curves as event files, which TensorBoard reads."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path

from shared.files import write_whole
from shared.runs import Run


def write_events(runs: Iterable[Run], folder: Path) -> list[Path]:
    """Write `<folder>/<recipe>/<run>/events.out.tfevents.rnn-recipes` for each run.

    Every column of the history becomes a scalar by epoch, at the time it was reached:
    `val_` columns as `validation/<name>`, `seconds` as it is, the others as
    `training/<name>`. The file of a run is written anew as a whole.

    Args:
        runs: With or without epochs.
        folder: Made if missing.
    """
    # Here, since it takes seconds and no other reader of run folders needs it.
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
            path = folder / run.recipe / run.path.name
            paths.append(path / "events.out.tfevents.rnn-recipes")
            write_whole(paths[-1], lambda part, run=run: write(run, part))
    return paths


def read_begin(run: Run) -> float:
    """Return when a run began, seconds since 1970, from the name of its folder."""
    try:
        stamp = datetime.strptime(run.path.name[:20], "%Y-%m-%dT%H-%M-%SZ")
    except ValueError:  # a folder that was given another name
        return (run.path / "config.json").stat().st_mtime
    return stamp.replace(tzinfo=UTC).timestamp()


def _tag(name: str) -> str:
    if name == "seconds":
        return name
    part = "validation" if name.startswith("val_") else "training"
    return f"{part}/{name.removeprefix('val_')}"
