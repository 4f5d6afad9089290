"""Draw the pictures of the memory horizon again, from its CSV files.

    python -m shared.studies.horizon.redraw results/horizon

Reads `horizon-runs.csv` and, if it is there, `gradient-flow.csv`, and writes
`horizon.png` and `gradient-flow.png` into the same folder. No run folder is needed.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro

from shared.core.errors import UserError
from shared.core.files import write_whole
from shared.core.flags import one_line_errors, parse
from shared.studies.gradient_flow.saved_flows import draw_saved_flows
from shared.studies.horizon.chains import Chain
from shared.studies.horizon.horizon_figure import Bar, draw_bars

RUNS = "horizon-runs.csv"
FLOW = "gradient-flow.csv"


@dataclass(frozen=True)
class Options:
    """What to draw again."""

    folder: tyro.conf.Positional[Path]
    """Folder with horizon-runs.csv."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the flags, draw and print the paths. Status 2 after a bad input."""
    flags = sys.argv[1:] if arguments is None else list(arguments)
    with one_line_errors("the folder"):
        name = "python -m shared.studies.horizon.redraw"
        folder = parse(Options, flags, name, __doc__).folder
        if not (folder / RUNS).is_file():
            raise UserError(
                f"{folder}: there is no {RUNS}. Name a folder of make memory-horizon."
            )
        bars, lags, updates = read_bars(folder / RUNS)
        figures = {"horizon.png": draw_bars(bars, lags, updates)}
        if (folder / FLOW).is_file():
            figures["gradient-flow.png"] = draw_saved_flows(folder / FLOW)
        for file, figure in figures.items():
            write_whole(folder / file, figure.savefig)
            print(f"Saved {folder / file}")


def read_bars(path: Path) -> tuple[list[Bar], list[int], int]:
    """Return the rows of the picture, all lags, and the most updates.

    Args:
        path: `horizon-runs.csv`.

    Raises:
        UserError: If the file holds no run.
    """
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows:
        raise UserError(f"{path}: holds no run. Run make memory-horizon again.")
    longest: dict[tuple[str, str, str], dict[str, int]] = {}
    for row in sorted(rows, key=lambda row: int(row["lag"])):
        seeds = longest.setdefault((row["task"], row["cell"], row["variant"]), {})
        solved = row["solved"] == "True"
        seeds[row["seed"]] = int(row["lag"]) if solved else seeds.get(row["seed"], 0)
    order = dict.fromkeys((row["task"], row["cell"], row["variant"]) for row in rows)
    bars = [
        Bar(task, cell, Chain(task, cell, variant).label,
            list(longest[task, cell, variant].values()))
        for task, cell, variant in order
    ]  # fmt: skip
    lags = sorted({int(row["lag"]) for row in rows})
    return bars, lags, max(int(row["updates_allowed"]) for row in rows)


if __name__ == "__main__":
    main()
