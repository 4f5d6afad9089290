"""How far back does each cell remember? Train what is missing, then tell.

    make memory-horizon                     # one seed, lags 10 and 50: three minutes
    make memory-horizon ARGS="--full"       # three seeds, six lags, variants
    python -m shared.horizon --full --no-train      # only tell what is there

Every training is a recipe with a run folder of its own; what has finished under the
same settings and versions is not trained again, so that a sweep that was stopped goes
on where it was. A cell that no seed solves at one lag is not tried at longer ones.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from shared.cli import INTERRUPTED, kill_as_interrupt
from shared.compare import COMPARISONS
from shared.environment import PROJECT
from shared.errors import UserError, check_at_least
from shared.flags import one_line_errors, parse
from shared.horizon.plan import CELLS, LAGS, SETTINGS, TASKS, list_chains
from shared.horizon.report import choose_for_flow, collect, show, write_report
from shared.horizon.train import train_missing
from shared.runs import RUNS, Run
from shared.seeds import parse_seeds
from shared.trials import Ledger

QUICK_LAGS = (10, 50)
FULL = PROJECT / "results" / "horizon"  # committed
QUICK = COMPARISONS / "horizon"


@dataclass(frozen=True)
class Options:
    """What to try, and where to."""

    full: bool = False
    """All lags, three seeds and variants of the cells, in place of a quick look."""
    tasks: tuple[Literal["adding", "recall"], ...] = tuple(TASKS)
    """Tasks to learn."""
    cells: tuple[Literal["simple-rnn", "lstm", "gru"], ...] = CELLS
    """Recurrent layers to try."""
    lags: tuple[int, ...] = ()
    """Steps to bridge; none means those of the form, quick or full."""
    seeds: str = ""
    """Seeds, e.g. 0-2 or 0,3; the default is 0, and 0-2 with --full."""
    epochs: int = SETTINGS["epochs"]
    """Passes over the training sequences, 100 updates each."""
    jobs: int = 2
    """How many train at a time, each on its share of the cores."""
    train: bool = True
    """Train what is missing; --no-train only tells what is there."""
    flow: bool = True
    """Draw how much gradient reaches each step, of each cell at the longest lag that
    all have tried."""
    results_dir: Path = RUNS
    """Folder of all runs."""
    to: Path | None = None
    """Folder for pictures and CSV files; the default is results/horizon with --full,
    results/comparisons/horizon without."""

    def check(self) -> None:
        """Refuse what cannot be tried.

        Raises:
            UserError: With the flag and what it takes.
        """
        check_at_least(self, {"epochs": 1, "jobs": 1})
        for name in ("tasks", "cells"):
            if not getattr(self, name):
                raise UserError(f"--{name}: names none; leave it away to take all.")
        if self.lags and min(self.lags) < 4:
            raise UserError(f"--lags {min(self.lags)}: takes whole numbers from 4 up.")


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the flags, train, write and print. Status 2 after a bad input."""
    flags = sys.argv[1:] if arguments is None else list(arguments)
    with one_line_errors("--to"):
        options = parse(Options, flags, "python -m shared.horizon", __doc__)
        options.check()
        lags = options.lags or (LAGS if options.full else QUICK_LAGS)
        seeds = parse_seeds(options.seeds or ("0-2" if options.full else "0"))
        chains = list_chains(options.tasks, options.cells, options.full)
        to = options.to or (FULL if options.full else QUICK)
        to.mkdir(parents=True, exist_ok=True)  # tells a bad place at once
        ledger = Ledger(options.results_dir)
        failed = []
        if options.train:
            try:
                with kill_as_interrupt():
                    failed = train_missing(
                        chains, lags, seeds, options.epochs, ledger, options.jobs
                    )
            except KeyboardInterrupt:
                print("Interrupted; the same command goes on from here.")
                sys.exit(INTERRUPTED)
        horizons = collect(chains, lags, seeds, options.epochs, ledger)
        if not horizons:
            raise UserError(
                f"No run of these trainings below {options.results_dir}; leave "
                "--no-train away."
            )
        show(horizons, lags)
        for path in write_report(horizons, lags, to):
            print(f"Saved {path}")
        if options.flow and (chosen := choose_for_flow(horizons)):
            _show_flow(chosen, to)
    if failed:
        sys.exit(2 if all(worker.status == 2 for worker in failed) else 1)


def _show_flow(runs: Sequence[Run], to: Path) -> None:
    """Draw how much gradient reaches each step, in a process that imports Keras."""
    command = [sys.executable, "-m", "shared.gradient_flow"]
    command += [str(run.path.resolve()) for run in runs]
    command += ["--to", str(to.resolve()), "--name", "gradient-flow"]
    subprocess.run(command, cwd=PROJECT, check=False)  # it says what is wrong


if __name__ == "__main__":
    main()
