"""Tables and a picture of the memory horizon, from run folders."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table

from shared.core.environment import PROJECT
from shared.core.files import to_csv, write_text, write_whole
from shared.runs.reader import Run
from shared.runs.terminal import format_score
from shared.studies.horizon.chains import (
    RULES,
    Chain,
    LagTrial,
    count_updates,
)
from shared.studies.horizon.horizon_figure import Bar, draw_bars
from shared.studies.horizon.train_lags import get_test_score, is_solved
from shared.sweeps.trials import TrialIndex

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Horizon:
    """The longest lags that one chain solved.

    Attributes:
        chain: The cell, its variant and the task.
        epochs: Most passes over the training sequences in each training.
        runs: Lag -> one run per seed, for the lags that were tried.
    """

    chain: Chain
    epochs: int
    runs: dict[int, list[Run]]

    @property
    def longest(self) -> dict[int, int]:
        """Seed -> longest lag solved, 0 if none."""
        found: dict[int, int] = {}
        for lag, runs in sorted(self.runs.items()):
            for run in runs:
                found.setdefault(run.seed, 0)
                if is_solved(self.chain, run):
                    found[run.seed] = lag
        return found

    def count_solved(self, lag: int) -> str:
        """Return `k/n`: how many seeds solved a lag; empty if it was not tried."""
        runs = self.runs.get(lag, [])
        solved = sum(is_solved(self.chain, run) for run in runs)
        return f"{solved}/{len(runs)}" if runs else ""


def collect(
    chains: Sequence[Chain],
    lags: Sequence[int],
    seeds: Sequence[int],
    epochs: int,
    index: TrialIndex,
) -> list[Horizon]:
    """Return the horizon of every chain that has a run."""
    horizons = []
    for chain in chains:
        found = {
            lag: [
                run
                for seed in seeds
                if (run := index.find(LagTrial(chain, lag, seed, epochs)))
            ]
            for lag in sorted(lags)
        }
        tried = {lag: runs for lag, runs in found.items() if runs}
        if tried:
            horizons.append(Horizon(chain, epochs, tried))
    return horizons


def choose_for_flow(horizons: Sequence[Horizon]) -> list[Run]:
    """Return the runs for gradient flow: each cell at the longest lag that all tried.

    One run per cell and task, of the first seed, without variants.
    """
    chosen = []
    for task in RULES:
        plain = [h for h in horizons if h.chain.task == task and not h.chain.variant]
        lags = [set(horizon.runs) for horizon in plain]
        if common := set.intersection(*lags) if lags else set():
            runs = (horizon.runs[max(common)] for horizon in plain)
            chosen += [min(seeds, key=lambda run: run.seed) for seeds in runs]
    return chosen


def show_flow(runs: Sequence[Run], folder: Path) -> None:
    """Draw how much gradient reaches each step, in a new process with Keras."""
    command = [sys.executable, "-m", "shared.studies.gradient_flow"]
    command += [str(run.path.resolve()) for run in runs]
    command += ["--to", str(folder.resolve()), "--name", "gradient-flow"]
    subprocess.run(command, cwd=PROJECT, check=False)  # it prints its own errors


def write_report(
    horizons: Sequence[Horizon], lags: Sequence[int], folder: Path
) -> list[Path]:
    """Write a table of chains, a table of runs, and the picture.

    Args:
        horizons: At least one.
        lags: All requested lags, tried or not.
        folder: Created if missing.

    Returns:
        The three paths.
    """
    names = ("horizon.csv", "horizon-runs.csv", "horizon.png")
    paths = [folder / name for name in names]
    write_text(paths[0], to_csv([summarise(horizon, lags) for horizon in horizons]))
    write_text(paths[1], to_csv(row for horizon in horizons for row in _list(horizon)))
    figure = draw(horizons, lags)
    write_whole(paths[2], lambda part: figure.savefig(part))
    return paths


def summarise(horizon: Horizon, lags: Sequence[int]) -> dict[str, Any]:
    """Return the row of a chain.

    The longest lag solved is 0 if none was solved. A lag is empty if it was not tried
    yet, or if no seed solved a shorter lag.
    """
    longest = list(horizon.longest.values())
    solved = [run for runs in horizon.runs.values() for run in runs
              if is_solved(horizon.chain, run)]  # fmt: skip
    return {
        "task": horizon.chain.task,
        "cell": horizon.chain.cell,
        "variant": horizon.chain.variant,
        "seeds": len(longest),
        **{f"solved at {lag}": horizon.count_solved(lag) for lag in sorted(lags)},
        "longest_lag_median": statistics.median(longest),
        "longest_lag_mean": round(statistics.fmean(longest), 1),
        "longest_lag_min": min(longest),
        "longest_lag_max": max(longest),
        "updates_allowed": count_updates(horizon.epochs),
        "updates_used_where_solved_median": statistics.median(
            count_updates(len(run.history["epoch"])) for run in solved
        )
        if solved
        else "",
        "parameters": next(iter(horizon.runs.values()))[0].summary["parameters"],
    }


def show(horizons: Sequence[Horizon], lags: Sequence[int]) -> None:
    """Print a table per task."""
    console = Console(highlight=False)
    for rule in RULES.values():
        of_task = [h for h in horizons if h.chain.task == rule.name]
        if not of_task:
            continue
        updates = count_updates(of_task[0].epochs)
        print(
            f"\n{rule.name}: seeds that solved each lag within {updates:,} updates "
            f"({rule.solved_in_words})"
        )
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("cell", overflow="fold")
        for name in (*map(str, sorted(lags)), "longest", "range", "updates"):
            table.add_column(name, justify="right", no_wrap=True)
        for horizon in of_task:
            row = summarise(horizon, lags)
            used = row["updates_used_where_solved_median"]
            table.add_row(
                horizon.chain.label,
                *(row[f"solved at {lag}"] or "-" for lag in sorted(lags)),
                f"{row['longest_lag_median']:g}",
                f"{row['longest_lag_min']}-{row['longest_lag_max']}",
                f"{used:,.0f}" if used else "-",
            )
        console.print(table)
    print(
        "longest: longest lag solved, median of the seeds. updates: median of those "
        "used where solved. -: not tried yet, or no seed solved a shorter lag."
    )


def draw(horizons: Sequence[Horizon], lags: Sequence[int]) -> Figure:
    """Draw the longest lag that each seed of each chain solved, a panel per task."""
    bars = [
        Bar(h.chain.task, h.chain.cell, h.chain.label, list(h.longest.values()))
        for h in horizons
    ]
    return draw_bars(bars, lags, count_updates(horizons[0].epochs))


def _list(horizon: Horizon) -> list[dict[str, Any]]:
    """Return a row per run."""
    chain, metric = horizon.chain, RULES[horizon.chain.task].score.metric
    rows = []
    for lag, runs in horizon.runs.items():
        for run in runs:
            baselines = run.summary["baselines"]
            score = get_test_score(chain, run)
            rows.append(
                {
                    "task": chain.task,
                    "cell": chain.cell,
                    "variant": chain.variant,
                    "lag": lag,
                    "seed": run.seed,
                    "solved": is_solved(chain, run),
                    "metric": metric,
                    "test_best": score if score is None else float(format_score(score)),
                    "test_without_memory": round(baselines[0]["test"][metric], 4),
                    "updates_used": count_updates(len(run.history["epoch"])),
                    "updates_allowed": count_updates(horizon.epochs),
                    "best_epoch": (run.summary["best"] or {}).get("epoch"),
                    "seconds": run.summary["seconds"],
                    "run": f"{run.recipe}/{run.path.name}",
                }
            )
    return rows
