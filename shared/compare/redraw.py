"""Draw the pictures of an earlier comparison again, from its CSV files.

    python -m shared.compare.redraw results/reference/batching

Takes the common beginning of the file names. Reads `<name>.csv`, `<name>-runs.csv` and
`<name>-curves.csv`, and writes `<name>.png` and `<name>-cost.png`. The run folders are
not needed. The files hold the scores of baselines, and not their other metrics.
"""

from __future__ import annotations

import csv
import shlex
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from shared.compare.comparison import write_pictures
from shared.core.errors import UserError
from shared.core.flags import one_line_errors, parse
from shared.runs.groups import Group
from shared.runs.reader import Run
from shared.tasks.score import ACCURACY, MACRO_F1, Score

SCORES = {score.metric: score for score in (ACCURACY, MACRO_F1)}
ENDINGS = (".csv", "-runs.csv", "-curves.csv")
COSTS = {"parameters": int, "seconds": float, "peak_memory_mb": float}
Rows = list[dict[str, str]]


@dataclass(frozen=True)
class Options:
    """What to draw again."""

    comparison: tyro.conf.Positional[Path]
    """Folder and name of an earlier comparison, without `.csv`."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the flags, draw and print the paths. Status 2 after a bad input."""
    flags = sys.argv[1:] if arguments is None else list(arguments)
    with one_line_errors("the folder"):
        options = parse(Options, flags, "python -m shared.compare.redraw", __doc__)
        path = options.comparison
        groups = read_comparison(path)
        for picture in write_pictures(groups, path.parent, path.name):
            print(f"Saved {picture}")


def read_comparison(path: Path) -> list[Group]:
    """Return the groups of an earlier comparison, as far as its files describe them.

    Args:
        path: Folder and beginning of the file names.

    Raises:
        UserError: If a file is missing, or holds no run.
    """
    tables = []
    for ending in ENDINGS:
        file = path.with_name(path.name + ending)
        if not file.is_file():
            raise UserError(
                f"{path}: there is no {file.name}. Name a comparison of make compare "
                "without its ending, such as results/comparisons/imdb-gru-imdb-lstm."
            )
        with file.open(encoding="utf-8", newline="") as stream:
            tables.append(list(csv.DictReader(stream)))
    try:
        found = list(_list_groups(*tables))
    except (KeyError, ValueError) as error:
        raise UserError(
            f"{path}: the CSV files are not of one comparison ({error}). Run make "
            "compare again."
        ) from None
    if not found:
        raise UserError(f"{path}: the CSV files hold no run. Run make compare again.")
    return found


def _list_groups(summary: Rows, runs: Rows, epochs: Rows) -> Iterable[Group]:
    """Yield the groups in the order of the first table."""
    for row in summary:
        label, data = row["run"], row["data"]
        mine = [r for r in runs if (r["run"], r["data"]) == (label, data)]
        if not mine:
            continue  # a baseline
        baselines = [
            _read_baseline(other, row["metric"], mine)
            for other in summary
            if other["data"] == data and not other["runs"]
        ]
        made = []
        for run in mine:
            key = (label, data, run["seed"])
            history = [e for e in epochs if (e["run"], e["data"], e["seed"]) == key]
            made.append(_make_run(run, history, [b for b in baselines if b]))
        yield Group(label, data, made)


def _read_baseline(
    row: dict[str, str], metric: str, mine: Rows
) -> dict[str, Any] | None:
    """Return the mean scores of a baseline; None if these runs do not have it."""
    if not any(run.get(f"test of {row['run']}") for run in mine):
        return None
    parts = {"validation": row["best_val_mean"], "test": row["test_best_mean"]}
    scores = {p: {metric: float(v)} if v else {} for p, v in parts.items()}
    return {"name": row["run"], "is_best_achievable": False, **scores}


def _make_run(row: dict[str, str], epochs: Rows, baselines: list[dict]) -> Run:
    """Return a run whose settings are only those of its label."""
    metric = row["metric"]
    score = SCORES.get(metric, Score(metric, higher_is_better=False))
    recipe, *flags = shlex.split(row["run"])
    names = [k for k in epochs[0] if k not in ("run", "data", "seed")]
    history = {
        name: [float(e[name]) for e in epochs]
        for name in names
        if all(e[name] for e in epochs)
    }
    best, test = row["best_epoch"], row["test_best"]
    summary = {
        "recipe": recipe,
        "data": row["data"],
        "seed": int(row["seed"]),
        "task": {"score": score.to_json()},
        "best": {"epoch": int(best), f"val_{metric}": float(row["best_val"])}
        if best
        else None,
        "test": {"best": {f"test_{metric}": float(test)}} if test else None,
        "baselines": baselines,
    }
    summary |= {k: read(row[k]) if row[k] else None for k, read in COSTS.items()}
    config = {"changed": _read_flags(flags), "roles": {}, "settings": {}, "device": {}}
    return Run(Path(row["run"]), config, summary, history, "finished")


def make_bare_group(label: str, data: str) -> Group:
    """Return a group that knows its recipe, its flags and its data only."""
    recipe, *flags = shlex.split(label)
    config = {"changed": _read_flags(flags), "roles": {}, "settings": {}, "device": {}}
    facts = {"recipe": recipe, "data": data}
    return Group(label, data, [Run(Path(label), config, facts, {}, "finished")])


def _read_flags(words: Sequence[str]) -> dict[str, Any]:
    """Return field name -> value of the flags of a label."""
    changed: dict[str, Any] = {}
    name = ""
    for word in words:
        if word.startswith("--"):
            name = word[2:].replace("-", "_")
            is_off = name.startswith("no_")
            changed[name.removeprefix("no_")] = not is_off
        elif name:
            changed[name] = word
    return changed


if __name__ == "__main__":
    main()
