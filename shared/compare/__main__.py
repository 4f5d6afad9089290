"""Compare saved runs: curves on one axis, a table, and a verdict for each pair.

    make compare RUNS="imdb-gru imdb-lstm"
    python -m shared.compare imdb-gru results/runs/imdb-lstm/2026-11-21T11-00-00Z-seed0

Takes recipe names (all their finished runs), run folders, or nothing (all runs). Writes
two pictures and four CSV files to results/comparisons. Reads files only.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from shared.compare.comparison import (
    COMPARISONS,
    name_files,
    show_groups,
    show_verdicts,
    write_comparison,
)
from shared.compare.verdicts import Verdict, compare_groups
from shared.core.flags import one_line_errors, parse
from shared.runs.groups import choose_runs, group_runs
from shared.runs.reader import RUNS, describe_problems


@dataclass(frozen=True)
class Options:
    """What to compare, and where to write."""

    runs: tyro.conf.Positional[tuple[str, ...]] = ()
    """Recipe names or run folders; none means every recipe."""
    results_dir: Path = RUNS
    """Folder of all runs."""
    to: Path = COMPARISONS
    """Folder for the pictures and the CSV files."""
    name: str = ""
    """Name of these files; the default is made from what is compared."""
    verdicts: bool = True
    """Say which is better, with an interval; takes a moment for each pair."""
    baselines: Literal["best", "all"] = "best"
    """Compare each group with its best simple model on validation, or with all."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the flags, compare, write and print. Status 2 after a bad input."""
    flags = sys.argv[1:] if arguments is None else list(arguments)
    with one_line_errors("--to"):
        options = parse(Options, flags, "python -m shared.compare", __doc__)
        runs, left_out = choose_runs(options.runs, options.results_dir)
        groups = group_runs(runs)
        options.to.mkdir(parents=True, exist_ok=True)  # a bad folder fails early
        verdicts: list[Verdict] = []
        for data in dict.fromkeys(group.data for group in groups):
            same_data = [group for group in groups if group.data == data]
            show_groups(same_data)
            if options.verdicts:
                found = compare_groups(same_data, options.baselines == "all")
                show_verdicts(found, same_data)
                verdicts += found
        for note in [*left_out, *describe_problems(runs)]:
            print(note)
        name = options.name or name_files(options.runs)
        for path in write_comparison(groups, options.to, name, verdicts):
            print(f"Saved {path}")


if __name__ == "__main__":
    main()
