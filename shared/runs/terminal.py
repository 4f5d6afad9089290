"""Tables for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from shared.core.text import shorten_path
from shared.runs.lineage import find_counted

if TYPE_CHECKING:
    from shared.runs.reader import Run


def make_console() -> Console:
    """Return a terminal that prints texts as they are, without mark-up or colours."""
    # Jupyter would show each line as a box of its own.
    return Console(highlight=False, markup=False, emoji=False, force_jupyter=False)


def show_run(run: Run, earlier: Sequence[Run]) -> None:
    """Print the scores of a run, its baselines and its rank among runs like it.

    Args:
        run: A run that has just ended.
        earlier: Runs of the same recipe. They may include this one.
    """
    console = make_console()
    summary = run.summary
    metric = run.score.metric
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
        table.add_column(f"{part} {run.score.title}", justify="right")
    test = summary["test"] or {}
    for name in ("best", "last"):
        if row := summary[name]:
            value = test.get(name, {}).get(f"test_{metric}")
            label = f"{name} epoch ({row['epoch']})"
            table.add_row(
                label, format_score(row[f"val_{metric}"]), format_score(value)
            )
    for baseline in summary["baselines"]:
        values = [
            format_score(baseline[part].get(metric)) for part in ("validation", "test")
        ]
        table.add_row(baseline["name"], *values, style="dim")
    console.print(table)
    for sentence in [*list_better_baselines(run), *describe_leak_check(summary)]:
        console.print(Text(sentence))
    if rank := _find_rank(run, earlier):
        console.print(Text(rank))
    seconds = summary["seconds_per_epoch"]
    timed = f", {seconds:.1f} s per epoch (median)" if seconds is not None else ""
    console.print(Text(f"{summary['parameters']:,} parameters{timed}"))
    console.print(Text(f"Saved in {shorten_path(run.path)}"), soft_wrap=True)


def format_score(value: float | None) -> str:
    """Return a score as text; a dash if there is none."""
    if value is None:
        return "-"
    return f"{value:.4f}" if value == 0 or abs(value) >= 0.001 else f"{value:.1e}"


def list_better_baselines(run: Run) -> list[str]:
    """Return a sentence for each simple model that beats the network on the test."""
    summary, score = run.summary, run.score
    test = summary["test"]
    if not test:
        return []
    metric = score.metric
    reached = test["best"][f"test_{metric}"]
    if reached is None:
        return []
    sentences = []
    for baseline in summary["baselines"]:
        value = baseline["test"].get(metric)
        if value is None or baseline.get("is_best_achievable"):
            continue
        shown, ours = format_score(value), format_score(reached)
        if shown != ours and (value > reached) == score.higher_is_better:
            sentences.append(
                f'The simple model "{baseline["name"]}" scores better on the test: '
                f"{shown} against {ours}."
            )
    return sentences


def describe_leak_check(summary: dict[str, Any]) -> list[str]:
    """Return how far the test score is from the best achievable; empty if unknown."""
    check = summary["leak_check"]
    if check is None:
        return []
    best = [
        baseline["name"]
        for baseline in summary["baselines"]
        if baseline.get("is_best_achievable")
    ]
    name = best[-1]  # an earlier one, if any, is lower and cannot be reached
    apart = f"{abs(check['difference']):.2g}"
    if check["leak"] is None:
        return [
            f"{apart} from the best achievable ({name}); too few examples for a check."
        ]
    apart += f" (standard error {check['standard_error']:.1g})"
    if check["leak"]:
        return [
            f"LEAK: the test score is better than the best achievable ({name}) by "
            f"{apart}. The network has seen something that it should not see."
        ]
    if check["difference"] < 0:
        return [f"Better than the best achievable ({name}) by {apart}: luck."]
    return [f"Short of the best achievable ({name}) by {apart}."]


def _find_rank(run: Run, others: Sequence[Run]) -> str:
    """Return the rank of a run's best validation score among finished runs like it."""
    score = run.score
    scored = {
        other.path: other.summary["best"][f"val_{score.metric}"]
        for other in find_counted([*others, run])
        if other.state == "finished"
        and (other.data, other.data_hash) == (run.data, run.data_hash)
        and other.score == score
        and other.summary["best"]
    }
    if run.path not in scored:
        return ""
    if len(scored) == 1:
        return f"First finished run of {run.recipe} on {run.data}."
    ahead = [
        value
        for value in scored.values()
        if (value > scored[run.path]) == score.higher_is_better
        and value != scored[run.path]
    ]
    return (
        f"Rank {len(ahead) + 1} of {len(scored)} finished runs of {run.recipe} on "
        f"{run.data}, by validation."
    )
