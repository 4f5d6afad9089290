"""Train every recipe on real data, and publish what came out.

    make reference                              # goes on where it was stopped
    make reference ARGS="--recipes imdb-gru imdb-lstm --seeds 0-2"
    make reference-tables                       # only the pages, from what is published

What has finished under the same settings and versions is not trained again. Slim run
folders go to results/reference, and from those alone results/README.md and
results/CLAIMS.md are made.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from shared.cli import INTERRUPTED, kill_as_interrupt
from shared.environment import PROJECT, count_cores
from shared.errors import check_at_least
from shared.files import write_text
from shared.flags import one_line_errors, parse
from shared.reference.claim_list import list_claims
from shared.reference.claims_page import spell_claims
from shared.reference.plan import find_weather, list_experiments
from shared.reference.publish import publish
from shared.reference.record import Reference, read_reference
from shared.reference.tables import spell_tables
from shared.reference.train import train_missing
from shared.runs import RUNS
from shared.seeds import parse_seeds
from shared.trials import Ledger

FOLDER = "reference"


@dataclass(frozen=True)
class Options:
    """What to train, and where to."""

    recipes: tuple[str, ...] = ()
    """Recipes to train and publish; none means all."""
    seeds: str = "0-4"
    """Seeds; those behind the third are left out where an epoch takes over a minute."""
    jobs: int | None = None
    """How many train at a time, each on one core; None takes all cores."""
    weather: Literal["auto", "jena-2009-2016", "jena-2020"] = "auto"
    """Weather file. auto: one that is here, else the one that can be downloaded."""
    train: bool = True
    """Train what is missing; --no-train only publishes what is there."""
    tables_only: bool = False
    """Only write the pages anew, from what is published."""
    results_dir: Path = RUNS
    """Folder of all runs."""
    to: Path = PROJECT / "results"
    """Folder for the pages; the slim run folders go to reference/ in it."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the flags, train, publish and write the pages. Status 2 after bad input."""
    flags = sys.argv[1:] if arguments is None else list(arguments)
    failed = []
    with one_line_errors("--to"):
        options = parse(Options, flags, "python -m shared.reference", __doc__)
        check_at_least(options, {"jobs": 1})
        experiments = list_experiments(options.recipes)
        seeds = parse_seeds(options.seeds)
        (options.to / FOLDER).mkdir(parents=True, exist_ok=True)  # tells a bad place
        if options.tables_only:
            reference = read_reference(options.to / FOLDER)
        else:
            named = options.weather != "auto"
            weather = options.weather if named else find_weather()
            ledger = Ledger(options.results_dir)
            if options.train:
                try:
                    with kill_as_interrupt():
                        failed = train_missing(
                            experiments,
                            seeds,
                            weather,
                            ledger,
                            options.jobs or count_cores(),
                        )
                except KeyboardInterrupt:
                    print("Interrupted; the same command goes on from here.")
                    sys.exit(INTERRUPTED)
            reference = publish(
                experiments, seeds, weather, ledger, options.to / FOLDER
            )
        for path in write_pages(reference, options.to):
            print(f"Saved {path}")
    if failed:
        sys.exit(2 if all(worker.status == 2 for worker in failed) else 1)


def write_pages(reference: Reference, folder: Path) -> list[Path]:
    """Write both pages into a folder, and return their paths."""
    pages = {
        "README.md": spell_tables(reference),
        "CLAIMS.md": spell_claims(reference, list_claims()),
    }
    for name, text in pages.items():
        write_text(folder / name, text)
    return [folder / name for name in pages]


if __name__ == "__main__":
    main()
