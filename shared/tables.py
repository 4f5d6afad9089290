"""Tables for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from shared.runs import Run


def show_run(run: Run, earlier: Sequence[Run]) -> None:
    """Print what a run reached, beside its bars and among runs like it.

    Args:
        run: The run that has just ended.
        earlier: Runs of the same recipe, this one among them or not.
    """
    console = Console(highlight=False)
    summary = run.summary
    metric = summary["score"]["metric"]
    console.print()
    if run.state != "finished":
        console.print(
            Text(f"{run.state.capitalize()}: the folder holds {summary['holds']}.")
        )
    table = Table(
        title=f"{run.recipe} on {run.data}, seed {run.seed}", title_justify="left"
    )
    table.add_column("")
    for part in ("validation", "test"):
        table.add_column(f"{part} {metric}", justify="right")
    test = summary["test"] or {}
    for name in ("best", "last"):
        if row := summary[name]:
            value = test.get(name, {}).get(f"test_{metric}")
            label = f"{name} epoch ({row['epoch']})"
            table.add_row(label, spell(row[f"val_{metric}"]), spell(value))
    for bar in summary["bars"]:
        values = [spell(bar[part].get(metric)) for part in ("validation", "test")]
        table.add_row(bar["name"], *values, style="dim")
    console.print(table)
    if place := _find_place(run, earlier):
        console.print(Text(place))
    seconds = summary["seconds_per_epoch"]
    timed = f", {seconds:.1f} s per epoch (median)" if seconds is not None else ""
    console.print(Text(f"{summary['parameters']:,} parameters{timed}"))
    console.print(Text(f"Saved in {run.path}"), soft_wrap=True)


def spell(value: float | None) -> str:
    """Write a score, or a dash where there is none."""
    return "-" if value is None else f"{value:.4f}"


def _find_place(run: Run, others: Sequence[Run]) -> str:
    """Say where a run's best validation score stands among finished runs like it."""
    score = run.summary["score"]
    scored = {
        other.path: other.summary["best"][f"val_{score['metric']}"]
        for other in [*others, run]
        if other.state == "finished"
        and (other.data, other.data_hash) == (run.data, run.data_hash)
        and other.summary["best"]
    }
    if run.path not in scored:
        return ""
    if len(scored) == 1:
        return f"First finished run of {run.recipe} on {run.data}."
    ahead = [
        value
        for value in scored.values()
        if (value > scored[run.path]) == score["higher_is_better"]
        and value != scored[run.path]
    ]
    return (
        f"Place {len(ahead) + 1} of {len(scored)} finished runs of {run.recipe} on "
        f"{run.data}, by validation."
    )
