"""Compare saved runs: curves on one axis, a table, and a verdict for each pair.

    make compare RUNS="imdb-gru imdb-lstm"
    python -m shared.compare imdb-gru results/runs/imdb-lstm/2026-11-21T11-00-00Z-seed0

Takes recipe names (all their finished runs), run folders, or nothing (everything).
Writes two pictures and four CSV files to results/comparisons. Reads files only.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tyro
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from shared.cost import spell_fronts
from shared.environment import PROJECT
from shared.files import to_csv, write_text, write_whole
from shared.flags import one_line_errors, parse
from shared.groups import Group, choose_runs, group_runs, list_bars
from shared.rows import (
    get_metric,
    list_epochs,
    list_groups,
    list_runs,
    list_verdicts,
    summarise,
)
from shared.runs import RUNS, spell_kernels
from shared.tables import spell, spell_metric
from shared.verdicts import MOST_GROUPS, Verdict, find_best, judge_groups

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
    bars: Literal["best", "all"] = "best"
    """Simple models that each group is held against: the best on validation, or all."""


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
                found = judge_groups(members, options.bars == "all")
                show_verdicts(found, members)
                verdicts += found
        for note in left_out:
            print(note)
        name = options.name or name_files(options.runs)
        for path in write_comparison(groups, options.to, name, verdicts):
            print(f"Saved {path}")


def show_groups(members: Sequence[Group]) -> None:
    """Print the table of one data set, its bars below, and who is efficient."""
    first = members[0].runs[0]
    metric = get_metric(first)
    table = Table(
        title=f"{members[0].data}: {spell_metric(first)}, mean ± standard deviation "
        "over n seeds",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    table.add_column("run", overflow="fold")
    for name in ("n", "best val", "epoch", "last val", "test", "weights\npeak MB",
                 "s/epoch\ns in all"):  # fmt: skip
        table.add_column(name, justify="right", no_wrap=True)
    for group in members:
        row = summarise(group)
        epoch = row["best_epoch_mean"]
        table.add_row(
            Text(group.label),
            str(row["runs"]),
            _spread(row, "best_val"),
            "-" if epoch is None else f"{epoch:.1f}",
            _spread(row, "last_val"),
            _spread(row, "test_best"),
            f"{row['parameters']:,}\n{_whole(row['peak_memory_mb_mean'])}",
            f"{row['seconds_per_epoch']:.1f}\n{_whole(row['seconds_mean'])}",
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
        print("Against simple models:")
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
        ".csv": list_groups(groups),
        "-runs.csv": list_runs(groups),
        "-curves.csv": list_epochs(groups),
    }
    if verdicts:
        tables["-verdicts.csv"] = list_verdicts(verdicts)
    for ending, rows in tables.items():
        write_text(folder / f"{name}{ending}", to_csv(rows))
    return [folder / f"{name}{end}" for end in (".png", "-cost.png", *tables)]


def _spread(row: dict[str, Any], name: str) -> str:
    mean, deviation = row[f"{name}_mean"], row[f"{name}_sd"]
    if mean is None:
        return "-"
    return spell(mean) + (f"\n±{spell(deviation)}" if deviation is not None else "")


def _whole(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


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
