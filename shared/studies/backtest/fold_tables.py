"""Print and write a back-test: a table, a csv file and a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich import box
from rich.table import Table
from rich.text import Text

from shared.plots.colours import recipe_colour
from shared.plots.curves import name_run
from shared.runs.reader import Run
from shared.runs.terminal import format_score, make_console
from shared.runs.writer import RunFolder
from shared.studies.backtest.fold_scores import (
    FEWEST_FOLDS,
    FoldScores,
    Mean,
    average,
    compare_with_best,
    count_wins,
    list_rows,
)
from shared.studies.backtest.folds import NETWORK
from shared.tasks.score import format_title

if TYPE_CHECKING:
    from shared.tasks.score import Score

NAME = "backtest"
NUMBER_WIDTH = 7  # characters
TRAINED = {
    "once": "trained once",
    "expanding": "trained again for each fold, on all earlier rows",
    "sliding": "trained again for each fold, on as many rows each time",
}


def show_folds(
    run: Run, folds: Sequence[FoldScores], trained: str, best: frozenset[str]
) -> None:
    """Print the error of every forecast per fold, the means and who wins.

    Args:
        run: The run that is tested.
        folds: At least one.
        trained: One of `TRAINED`.
        best: Names of baselines that nobody can expect to beat.
    """
    score = run.score
    console = make_console()
    console.print(Text(f"{name_run(run)}, {TRAINED[trained]}"))
    console.print(Text(f"Test {score.title} per fold"))
    console.print(_build_table(folds, score.metric))
    if "pinball" in folds[0].scores[NETWORK]:
        title = format_title("pinball")
        console.print(Text(f"Test {title[0].lower()}{title[1:]} per fold"))
        console.print(_build_table(folds, "pinball"))
    for sentence in describe_folds(folds, score, best):
        console.print(Text(sentence))


def _build_table(folds: Sequence[FoldScores], metric: str) -> Table:
    """Return the error of every forecast per fold, and its mean."""
    names = list(folds[0].scores)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("fold", no_wrap=True)
    table.add_column("first step", no_wrap=True)
    table.add_column("windows", justify="right", no_wrap=True)
    for name in names:
        table.add_column(
            Text(name), justify="right", overflow="fold", min_width=NUMBER_WIDTH
        )
    for one in folds:
        table.add_row(
            str(one.fold.number),
            format_time(one.fold.first),
            f"{one.windows:,}",
            *(format_score(one.scores[name][metric]) for name in names),
            end_section=one is folds[-1],
        )
    means = [average([one.scores[name][metric] for one in folds]) for name in names]
    spare = [""] * 2
    table.add_row("mean", *spare, *(format_score(m.value) for m in means))
    if len(folds) >= FEWEST_FOLDS:
        widths = [format_score(m.half_width) for m in means]
        table.add_row("±", *spare, *widths)
    return table


def describe_folds(
    folds: Sequence[FoldScores], score: Score, best: frozenset[str]
) -> list[str]:
    """Return who wins, and network against the best baseline, in sentences.

    Args:
        folds: At least one.
        score: Of the run.
        best: Names of baselines that nobody can expect to beat.
    """
    count = len(folds)
    wins = count_wins(folds, score.metric, best)
    shown = ", ".join(f"{name} {won}" for name, won in wins.items())
    sentences = [f"Smallest error in how many of {count} folds: {shown}."]
    compared = compare_with_best(folds, score.metric, best)
    if compared is not None:
        name, difference = compared
        sentences.append(
            f"Network minus {name}: {_describe_difference(difference, score.unit)}"
        )
    for level in sorted({level for one in folds for level in one.coverage}):
        shares = [one.coverage[level] for one in folds if level in one.coverage]
        sentences.append(
            f"{level:.0%} intervals of the network: {np.mean(shares):.1%} of the "
            f"values inside, {min(shares):.1%} to {max(shares):.1%} by fold."
        )
    if count >= FEWEST_FOLDS:
        sentences.append("±: half the width of the 95 % interval of the mean.")
    else:
        sentences.append(
            f"Too few folds for an interval: it needs {FEWEST_FOLDS} or more."
        )
    return sentences


def write_folds(
    run: Run, folds: Sequence[FoldScores], trained: str, best: frozenset[str]
) -> list[Path]:
    """Write `backtest.csv` and `backtest.png` into the run folder.

    Args:
        run: The run that is tested.
        folds: At least one.
        trained: One of `TRAINED`.
        best: Names of baselines that nobody can expect to beat.

    Returns:
        The two paths.
    """
    from shared.plots.backtest_figure import draw_backtest

    metric = run.score.metric
    title = format_title(metric, run.score.unit)
    figure = draw_backtest(
        [format_time(one.fold.first) for one in folds],
        {name: [one.scores[name][metric] for one in folds] for name in folds[0].scores},
        {
            level: [one.coverage.get(level, np.nan) for one in folds]
            for level in sorted({level for one in folds for level in one.coverage})
        },
        NETWORK,
        best,
        f"Test {title[0].lower()}{title[1:]}",
        f"{name_run(run)}: {len(folds)} folds, {TRAINED[trained]}",
        recipe_colour(run.recipe),
    )
    folder = RunFolder.of_run(run)
    folder.write_figure(NAME, figure)
    folder.write_table(NAME, list_rows(folds, trained))
    return [run.path / f"{NAME}{ending}" for ending in (".png", ".csv")]


def format_time(time: np.datetime64) -> str:
    """Return a time without the parts that are zero: `2024-03-01`, or `... 06:00`."""
    text = str(time.astype("datetime64[s]")).replace("T", " ")
    return text.removesuffix(" 00:00:00").removesuffix(":00")


def _describe_difference(difference: Mean, unit: str) -> str:
    """Return a mean difference over folds, and whether the folds show it."""
    text = f"{difference.value:+.4g} {unit}".rstrip()
    half = difference.half_width
    if half is None:
        return f"{text} on average."
    low, high = difference.value - half, difference.value + half
    if low <= 0 <= high:
        verdict = "the folds show no difference"
    else:
        verdict = f"the network is {'better' if high < 0 else 'worse'}"
    return f"{text} on average, 95 % interval {low:.4g} to {high:.4g}: {verdict}."
