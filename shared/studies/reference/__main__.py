"""Train every recipe on real data and publish the results.

    make reference                              # resumes where it stopped
    make reference ARGS="--recipes imdb-gru imdb-lstm --seeds 0-2"
    make reference-tables                       # only pages and pictures, no training

Runs that have finished under the same settings and versions are not trained again. Slim
copies of the run folders go to results/reference. results/README.md and
results/CLAIMS.md are made from these alone.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from shared.core.environment import PROJECT, count_cores
from shared.core.errors import check_at_least
from shared.core.files import write_text
from shared.core.flags import one_line_errors, parse
from shared.core.signals import INTERRUPTED, kill_as_interrupt
from shared.runs.reader import RUNS
from shared.studies.reference.claim_list import list_claims
from shared.studies.reference.claims_page import format_claims
from shared.studies.reference.experiments import find_weather, list_experiments
from shared.studies.reference.pictures import draw_pictures
from shared.studies.reference.publish import publish
from shared.studies.reference.published import Reference, read_reference
from shared.studies.reference.results_page import format_tables
from shared.studies.reference.train_missing import train_missing
from shared.sweeps.seeds import parse_seeds
from shared.sweeps.trials import TrialIndex

FOLDER = "reference"


@dataclass(frozen=True)
class Options:
    """What to train, and where to write."""

    recipes: tuple[str, ...] = ()
    """Recipes to train and publish; none means all published ones."""
    seeds: str = "0-4"
    """Seeds; only the first three are used where an epoch takes over a minute."""
    workers: int | None = None
    """How many to train at the same time, each on one core; None uses all cores."""
    weather: Literal["auto", "jena-2009-2016", "jena-2020"] = "auto"
    """Weather file. auto: a file found here, else the one that can be downloaded."""
    train: bool = True
    """Train missing runs; --no-train only publishes existing ones."""
    tables_only: bool = False
    """Only write the pages and the pictures again, from the published runs."""
    results_dir: Path = RUNS
    """Folder of all runs."""
    to: Path = PROJECT / "results"
    """Folder for the pages; slim run folders go to its subfolder reference."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the flags, train, publish and write the pages. Status 2 after bad input."""
    flags = sys.argv[1:] if arguments is None else list(arguments)
    failed = []
    with one_line_errors("--to"):
        options = parse(Options, flags, "python -m shared.studies.reference", __doc__)
        check_at_least(options, {"workers": 1})
        experiments = list_experiments(options.recipes)
        seeds = parse_seeds(options.seeds)
        (options.to / FOLDER).mkdir(parents=True, exist_ok=True)  # fails early
        if options.tables_only:
            reference = read_reference(options.to / FOLDER)
            pictures = draw_pictures(reference)
            print(f"Drew {len(pictures)} pictures in {options.to / FOLDER}")
        else:
            named = options.weather != "auto"
            weather = options.weather if named else find_weather()
            index = TrialIndex(options.results_dir)
            if options.train:
                try:
                    with kill_as_interrupt():
                        failed = train_missing(
                            experiments,
                            seeds,
                            weather,
                            index,
                            options.workers or count_cores(),
                        )
                except KeyboardInterrupt:
                    print("Interrupted. The same command resumes from here.")
                    sys.exit(INTERRUPTED)
            reference = publish(experiments, seeds, weather, index, options.to / FOLDER)
        for path in write_pages(reference, options.to):
            print(f"Saved {path}")
    if failed:
        sys.exit(2 if all(worker.status == 2 for worker in failed) else 1)


def write_pages(reference: Reference, folder: Path) -> list[Path]:
    """Write both pages into a folder, and return their paths."""
    pages = {
        "README.md": format_tables(reference),
        "CLAIMS.md": format_claims(reference, list_claims()),
    }
    for name, text in pages.items():
        write_text(folder / name, text)
    return [folder / name for name in pages]


if __name__ == "__main__":
    main()
