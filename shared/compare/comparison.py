"""Tables, sentences and files of a comparison of saved runs."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table
from rich.text import Text

from shared.compare.saved_pictures import SavedPictures
from shared.compare.tables import (
    list_epochs,
    list_groups,
    list_runs,
    list_verdicts,
    summarise,
)
from shared.compare.verdicts import MOST_GROUPS, Verdict, find_best
from shared.core.environment import PROJECT
from shared.core.files import to_csv, write_text
from shared.runs.cost import format_fronts
from shared.runs.groups import Group, list_baselines
from shared.runs.long_table import print_table
from shared.runs.reader import is_run_folder
from shared.runs.terminal import format_score, make_console

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COMPARISONS = PROJECT / "results" / "comparisons"


def show_groups(groups: Sequence[Group]) -> None:
    """Print the table of one data set with its baselines, and the efficient groups."""
    first = groups[0].runs[0]
    metric = first.score.metric
    table = Table(
        title=f"{groups[0].data}: {first.score.title}, mean ± standard deviation "
        "over n seeds",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    table.add_column("run", overflow="fold")
    for name in ("n", "best val", "epoch", "last val", "test", "weights\npeak MB",
                 "s/epoch\ns in all"):  # fmt: skip
        table.add_column(name, justify="right", no_wrap=True)
    for group in groups:
        row = summarise(group)
        epoch = row["best_epoch_mean"]
        table.add_row(
            Text(group.label),
            str(row["runs"]),
            _format_mean(row, "best_val"),
            "-" if epoch is None else f"{epoch:.1f}",
            _format_mean(row, "last_val"),
            _format_mean(row, "test_best"),
            f"{row['parameters']:,}\n{_format_whole(row['peak_memory_mb_mean'])}",
            f"{row['seconds_per_epoch']:.1f}\n{_format_whole(row['seconds_mean'])}",
        )
    for baseline in list_baselines(groups):
        scores = [
            format_score(baseline[part].get(metric)) for part in ("validation", "test")
        ]
        table.add_row(baseline["name"], "", scores[0], "", "", scores[1], style="dim")
    print_table(make_console(), table)
    if len(groups) > 1:
        for sentence in format_fronts(groups):
            print(sentence)
        print()
    kernels = {g.label: text for g in groups if (text := _format_kernels(g))}
    if len(set(kernels.values())) > 1:
        print("The kernels differ. That can change times and last digits:")
        for label, text in kernels.items():
            print(f"  {label}: {text}")
        print()


def show_verdicts(verdicts: Sequence[Verdict], groups: Sequence[Group]) -> None:
    """Print a sentence per pair with what else differs, and one per baseline."""
    pairs = [verdict for verdict in verdicts if not verdict.is_baseline]
    baselines = [verdict for verdict in verdicts if verdict.is_baseline]
    if len(groups) > MOST_GROUPS:
        print(
            f"{len(groups)} groups: each is compared with {find_best(groups).label}, "
            "the best on validation."
        )
    for verdict in pairs:
        print(f"- {verdict.sentence}")
        for sentence in verdict.differs:
            print(f"    {sentence}")
    if baselines:
        print("Against simple models:")
    for verdict in baselines:
        print(f"- {verdict.sentence}")
    if verdicts:
        print()


def _format_kernels(group: Group) -> str:
    return " / ".join(dict.fromkeys(run.ran for run in group.runs if run.ran))


def write_comparison(
    groups: Sequence[Group], folder: Path, name: str, verdicts: Sequence[Verdict]
) -> list[Path]:
    """Write pictures and tables.

    Args:
        groups: At least one.
        folder: Created if missing.
        name: Beginning of the file names. Curves and cost become pictures; groups,
            runs, epochs and verdicts become CSV files.
        verdicts: May be empty; then there is no file of verdicts.

    Returns:
        The paths.
    """
    pictures = write_pictures(groups, folder, name)
    tables = {
        ".csv": list_groups(groups),
        "-runs.csv": list_runs(groups),
        "-curves.csv": list_epochs(groups),
    }
    if verdicts:
        tables["-verdicts.csv"] = list_verdicts(verdicts)
    for ending, rows in tables.items():
        write_text(folder / f"{name}{ending}", to_csv(rows))
    return [*pictures, *(folder / f"{name}{ending}" for ending in tables)]


def write_pictures(groups: Sequence[Group], folder: Path, name: str) -> list[Path]:
    """Write the curves, and the scores against their cost; return both paths."""
    pictures, paths = SavedPictures(groups), []
    for ending, draw in ((".png", _draw_curves), ("-cost.png", _draw_cost)):
        paths.append(folder / f"{name}{ending}")
        pictures.write(paths[-1], draw)
    return paths


def _draw_curves(groups: Sequence[Group]) -> Figure:
    from shared.plots.comparison_figure import draw_comparison  # imports matplotlib

    return draw_comparison(groups)


def _draw_cost(groups: Sequence[Group]) -> Figure:
    from shared.plots.cost_figure import draw_cost

    return draw_cost(groups)


def _format_mean(row: dict[str, Any], name: str) -> str:
    mean, deviation = row[f"{name}_mean"], row[f"{name}_sd"]
    if mean is None:
        return "-"
    return format_score(mean) + (
        f"\n±{format_score(deviation)}" if deviation is not None else ""
    )


def _format_whole(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def name_files(runs: Sequence[str]) -> str:
    """Return a file name made of recipe names and names of run folders."""
    names = []
    for text in runs:
        path = Path(text).resolve()
        is_run = is_run_folder(path)
        names.append(f"{path.parent.name}-{path.name}" if is_run else Path(text).name)
    name = "-".join(names) or "all"
    name = re.sub(r"[^A-Za-z0-9.-]+", "-", name).strip(".-")
    if len(name) > 80:
        name = f"{name[:60]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return name or "runs"
