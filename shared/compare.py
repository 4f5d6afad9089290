"""Compare saved runs: curves on one axis, and a table.

    make compare RUNS="imdb-gru imdb-lstm"
    python -m shared.compare imdb-gru results/runs/imdb-lstm/2026-11-21T11-00-00Z-seed0

Takes recipe names (all their finished runs), run folders, or nothing (everything).
Writes a picture and two CSV files to results/comparisons. Reads files only.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from shared.cli import one_line_errors, parse
from shared.environment import PROJECT
from shared.errors import UserError
from shared.files import write_text, write_whole
from shared.runs import RUNS, Run, find_runs, read_run

COMPARISONS = PROJECT / "results" / "comparisons"
# Flags that two runs may differ in and still be repeats of one experiment.
NO_EXPERIMENT = {"seed", "data", "data_dir", "limit"}


@dataclass(frozen=True)
class Options:
    """What to compare, and where to."""

    runs: tyro.conf.Positional[tuple[str, ...]] = ()
    """Recipe names or run folders; none means every recipe."""
    results_dir: Path = RUNS
    """Folder of all runs."""
    to: Path = COMPARISONS
    """Folder for the picture and the CSV files."""
    name: str = ""
    """Name of these files; the default is made from what is compared."""


@dataclass(frozen=True)
class Group:
    """Runs of one experiment: same recipe, flags and data, different seeds.

    Attributes:
        label: The recipe and the flags that differ from its defaults.
        data: Name of the data set.
        runs: One run per seed, in order of seed.
    """

    label: str
    data: str
    runs: list[Run]

    @property
    def bars(self) -> list[dict[str, Any]]:
        """The simple models' scores, averaged over the runs' splits."""
        bars = [run.summary["bars"] for run in self.runs]
        return [
            {"name": same[0]["name"]}
            | {
                part: _average([bar[part] for bar in same])
                for part in ("validation", "test")
            }
            for same in zip(*bars, strict=False)
        ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the flags, compare, write and print. Status 2 after a bad input."""
    import sys

    flags = sys.argv[1:] if arguments is None else list(arguments)
    with one_line_errors():
        options = parse(Options, flags, "python -m shared.compare", __doc__)
        runs, left_out = choose_runs(options.runs, options.results_dir)
        groups, repeats = group_runs(runs)
        show_groups(groups)
        for note in [*left_out, *repeats]:
            print(note)
        for path in write_comparison(
            groups, options.to, options.name or _name(options)
        ):
            print(f"Saved {path}")


def choose_runs(names: Iterable[str], root: Path) -> tuple[list[Run], list[str]]:
    """Return the runs meant by recipe names and run folders.

    Runs that did not finish are left out, unless named by their folder.

    Args:
        names: Recipe names, or paths of run folders; empty means all recipes.
        root: Folder of all runs.

    Returns:
        Runs with at least one epoch, and a sentence for what was left out.

    Raises:
        UserError: If a name means nothing, or nothing is left to compare.
    """
    names = list(names)
    chosen: dict[Path, Run] = {}
    unfinished = 0
    for name in names or [None]:
        if name is not None and (Path(name) / "summary.json").is_file():
            try:
                run = read_run(Path(name))
            except ValueError as error:
                raise UserError(f"{error}; name another.") from None
            if not run.history:
                raise UserError(f"{name}: holds no epoch yet; name another run.")
            chosen[run.path.resolve()] = run
            continue
        recipe = name and name.strip("/").replace("_", "-")
        found = find_runs(root, recipe) if recipe is None or _is_name(recipe) else []
        if not found:
            raise UserError(_no_runs(name, root))
        finished = [run for run in found if run.state == "finished" and run.history]
        unfinished += len(found) - len(finished)
        if name is not None and not finished:
            raise UserError(
                f"{name}: none of its {len(found)} runs has finished; run make "
                f"{recipe}, or name a run folder."
            )
        chosen |= {run.path.resolve(): run for run in finished}
    if not chosen:
        raise UserError(f"No run below {root} has finished; run a recipe to its end.")
    notes = []
    if unfinished:
        notes.append(
            f"Left out: {unfinished} that did not finish (name one by its folder)."
        )
    return list(chosen.values()), notes


def group_runs(runs: Iterable[Run]) -> tuple[list[Group], list[str]]:
    """Put repeats of one experiment together, one run per seed.

    Returns:
        Groups in order of recipe, and a sentence if older repeats were left out.
    """
    groups: dict[tuple, dict[tuple, Run]] = {}
    repeats = 0
    for run in runs:
        settings = run.config["settings"]
        experiment = sorted(
            (k, str(v)) for k, v in settings.items() if k not in NO_EXPERIMENT
        )
        key = (run.data, run.recipe, tuple(experiment))
        seeds = groups.setdefault(key, {})
        state = (run.seed, run.state != "finished")
        repeats += state in seeds
        seeds[state] = run  # runs come oldest first: the newest stays
    made = [
        Group(
            _label(list(seeds.values())),
            key[0],
            [seeds[state] for state in sorted(seeds)],
        )
        for key, seeds in groups.items()
    ]
    notes = [f"Left out: {repeats} older repeats of the same seed."] if repeats else []
    return sorted(made, key=lambda group: (group.data, group.label)), notes


def show_groups(groups: Sequence[Group]) -> None:
    """Print a table per data set, with its bars below."""
    console = Console(highlight=False)
    for data in dict.fromkeys(group.data for group in groups):
        members = [group for group in groups if group.data == data]
        metric = _metric(members[0].runs[0])
        table = Table(
            title=f"{data}: {metric}, mean ± standard deviation over n seeds",
            title_justify="left",
            box=box.SIMPLE_HEAD,
            pad_edge=False,
        )
        table.add_column("run", overflow="fold", min_width=18)
        for name in (
            "n",
            "best val",
            "epoch",
            "last val",
            "test",
            "weights",
            "s/epoch",
        ):
            table.add_column(name, justify="right")
        for group in members:
            row = _summarise(group)
            epoch = row["best_epoch_mean"]
            table.add_row(
                Text(group.label),
                str(row["runs"]),
                _spread(row, "best_val"),
                "-" if epoch is None else f"{epoch:.1f}",
                _spread(row, "last_val"),
                _spread(row, "test_best"),
                f"{row['parameters']:,}",
                f"{row['seconds_per_epoch']:.1f}",
            )
        for bar in members[0].bars:
            scores = [f"{bar[part][metric]:.4f}" for part in ("validation", "test")]
            table.add_row(bar["name"], "", scores[0], "", "", scores[1], style="dim")
        console.print(table)


def write_comparison(groups: Sequence[Group], folder: Path, name: str) -> list[Path]:
    """Write the picture, the table and all curves.

    Returns:
        The three paths.
    """
    from shared.plots import draw_comparison

    paths = [
        folder / f"{name}.png",
        folder / f"{name}.csv",
        folder / f"{name}-curves.csv",
    ]
    figure = draw_comparison(groups)
    write_whole(paths[0], lambda part: figure.savefig(part))
    write_text(paths[1], _to_csv(_summarise(group) for group in groups))
    write_text(paths[2], _to_csv(_list_epochs(groups)))
    return paths


def _summarise(group: Group) -> dict[str, Any]:
    """Return one row of the table: means, spread (standard deviation) and cost."""
    metric = _metric(group.runs[0])
    summaries = [run.summary for run in group.runs]
    values = {
        "best_val": [s["best"] and s["best"][f"val_{metric}"] for s in summaries],
        "last_val": [s["last"] and s["last"][f"val_{metric}"] for s in summaries],
        "test_best": [
            s["test"] and s["test"]["best"][f"test_{metric}"] for s in summaries
        ],
        "test_last": [
            s["test"] and s["test"]["last"][f"test_{metric}"] for s in summaries
        ],
        "best_epoch": [s["best"] and s["best"]["epoch"] for s in summaries],
    }
    row: dict[str, Any] = {
        "run": group.label,
        "data": group.data,
        "metric": metric,
        "runs": len(summaries),
        "seeds": " ".join(str(run.seed) for run in group.runs),
    }
    for name, column in values.items():
        known = [value for value in column if value is not None]
        row[f"{name}_mean"] = round(statistics.fmean(known), 5) if known else None
        row[f"{name}_sd"] = (
            round(statistics.stdev(known), 5) if len(known) > 1 else None
        )
    row["parameters"] = summaries[0]["parameters"]
    row["seconds_per_epoch"] = statistics.median(
        s["seconds_per_epoch"] for s in summaries
    )
    return row


def _list_epochs(groups: Sequence[Group]) -> Iterable[dict[str, Any]]:
    names = dict.fromkeys(
        name for group in groups for run in group.runs for name in run.history
    )
    for group in groups:
        for run in group.runs:
            for k in range(len(run.history["epoch"])):
                row = {"run": group.label, "data": run.data, "seed": run.seed}
                row |= {n: run.history[n][k] if n in run.history else "" for n in names}
                row["epoch"] = int(row["epoch"])
                yield row


def _to_csv(rows: Iterable[dict[str, Any]]) -> str:
    rows = list(rows)
    table = io.StringIO()
    writer = csv.DictWriter(table, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return table.getvalue()


def _label(runs: Sequence[Run]) -> str:
    """Return the recipe and the flags that differ from its defaults."""
    run = runs[0]
    changed = run.config.get("changed", {})
    flags = [
        f"--{name.replace('_', '-')} {value}"
        for name, value in changed.items()
        if name not in NO_EXPERIMENT
    ]
    states = {other.state for other in runs} - {"finished"}
    marks = [f"({state})" for state in sorted(states)]
    return " ".join([run.recipe, *flags, *marks])


def _spread(row: dict[str, Any], name: str) -> str:
    mean, deviation = row[f"{name}_mean"], row[f"{name}_sd"]
    if mean is None:
        return "-"
    return f"{mean:.4f}" + (f" ± {deviation:.4f}" if deviation is not None else "")


def _metric(run: Run) -> str:
    return run.summary["score"]["metric"]


def _average(scores: Sequence[dict[str, float]]) -> dict[str, float]:
    return {
        name: statistics.fmean(score[name] for score in scores) for name in scores[0]
    }


def _is_name(text: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]*", text) is not None


def _no_runs(name: str | None, root: Path) -> str:
    known = sorted({run.recipe for run in find_runs(root)})
    there = f"there are runs of: {', '.join(known)}" if known else "there is no run yet"
    if name is None:
        return f"No run below {root}; start with make imdb-gru."
    return f"{name}: no such run folder, and no runs of a recipe of that name; {there}."


def _name(options: Options) -> str:
    """Make a file name from what is compared."""
    name = "-".join(Path(text.rstrip("/")).name for text in options.runs) or "all"
    name = re.sub(r"[^A-Za-z0-9.-]+", "-", name).strip(".-")
    if len(name) > 80:
        name = f"{name[:60]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return name or "runs"


if __name__ == "__main__":
    main()
