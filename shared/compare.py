"""Compare saved runs: curves on one axis, and a table.

    make compare RUNS="imdb-gru imdb-lstm"
    python -m shared.compare imdb-gru results/runs/imdb-lstm/2026-11-21T11-00-00Z-seed0

Takes recipe names (all their finished runs), run folders, or nothing (everything).
Writes a picture and three CSV files to results/comparisons. Reads files only.
"""

from __future__ import annotations

import hashlib
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

from shared.environment import PROJECT
from shared.files import to_csv, write_text, write_whole
from shared.flags import one_line_errors, parse
from shared.groups import Group, choose_runs, group_runs, list_bars
from shared.runs import RUNS, Run, spell_kernels
from shared.tables import spell, spell_metric

COMPARISONS = PROJECT / "results" / "comparisons"


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


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the flags, compare, write and print. Status 2 after a bad input."""
    import sys

    flags = sys.argv[1:] if arguments is None else list(arguments)
    with one_line_errors("--to"):
        options = parse(Options, flags, "python -m shared.compare", __doc__)
        runs, left_out = choose_runs(options.runs, options.results_dir)
        groups = group_runs(runs)
        options.to.mkdir(parents=True, exist_ok=True)  # tells a bad place at once
        show_groups(groups)
        for note in left_out:
            print(note)
        for path in write_comparison(
            groups, options.to, options.name or name_files(options.runs)
        ):
            print(f"Saved {path}")


def show_groups(groups: Sequence[Group]) -> None:
    """Print a table per data set, with its bars below."""
    console = Console(highlight=False)
    for data in dict.fromkeys(group.data for group in groups):
        members = [group for group in groups if group.data == data]
        metric = _metric(members[0].runs[0])
        table = Table(
            title=f"{data}: {spell_metric(members[0].runs[0])}, mean ± standard "
            "deviation over n seeds",
            title_justify="left",
            box=box.SIMPLE_HEAD,
            pad_edge=False,
        )
        table.add_column("run", overflow="fold")
        for name in (
            "n",
            "best val",
            "epoch",
            "last val",
            "test",
            "weights",
            "s/epoch",
        ):
            table.add_column(name, justify="right", no_wrap=True)
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
        for bar in list_bars(members):
            scores = [spell(bar[part].get(metric)) for part in ("validation", "test")]
            table.add_row(bar["name"], "", scores[0], "", "", scores[1], style="dim")
        console.print(table)
        kernels = {g.label: _spell_kernels(g) for g in members if _spell_kernels(g)}
        if len(set(kernels.values())) > 1:
            print("The kernels differ, which can move times and last digits:")
            for label, told in kernels.items():
                print(f"  {label}: {told}")


def _spell_kernels(group: Group) -> str:
    told = (spell_kernels(run.path) for run in group.runs)
    return " / ".join(dict.fromkeys(filter(None, told)))


def write_comparison(groups: Sequence[Group], folder: Path, name: str) -> list[Path]:
    """Write the picture, the table of groups, of single runs, and all curves.

    Returns:
        The four paths.
    """
    from shared.plots import draw_comparison

    endings = (".png", ".csv", "-runs.csv", "-curves.csv")
    paths = [folder / f"{name}{ending}" for ending in endings]
    figure = draw_comparison(groups)
    write_whole(paths[0], lambda part: figure.savefig(part))
    write_text(paths[1], to_csv(_list_rows(groups)))
    write_text(paths[2], to_csv(_list_runs(groups)))
    write_text(paths[3], to_csv(_list_epochs(groups)))
    return paths


def _list_rows(groups: Sequence[Group]) -> Iterable[dict[str, Any]]:
    """Yield the rows of the table: every group, and below them the bars of its data."""
    for data in dict.fromkeys(group.data for group in groups):
        members = [group for group in groups if group.data == data]
        rows = [_summarise(group) for group in members]
        yield from rows
        metric = rows[0]["metric"]
        for bar in list_bars(members):
            row = dict.fromkeys(rows[0], None) | {"run": bar["name"], "data": data}
            row |= {"metric": metric, "best_val_mean": bar["validation"].get(metric)}
            yield row | {"test_best_mean": bar["test"].get(metric)}


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
        row[f"{name}_mean"] = _round(statistics.fmean(known)) if known else None
        row[f"{name}_sd"] = _round(statistics.stdev(known)) if len(known) > 1 else None
    row["parameters"] = summaries[0]["parameters"]
    seconds = statistics.median(s["seconds_per_epoch"] for s in summaries)
    row["seconds_per_epoch"] = round(seconds, 3)
    return row


def _list_runs(groups: Sequence[Group]) -> Iterable[dict[str, Any]]:
    """Yield a row per run: its scores, how far it is from the floor, and its bars."""
    runs = [(group, run) for group in groups for run in group.runs]
    names = dict.fromkeys(b["name"] for _, run in runs for b in run.summary["bars"])
    for group, run in runs:
        summary, metric = run.summary, _metric(run)
        best, last, test = (summary[key] or {} for key in ("best", "last", "test"))
        floor = summary.get("floor_check") or {}
        bars = {bar["name"]: bar["test"].get(metric) for bar in summary["bars"]}
        yield {
            "run": group.label,
            "data": run.data,
            "metric": metric,
            "seed": run.seed,
            "best_epoch": best.get("epoch"),
            "best_val": best.get(f"val_{metric}"),
            "last_val": last.get(f"val_{metric}"),
            "test_best": test.get("best", {}).get(f"test_{metric}"),
            "test_last": test.get("last", {}).get(f"test_{metric}"),
            "floor": floor.get("floor"),
            "above_floor": floor.get("difference"),
            "standard_error": floor.get("standard_error"),
            "leak": floor.get("leak"),
        } | {f"test of {name}": bars.get(name) for name in names}


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


def _spread(row: dict[str, Any], name: str) -> str:
    mean, deviation = row[f"{name}_mean"], row[f"{name}_sd"]
    if mean is None:
        return "-"
    return spell(mean) + (f"\n±{spell(deviation)}" if deviation is not None else "")


def _round(value: float) -> float:
    """Keep six digits."""
    return float(f"{value:.6g}")


def _metric(run: Run) -> str:
    return run.summary["score"]["metric"]


def name_files(runs: Sequence[str]) -> str:
    """Make a file name from what is compared, recipe names and run folders."""
    names = []
    for text in runs:
        path = Path(text).resolve()
        is_run = (path / "summary.json").is_file()
        names.append(f"{path.parent.name}-{path.name}" if is_run else Path(text).name)
    name = "-".join(names) or "all"
    name = re.sub(r"[^A-Za-z0-9.-]+", "-", name).strip(".-")
    if len(name) > 80:
        name = f"{name[:60]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return name or "runs"


if __name__ == "__main__":
    main()
