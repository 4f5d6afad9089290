"""Show the vanishing gradient: how much of the loss's gradient reaches each step.

    make gradient-flow RUNS="imdb-simple-rnn imdb-lstm imdb-gru"
    python -m shared.studies.gradient_flow results/runs/imdb-lstm/FOLDER

Takes recipe names (the newest finished run of each) and run folders. Draws the norm of
the gradient of an example's loss by the state against the step, with the first weights
of the run and with its saved ones. Writes gradient_flow.csv and gradient_flow.png into
each run folder. For several runs it also writes a joint picture and table to
results/comparisons.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro

from shared.compare.comparison import COMPARISONS, name_files
from shared.core.backend import limit_threads, read_threads
from shared.core.errors import check_at_least
from shared.core.flags import one_line_errors, parse
from shared.runs.reader import RUNS
from shared.studies.gradient_flow.flow_tables import (
    NAME,
    label_runs,
    show_flows,
    write_flow,
    write_joint,
)
from shared.studies.gradient_flow.measure_runs import find_named, measure_run


@dataclass(frozen=True)
class Options:
    """Which runs to measure, and where to write."""

    runs: tyro.conf.Positional[tuple[str, ...]] = ()
    """Recipe names or run folders."""
    examples: int = 64
    """Number of validation examples to average over."""
    data_dir: Path | None = None
    """Folder of the runs' data file; None uses the folder of each run."""
    results_dir: Path = RUNS
    """Folder of all runs."""
    to: Path = COMPARISONS
    """With several runs: folder for the joint picture and table."""
    name: str = ""
    """With several runs: name of these files; the default comes from the runs."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the flags, measure, write and print. Exit status 2 on bad input."""
    flags = sys.argv[1:] if arguments is None else list(arguments)
    with one_line_errors("--results-dir, --to"):
        options = parse(
            Options, flags, "python -m shared.studies.gradient_flow", __doc__
        )
        check_at_least(options, {"examples": 1})
        limit_threads(read_threads())
        runs = find_named(options.runs, options.results_dir)
        if len(runs) > 1:
            options.to.mkdir(parents=True, exist_ok=True)  # fails early on a bad place
        count = options.examples
        measured = [measure_run(run, count, options.data_dir) for run in runs]
        labels = label_runs(runs)
        show_flows(dict(zip(labels, measured, strict=True)))
        for run, states in zip(runs, measured, strict=True):
            write_flow(run, states)
            print(f"Saved {run.path / NAME}.png and .csv")
        if len(runs) > 1:
            name = options.name or f"gradient-flow-{name_files(options.runs)}"
            for path in write_joint(runs, measured, options.to, name):
                print(f"Saved {path}")


if __name__ == "__main__":
    main()
