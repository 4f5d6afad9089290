"""What the runs of the memory horizon say: tables and a picture, from run folders."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table

from shared.files import to_csv, write_text, write_whole
from shared.horizon.plan import SETTINGS, TASKS, Chain, Trial, count_updates
from shared.horizon.train import get_test_score, is_solved
from shared.runs import Run
from shared.tables import spell
from shared.trials import Ledger

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Horizon:
    """What one chain reached.

    Attributes:
        chain: The cell, its form and the task.
        epochs: Passes over the training sequences that each training was allowed.
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
    ledger: Ledger,
) -> list[Horizon]:
    """Return what each chain reached, leaving out those without a run."""
    horizons = []
    for chain in chains:
        found = {
            lag: [
                run
                for seed in seeds
                if (run := ledger.find(Trial(chain, lag, seed, epochs)))
            ]
            for lag in sorted(lags)
        }
        tried = {lag: runs for lag, runs in found.items() if runs}
        if tried:
            horizons.append(Horizon(chain, epochs, tried))
    return horizons


def choose_for_flow(horizons: Sequence[Horizon]) -> list[Run]:
    """Return runs to see the gradient in: each cell's at the longest lag all tried.

    One per cell and task, of the first seed, without variants.
    """
    chosen = []
    for task in TASKS:
        plain = [h for h in horizons if h.chain.task == task and not h.chain.variant]
        lags = [set(horizon.runs) for horizon in plain]
        if common := set.intersection(*lags) if lags else set():
            runs = (horizon.runs[max(common)] for horizon in plain)
            chosen += [min(seeds, key=lambda run: run.seed) for seeds in runs]
    return chosen


def write_report(
    horizons: Sequence[Horizon], lags: Sequence[int], folder: Path
) -> list[Path]:
    """Write the table of chains, that of single runs, and the picture.

    Args:
        horizons: At least one.
        lags: All that were asked for, tried or not.
        folder: Made if missing.

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

    The longest lag solved is 0 where none was. Lags that were not tried, yet or since
    no seed had solved a shorter one, are empty.
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
    for task in TASKS.values():
        members = [h for h in horizons if h.chain.task == task.name]
        if not members:
            continue
        updates = count_updates(members[0].epochs)
        print(
            f"\n{task.name}: seeds that solved each lag within {updates:,} updates "
            f"({task.solved_in_words})"
        )
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("cell", overflow="fold")
        for name in (*map(str, sorted(lags)), "longest", "range", "updates"):
            table.add_column(name, justify="right", no_wrap=True)
        for horizon in members:
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
        "longest: lag solved, median of the seeds; updates: used where solved, median; "
        "-: not tried, yet or since no seed solved a shorter lag."
    )


def draw(horizons: Sequence[Horizon], lags: Sequence[int]) -> Figure:
    """Draw the longest lag that each seed of each chain solved, a panel per task."""
    from matplotlib.ticker import NullLocator

    from shared.plots import COLOURS, add_title, make_panels

    tasks = [t for t in TASKS.values() if any(h.chain.task == t.name for h in horizons)]
    figure, axes = make_panels(1, len(tasks))
    none = min(lags) / 2
    ticks = [none, *sorted(lags)]
    for axis, task in zip(axes[0], tasks, strict=True):
        members = [h for h in horizons if h.chain.task == task.name]
        cells = list(dict.fromkeys(h.chain.cell for h in members))
        for place, horizon in enumerate(members):
            solved = [lag or none for lag in horizon.longest.values()]
            colour = COLOURS[cells.index(horizon.chain.cell)]
            axis.plot(
                [min(solved), max(solved)], [place, place], color=colour, alpha=0.35,
                lw=6, solid_capstyle="round",
            )  # fmt: skip
            # Seeds side by side, so that equal ones do not hide each other.
            shifts = [0.16 * (k - (len(solved) - 1) / 2) for k in range(len(solved))]
            axis.plot(solved, [place + s for s in shifts], "o", ms=5, color=colour)
            axis.plot(statistics.median(solved), place, "|", ms=20, color="black")
        axis.set_xscale("log")
        axis.set_xticks(ticks, ["none", *map(str, sorted(lags))])
        axis.xaxis.set_minor_locator(NullLocator())
        axis.set_xlim(none * 0.8, max(lags) * 1.25)
        axis.set_yticks(range(len(members)), [h.chain.label for h in members], size=8)
        axis.set_ylim(len(members) - 0.5, -0.5)
        axis.set_xlabel("longest lag solved (steps)")
        axis.set_title(f"{task.name}: {task.solved_in_words}", fontsize=9)
        axis.grid(alpha=0.25, axis="x")
        for side in ("top", "right"):
            axis.spines[side].set_visible(False)
    updates = count_updates(horizons[0].epochs)
    add_title(
        figure,
        f"How far back each cell remembers, learnt within {updates:,} updates of "
        f"{SETTINGS['batch_size']} sequences (dots: seeds, bar: range, line: median)",
    )
    return figure


def _list(horizon: Horizon) -> list[dict[str, Any]]:
    """Return a row per run."""
    chain, metric = horizon.chain, TASKS[horizon.chain.task].score.metric
    rows = []
    for lag, runs in horizon.runs.items():
        for run in runs:
            bars = run.summary["bars"]
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
                    "test_best": score if score is None else float(spell(score)),
                    "test_without_memory": round(bars[0]["test"][metric], 4),
                    "updates_used": count_updates(len(run.history["epoch"])),
                    "updates_allowed": count_updates(horizon.epochs),
                    "best_epoch": (run.summary["best"] or {}).get("epoch"),
                    "seconds": run.summary["seconds"],
                    "run": f"{run.recipe}/{run.path.name}",
                }
            )
    return rows
