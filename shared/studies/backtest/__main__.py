"""Test a forecast on several parts of its series, one after the other in time.

    make backtest RUN=series-gru ARGS="--folds 5"
    make backtest RUN=series-gru ARGS="--folds 5 --refit"
    python -m shared.studies.backtest results/runs/series-gru/FOLDER --folds 8

Takes the name of a series recipe (its newest finished run) or a run folder. It divides
the test part of the run into folds. The network and its baselines forecast each fold
from what was known before each forecast. Without --refit, the saved forecasts are
scored. With --refit, the recipe trains again for each fold, on rows before the fold.
Folds that are trained already are not trained again. Writes backtest.csv and
backtest.png into the run folder.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import tyro

from shared.core.environment import count_cores
from shared.core.errors import UserError, check_at_least
from shared.core.files import check_place
from shared.core.flags import one_line_errors, parse
from shared.core.signals import INTERRUPTED, kill_as_interrupt
from shared.runs.reader import RUNS, Run

if TYPE_CHECKING:
    from shared.data.series.layout import Layout
    from shared.studies.backtest.fold_scores import FoldScores
    from shared.studies.backtest.folds import Fold, Forecasts

MOST_FOLDS = 1_000
MOST_WORKERS = 1_024


@dataclass(frozen=True)
class Options:
    """Which run to test, and how."""

    run: tyro.conf.Positional[str]
    """Name of a series recipe, or a run folder."""
    folds: int = 5
    """Parts of the test part, 2 or more."""
    refit: bool = False
    """Train the recipe again for each fold."""
    window: Literal["expanding", "sliding"] = "expanding"
    """With --refit: train on all rows before a fold (expanding), or on as many as the
    first fold has (sliding)."""
    workers: int | None = None
    """With --refit: trainings at a time. Each uses its share of the cores. None uses
    all cores."""
    file: Path | None = None
    """With --refit: where the data file of the run is now, if it was moved."""
    results_dir: Path = RUNS
    """Folder of all runs."""

    def validate(self) -> None:
        """Refuse values that cannot work.

        Raises:
            UserError: With the flag, what it takes and how to fix it.
        """
        check_at_least(self, {"folds": 2}, MOST_FOLDS)
        check_at_least(self, {"workers": 1}, MOST_WORKERS)
        if self.refit:
            return
        if self.file is not None:
            raise UserError("--file: only --refit reads a file. Add it, or omit both.")
        if self.window != "expanding":
            raise UserError(
                f"--window {self.window}: only --refit trains. Add it, or omit both."
            )


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the flags, train if asked, score, write and print. Status 2 on bad input."""
    flags = sys.argv[1:] if arguments is None else list(arguments)
    with one_line_errors("--results-dir"):
        options = parse(Options, flags, "python -m shared.studies.backtest", __doc__)
        options.validate()
        _test_run(options)


def _test_run(options: Options) -> None:
    from shared.studies.backtest.fold_tables import show_folds, write_folds
    from shared.studies.backtest.folds import (
        find_run,
        read_forecasts,
        read_layout,
        split_folds,
    )
    from shared.studies.backtest.seen_rows import leave_out

    run = find_run(options.run, options.results_dir)
    layout = read_layout(run)
    forecasts = leave_out(run, read_forecasts(run, layout), options.refit)
    if forecasts.left_out:
        print(
            f"{forecasts.left_out:,} forecasts are left out: they were made before the "
            "network had seen its last row of another series."
        )
    folds = split_folds(
        forecasts.times, layout.horizon, layout.frequency, options.folds
    )
    check_place(run.path)
    if options.refit:
        scores = _score_again(run, layout, forecasts, folds, options)
    else:
        scores = [_score(fold, forecasts, layout) for fold in folds]
    trained = options.window if options.refit else "once"
    best = forecasts.best_achievable
    paths = write_folds(run, scores, trained, best)
    show_folds(run, scores, trained, best)
    for path in paths:
        print(f"Saved {path}")


def _score_again(
    run: Run,
    layout: Layout,
    forecasts: Forecasts,
    folds: Sequence[Fold],
    options: Options,
) -> list[FoldScores]:
    """Train a run for each fold, and score its forecasts of the fold."""
    from shared.studies.backtest.fold_scores import keep_shared
    from shared.studies.backtest.folds import read_forecasts
    from shared.studies.backtest.refit import (
        find_file,
        plan_trials,
        train_folds,
    )

    file = find_file(run, options.file)
    trials = plan_trials(run, layout, forecasts, folds, options.window, file)
    place = run.path / "backtest" / f"{options.window}-{len(folds)}"
    try:
        with kill_as_interrupt():
            runs, failed = train_folds(trials, place, options.workers or count_cores())
    except KeyboardInterrupt:
        print("Interrupted. The same command goes on with the folds that are missing.")
        sys.exit(INTERRUPTED)
    if missing := [t.label for t, r in zip(trials, runs, strict=True) if r is None]:
        print(
            f"error: {len(missing)} of {len(folds)} folds have no finished run, so "
            "nothing is written. The same command tries them again.",
            file=sys.stderr,
        )
        sys.exit(2 if failed and all(w.status == 2 for w in failed) else 1)
    scores = (
        _score(fold, read_forecasts(one, layout), layout)
        for fold, one in zip(folds, runs, strict=True)
    )
    return keep_shared([*scores])


def _score(fold: Fold, every: Forecasts, layout: Layout) -> FoldScores:
    """Score the forecasts that lie within a fold.

    A series that ends early may be tested on earlier steps, outside the fold.
    """
    from shared.studies.backtest.fold_scores import score_fold

    forecasts = every.select_fold(fold)
    if not len(forecasts):
        raise UserError(
            f"fold {fold.number}, from {fold.first}: no forecast lies within it. Take "
            "fewer --folds."
        )
    last = forecasts.times.max()
    end = layout.frequency.time_at(last, np.array([layout.horizon - 1]))[0]
    return score_fold(fold, forecasts, end)


if __name__ == "__main__":
    main()
