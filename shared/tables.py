"""Tables for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

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
        table.add_column(f"{part} {spell_metric(run)}", justify="right")
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
    for sentence in [*list_better_bars(summary), *judge_floor(summary)]:
        console.print(Text(sentence))
    if place := _find_place(run, earlier):
        console.print(Text(place))
    seconds = summary["seconds_per_epoch"]
    timed = f", {seconds:.1f} s per epoch (median)" if seconds is not None else ""
    console.print(Text(f"{summary['parameters']:,} parameters{timed}"))
    console.print(Text(f"Saved in {run.path}"), soft_wrap=True)


def spell(value: float | None) -> str:
    """Write a score, or a dash where there is none."""
    if value is None:
        return "-"
    return f"{value:.4f}" if value == 0 or abs(value) >= 0.001 else f"{value:.1e}"


def spell_metric(run: Run) -> str:
    """Name what a run is judged by, with its unit: `mae (deg C)`."""
    score = run.summary["score"]
    unit = score.get("unit", "")
    return f"{score['metric']} ({unit})" if unit else score["metric"]


def list_better_bars(summary: dict[str, Any]) -> list[str]:
    """Return a sentence for each simple model that beats the network on the test."""
    score, test = summary["score"], summary["test"]
    if not test:
        return []
    metric = score["metric"]
    reached = test["best"][f"test_{metric}"]
    sentences = []
    for bar in summary["bars"]:
        value = bar["test"].get(metric)
        if value is None or bar.get("is_floor"):
            continue
        if value != reached and (value > reached) == score["higher_is_better"]:
            sentences.append(
                f"Not reached: {bar['name']}, test {spell(value)} against "
                f"{spell(reached)}."
            )
    return sentences


def judge_floor(summary: dict[str, Any]) -> list[str]:
    """Say how far the test score is from the best possible; nothing if not known."""
    check = summary.get("floor_check")
    if check is None:
        return []
    floors = [bar["name"] for bar in summary["bars"] if bar.get("is_floor")]
    name = floors[-1]  # before it, if any, stands one that is lower and out of reach
    apart = f"{abs(check['difference']):.2g}"
    if check["leak"] is None:
        return [f"{apart} from the best possible ({name}); too few examples to judge."]
    apart += f" (standard error {check['standard_error']:.1g})"
    if check["leak"]:
        return [
            f"LEAK: the test score is better than the best possible ({name}) by "
            f"{apart}. The network has seen what it should not have."
        ]
    if check["difference"] < 0:
        return [f"Better than the best possible ({name}) by {apart}: luck."]
    return [f"Short of the best possible ({name}) by {apart}."]


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
