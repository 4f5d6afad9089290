"""How far back does each cell remember? Train missing runs, then show all results.

    make memory-horizon                     # one seed, lags 10 and 50: three minutes
    make memory-horizon ARGS="--full"       # three seeds, six lags, variants
    python -m shared.studies.horizon --full --no-train      # only show finished runs

Every training is a run of a recipe, with its own run folder. A run that has finished
with the same settings and versions is not trained again, so a stopped sweep continues
where it was. If no seed of a cell solves a lag, longer lags are not tried.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from shared.compare.comparison import COMPARISONS
from shared.core.environment import PROJECT
from shared.core.errors import UserError, check_at_least
from shared.core.flags import one_line_errors, parse
from shared.core.signals import INTERRUPTED, kill_as_interrupt
from shared.runs.reader import RUNS
from shared.studies.horizon.chains import CELLS, LAGS, RULES, SETTINGS, list_chains
from shared.studies.horizon.summary import (
    choose_for_flow,
    collect,
    show,
    show_flow,
    write_report,
)
from shared.studies.horizon.train_lags import train_missing
from shared.sweeps.seeds import parse_seeds
from shared.sweeps.trials import TrialIndex

QUICK_LAGS = (10, 50)
FULL = PROJECT / "results" / "horizon"  # committed
QUICK = COMPARISONS / "horizon"


@dataclass(frozen=True)
class Options:
    """What to train, and where to write."""

    full: bool = False
    """Try all lags, three seeds and variants of the cells, not just a quick look."""
    tasks: tuple[Literal["adding", "recall"], ...] = tuple(RULES)
    """Tasks to learn."""
    cells: tuple[Literal["simple-rnn", "lstm", "gru"], ...] = CELLS
    """Recurrent layers to try."""
    lags: tuple[int, ...] = ()
    """Steps to remember; the default is 10 and 50, and six lags with --full."""
    seeds: str = ""
    """Seeds, e.g. 0-2 or 0,3; the default is 0, and 0-2 with --full."""
    epochs: int = SETTINGS["epochs"]
    """Passes over the training sequences, 100 updates each."""
    workers: int = 2
    """Number of trainings at a time, each on its share of the cores."""
    train: bool = True
    """Train missing runs; --no-train only shows finished ones."""
    flow: bool = True
    """Draw how much gradient reaches each step, for each cell at the longest lag that
    all cells tried."""
    results_dir: Path = RUNS
    """Folder of all runs."""
    to: Path | None = None
    """Folder for pictures and CSV files; the default is results/horizon with --full,
    results/comparisons/horizon without."""

    def validate(self) -> None:
        """Refuse values that cannot be trained.

        Raises:
            UserError: With the flag and what it takes.
        """
        check_at_least(self, {"epochs": 1, "workers": 1})
        for name in ("tasks", "cells"):
            if not getattr(self, name):
                raise UserError(f"--{name}: no value given. Omit the flag to use all.")
        if self.lags and min(self.lags) < 4:
            raise UserError(f"--lags {min(self.lags)}: takes whole numbers from 4 up.")


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the flags, train, write and print. Exit status 2 on bad input."""
    flags = sys.argv[1:] if arguments is None else list(arguments)
    with one_line_errors("--to"):
        options = parse(Options, flags, "python -m shared.studies.horizon", __doc__)
        options.validate()
        lags = options.lags or (LAGS if options.full else QUICK_LAGS)
        seeds = parse_seeds(options.seeds or ("0-2" if options.full else "0"))
        chains = list_chains(options.tasks, options.cells, options.full)
        to = options.to or (FULL if options.full else QUICK)
        to.mkdir(parents=True, exist_ok=True)  # fails early on a bad place
        index = TrialIndex(options.results_dir)
        failed = []
        if options.train:
            try:
                with kill_as_interrupt():
                    failed = train_missing(
                        chains, lags, seeds, options.epochs, index, options.workers
                    )
            except KeyboardInterrupt:
                print("Interrupted. The same command continues from here.")
                sys.exit(INTERRUPTED)
        horizons = collect(chains, lags, seeds, options.epochs, index)
        if not horizons:
            raise UserError(
                f"No finished run of these trainings in {options.results_dir}. Omit "
                "--no-train to train them."
            )
        show(horizons, lags)
        for path in write_report(horizons, lags, to):
            print(f"Saved {path}")
        if options.flow and (chosen := choose_for_flow(horizons)):
            show_flow(chosen, to)
    if failed:
        sys.exit(2 if all(worker.status == 2 for worker in failed) else 1)


if __name__ == "__main__":
    main()
