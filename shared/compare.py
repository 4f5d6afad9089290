"""Compare saved runs: curves on one axis, a table, and a verdict for each pair.

    make compare RUNS="imdb-gru imdb-lstm"
    python -m shared.compare imdb-gru results/runs/imdb-lstm/2026-11-21T11-00-00Z-seed0

Takes recipe names (all their finished runs), run folders, or nothing (everything).
Writes two pictures and four CSV files to results/comparisons. Reads files only.
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

from shared.cost import COSTS, find_cost, find_front, spell_fronts
from shared.environment import PROJECT
from shared.files import to_csv, write_text, write_whole
from shared.flags import one_line_errors, parse
from shared.groups import Group, choose_runs, group_runs, list_bars
from shared.runs import RUNS, Run, spell_kernels
from shared.tables import spell, spell_metric
from shared.verdicts import (
    MOST_GROUPS,
    Verdict,
    find_best,
    judge_groups,
    list_verdict_rows,
)

COMPARISONS = PROJECT / "results" / "comparisons"


@dataclass(frozen=True)
class Options:
    """What to compare, and where to."""

    runs: tyro.conf.Positional[tuple[str, ...]] = ()
    """Recipe names or run folders; none means every recipe."""
    results_dir: Path = RUNS
    """Folder of all runs."""
    to: Path = COMPARISONS
    """Folder for the pictures and the CSV files."""
    name: str = ""
    """Name of these files; the default is made from what is compared."""
    verdicts: bool = True
    """Say which is better and how sure that is; takes a moment for each pair."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the flags, compare, write and print. Status 2 after a bad input."""
    import sys

    flags = sys.argv[1:] if arguments is None else list(arguments)
    with one_line_errors("--to"):
        options = parse(Options, flags, "python -m shared.compare", __doc__)
        runs, left_out = choose_runs(options.runs, options.results_dir)
        groups = group_runs(runs)
        options.to.mkdir(parents=True, exist_ok=True)  # tells a bad place at once
        verdicts: list[Verdict] = []
        for data in dict.fromkeys(group.data for group in groups):
            members = [group for group in groups if group.data == data]
            show_groups(members)
            if options.verdicts:
                found = judge_groups(members)
                show_verdicts(found, members)
                verdicts += found
        for note in left_out:
            print(note)
        name = options.name or _name(options)
        for path in write_comparison(groups, options.to, name, verdicts):
            print(f"Saved {path}")


def show_groups(members: Sequence[Group]) -> None:
    """Print the table of one data set, its bars below, and who is efficient."""
    first = members[0].runs[0]
    metric = _metric(first)
    table = Table(
        title=f"{members[0].data}: {spell_metric(first)}, mean ± standard deviation "
        "over n seeds",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    table.add_column("run", overflow="fold")
    for name in ("n", "best val", "epoch", "last val", "test", "weights", "s/epoch",
                 "s", "MB"):  # fmt: skip
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
            _whole(row["seconds_mean"]),
            _whole(row["peak_memory_mb_mean"]),
        )
    for bar in list_bars(members):
        scores = [spell(bar[part].get(metric)) for part in ("validation", "test")]
        table.add_row(bar["name"], "", scores[0], "", "", scores[1], style="dim")
    Console(highlight=False).print(table)
    if len(members) > 1:
        for sentence in spell_fronts(members):
            print(sentence)
        print()
    kernels = {g.label: _spell_kernels(g) for g in members if _spell_kernels(g)}
    if len(set(kernels.values())) > 1:
        print("The kernels differ, which can move times and last digits:")
        for label, told in kernels.items():
            print(f"  {label}: {told}")
        print()


def show_verdicts(verdicts: Sequence[Verdict], members: Sequence[Group]) -> None:
    """Print a sentence per pair with what else differs, and one per best bar."""
    pairs = [verdict for verdict in verdicts if not verdict.is_bar]
    bars = [verdict for verdict in verdicts if verdict.is_bar]
    if len(members) > MOST_GROUPS:
        print(
            f"{len(members)} groups: each is held against {find_best(members).label}, "
            "the best on validation."
        )
    for verdict in pairs:
        print(f"- {verdict.sentence}")
        for sentence in verdict.differs:
            print(f"    {sentence}")
    if bars:
        print("Against the simple model that is best on validation:")
    for verdict in bars:
        print(f"- {verdict.sentence}")
    if verdicts:
        print()


def _spell_kernels(group: Group) -> str:
    told = (spell_kernels(run.path) for run in group.runs)
    return " / ".join(dict.fromkeys(filter(None, told)))


def write_comparison(
    groups: Sequence[Group], folder: Path, name: str, verdicts: Sequence[Verdict]
) -> list[Path]:
    """Write pictures and tables.

    Args:
        groups: At least one.
        folder: Made if missing.
        name: Of the files: curves and cost as pictures; groups, single runs, all
            epochs and verdicts as CSV files.
        verdicts: Written only where there are some.

    Returns:
        The paths.
    """
    from shared.cost_plot import draw_cost
    from shared.plots import draw_comparison

    for ending, draw in ((".png", draw_comparison), ("-cost.png", draw_cost)):
        figure = draw(groups)
        write_whole(folder / f"{name}{ending}", figure.savefig)
    tables = {
        ".csv": _list_rows(groups),
        "-runs.csv": _list_runs(groups),
        "-curves.csv": _list_epochs(groups),
    }
    if verdicts:
        tables["-verdicts.csv"] = list_verdict_rows(verdicts)
    for ending, rows in tables.items():
        write_text(folder / f"{name}{ending}", to_csv(rows))
    return [folder / f"{name}{end}" for end in (".png", "-cost.png", *tables)]


def _list_rows(groups: Sequence[Group]) -> Iterable[dict[str, Any]]:
    """Yield the rows of the table: every group, and below them the bars of its data."""
    for data in dict.fromkeys(group.data for group in groups):
        members = [group for group in groups if group.data == data]
        fronts = {cost: find_front(members, cost) for cost in COSTS}
        rows = [
            _summarise(group)
            | {"efficient": " ".join(c for c in COSTS if group in fronts[c])}
            for group in members
        ]
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
    for cost in ("seconds", "peak_memory_mb"):
        mean = find_cost(group, cost)
        row[f"{cost}_mean"] = None if mean is None else _round(mean)
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
            "parameters": summary["parameters"],
            "seconds": summary["seconds"],
            "peak_memory_mb": summary["peak_memory_mb"],
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


def _whole(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def _round(value: float) -> float:
    """Keep six digits."""
    return float(f"{value:.6g}")


def _metric(run: Run) -> str:
    return run.summary["score"]["metric"]


def _name(options: Options) -> str:
    """Make a file name from what is compared."""
    names = []
    for text in options.runs:
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
