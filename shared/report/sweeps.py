"""The sweeps on the report page: what `make sweep` has written about each of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec

from shared.core.files import write_text
from shared.core.text import shorten
from shared.plots.colours import assign_styles
from shared.runs.decode import DamagedError, name_file, open_regular

FORMAT = 1
NAME = "page.json"
MOST_BYTES = 10_000_000  # of a file that is read
MOST_TRIALS = 300
"""Most trials of one data set that the report shows of a sweep: the best."""
ROOM = 800_000
"""Bytes of the report that all sweeps may take."""
ROW_BYTES, SWEEP_BYTES = 700, 6_000  # of the page, for a trial and for the rest


class Row(msgspec.Struct, frozen=True):
    """One trial of a sweep.

    Attributes:
        number: Place in the order in which trials ended, from 1.
        recipe: Name with dashes.
        flags: Its flags, without those of all trials.
        values: Field name -> value, of what the sweep varies.
        seed: Of the trial.
        score: Best validation score.
        epochs: Trained epochs.
        seconds: Of training.
        elapsed: Seconds of training of this trial and of all before it.
        is_pruned: Whether it was stopped early.
        folder: Name of its run folder.
    """

    number: int
    recipe: str
    flags: str
    values: dict[str, Any]
    seed: int
    score: float
    epochs: int
    seconds: float
    elapsed: float
    is_pruned: bool
    folder: str


class Setting(msgspec.Struct, frozen=True):
    """A flag that a sweep varies.

    Attributes:
        name: Field name.
        is_log: Whether it is drawn on a logarithmic axis.
    """

    name: str
    is_log: bool = False


class Part(msgspec.Struct, frozen=True):
    """The trials of a sweep on one data set, in the order in which they ended."""

    data: str
    metric: str
    higher_is_better: bool
    settings: list[Setting]
    rows: list[Row]


class Confirmed(msgspec.Struct, frozen=True):
    """A line of the table that tells what became of the best trial.

    Attributes:
        name: What was trained.
        seeds: How many seeds.
        validation: Mean validation score, and its standard deviation if there is one.
        test: The same on the test set; None if the test set was not scored.
    """

    name: str
    seeds: int
    validation: tuple[float, float | None]
    test: tuple[float, float | None] | None = None


class Sweep(msgspec.Struct, frozen=True):
    """A sweep as its page shows it.

    Attributes:
        format: Of the file.
        name: Of the sweep.
        made: Time of the page.
        kind: What chose the trials, in words.
        recipes: Names with dashes.
        seeds: Of the trials.
        num_trials: Trials with a score.
        tried: Sentences on what was varied and what all trials share.
        parts: Its trials, by data set.
        confirmation: Sentences on the best trial of a search.
        confirmed: Its table; empty without trainings on fresh seeds.
        failures: Trial and reason.
    """

    format: int
    name: str
    made: str
    kind: str
    recipes: list[str]
    seeds: list[int]
    num_trials: int
    tried: list[str]
    parts: list[Part]
    confirmation: list[str] = []
    confirmed: list[Confirmed] = []
    failures: list[tuple[str, str]] = []


def write_sweep(sweep: Sweep, folder: Path) -> None:
    """Write what the report shows of a sweep into the folder of that sweep."""
    write_text(folder / NAME, msgspec.json.encode(sweep).decode() + "\n")


def read_sweep(path: Path) -> Sweep:
    """Read a file of `write_sweep`.

    Raises:
        DamagedError: If it cannot be used, with the reason.
    """
    with name_file(f"{path.parent.name}/{path.name}"):
        with open_regular(path, MOST_BYTES) as file:
            sweep = msgspec.json.decode(file.read(), type=Sweep)
        if sweep.format != FORMAT:
            raise ValueError(f"format {sweep.format} is not known")
        return sweep


def read_sweeps(folder: Path | None) -> tuple[list[Sweep], list[str]]:
    """Return the sweeps that fit on the report, the newest first.

    Args:
        folder: Folder of all sweeps; None for none.

    Returns:
        The sweeps, and a sentence for each kind of sweeps left out.
    """
    found, notes = [], []
    for path in sorted(folder.glob(f"*/{NAME}")) if folder else []:
        try:
            found.append(read_sweep(path))
        except DamagedError as error:
            notes.append(f"Not shown: the sweep {shorten(str(error))}.")
    found.sort(key=lambda sweep: sweep.made, reverse=True)
    shown, room = [], ROOM
    for sweep in found:
        short = keep_best(sweep, MOST_TRIALS)
        room -= SWEEP_BYTES + ROW_BYTES * sum(len(part.rows) for part in short.parts)
        if room > 0:
            shown.append(short)
    if len(shown) < len(found):
        notes.append(
            f"Not shown, to keep the file small: sweeps ({len(found) - len(shown)}); "
            "each has a page in its folder."
        )
    return shown, notes


def keep_best(sweep: Sweep, most: int) -> Sweep:
    """Return a sweep with at most so many trials of each data set, the best ones."""
    parts = []
    for part in sweep.parts:
        kept = {row.number for row in sort_rows(part)[:most]}
        rows = [row for row in part.rows if row.number in kept]
        parts.append(msgspec.structs.replace(part, rows=rows))
    return msgspec.structs.replace(sweep, parts=parts)


def sort_rows(part: Part) -> list[Row]:
    """Return the trials, the best first."""
    sign = -1 if part.higher_is_better else 1
    return sorted(part.rows, key=lambda row: sign * row.score)


def describe_sweeps(sweeps: Sequence[Sweep]) -> list[dict[str, Any]]:
    """Return what the template needs of each sweep."""
    described = []
    for k, sweep in enumerate(sweeps):
        styles = dict(
            zip(sweep.recipes, map(asdict, assign_styles(sweep.recipes)), strict=True)
        )
        parts = [
            {"key": f"sweep-{k}-{n}", "part": part, "sorted": sort_rows(part)}
            for n, part in enumerate(sweep.parts)
        ]
        described.append(
            {"key": f"sweep-{k}", "sweep": sweep, "styles": styles, "parts": parts}
        )
    return described


def list_drawn(described: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return what the scripts draw: key of a part -> its trials in columns."""
    drawn = {}
    for one in described:
        by_order = len(one["sweep"].recipes) == 1
        for item in one["parts"]:
            part = item["part"]
            rows = part.rows
            drawn[item["key"]] = {
                "title": part.metric,
                "higher": part.higher_is_better,
                "settings": [[s.name, s.is_log] for s in part.settings],
                "styles": {} if by_order else one["styles"],
                "number": [row.number for row in rows],
                "elapsed": [row.elapsed for row in rows],
                "score": [row.score for row in rows],
                "seed": [row.seed for row in rows],
                "pruned": [row.is_pruned for row in rows],
                "recipe": [row.recipe for row in rows],
                "label": [f"{row.recipe} {row.flags}" for row in rows],
                "values": [
                    [row.values.get(s.name) for row in rows] for s in part.settings
                ],
                "has": [[s.name in row.values for row in rows] for s in part.settings],
            }
    return drawn
