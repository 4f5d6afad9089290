"""Train a grid of recipes, settings and seeds, or search for settings. Resumable.

    make sweep RECIPES="imdb-gru imdb-lstm" ARGS="--seeds 0-4 --grid units=16,32,64"
    make sweep RECIPES=weather-gru ARGS="--search tpe --trials 60 --prune"
    make sweep FILE=sweeps/imdb.toml ARGS="--on ray --address auto"
    make sweep STATUS=imdb          # what is done, running, failed, missing

A trial that has a finished run is not trained again. So a sweep can be stopped, grown
and run twice. Runs go to the folder of all runs. results/sweeps/NAME describes the
sweep and has its page.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from shared.core.environment import PROJECT, count_cores
from shared.core.errors import UserError, check_at_least
from shared.core.flags import drop_flags, one_line_errors, parse
from shared.core.signals import INTERRUPTED, kill_as_interrupt
from shared.runs.reader import RUNS
from shared.studies.sweep.confirm import confirm
from shared.studies.sweep.files import parse_budget, read_file
from shared.studies.sweep.folder import SweepFolder
from shared.studies.sweep.page import write_page
from shared.studies.sweep.plan import check_size, make_plan
from shared.studies.sweep.samplers import make_sampler
from shared.studies.sweep.status import show_status
from shared.studies.sweep.train import Trainer
from shared.sweeps.halving import Halving
from shared.sweeps.ray_cluster import RayOptions, check_ray
from shared.sweeps.seeds import parse_seeds
from shared.sweeps.slurm_pool import SlurmOptions, check_slurm, parse_sbatch
from shared.sweeps.trials import TrialIndex

SWEEPS = PROJECT / "results" / "sweeps"
PROGRAM = "python -m shared.studies.sweep"


@dataclass(frozen=True)
class Options:
    """What to train, where, and for how long."""

    recipes: tyro.conf.Positional[tuple[str, ...]] = ()
    """Names of recipes."""
    file: Path | None = None
    """TOML file with flags of this command; flags on the command line come after it."""
    status: str | None = None
    """Only show how far the sweep of this name is."""
    name: str = ""
    """Name of the sweep; the default is the file's, else those of the recipes."""
    seeds: str = "0"
    """Seeds, e.g. 0-4. A search takes one."""
    grid: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """NAME=VALUE,VALUE of a flag of the recipes. Give it once for each flag. One value
    sets the flag in every trial."""
    range: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """NAME=LOW:HIGH or NAME=LOW:HIGH:log, for a search."""
    search: Literal["grid", "random", "tpe"] = "grid"
    """grid: train all. random, tpe: try --trials settings with one seed, and choose
    the best on validation."""
    trials: int = 30
    """Settings that a search tries."""
    prune: bool = False
    """Stop trials of a search early by successive halving on validation scores."""
    confirm_seeds: str = "10-14"
    """After a search: train what it chose, and the defaults, with these seeds, and test
    both. none: do not."""
    budget: str = ""
    """Time after which no training starts, e.g. 2h or 90m."""
    on: Literal["local", "ray", "slurm"] = "local"
    """Train on this machine, on a Ray cluster, or in jobs of a Slurm cluster."""
    workers: int | None = None
    """Trainings at a time on this machine; None: one for each core. On Slurm: jobs at a
    time; None: 100."""
    threads: int | None = None
    """On this machine: cores of each training; None: an equal share."""
    address: str | None = None
    """On Ray: auto or HOST:PORT of a cluster; None: start Ray on this machine."""
    num_cpus: float = 1
    """On a cluster: cores of each trial."""
    num_gpus: float = 0
    """On a cluster: GPUs of each trial; on Ray, 0.5 lets two trials share one."""
    memory: float | None = None
    """On a cluster: GB of memory of each trial, for the choice of the node."""
    max_retries: int = 3
    """On Ray: new starts of a trial whose node or worker was lost."""
    storage: str = ""
    """On Ray: address for the runs, e.g. s3://bucket/runs; the default is the folder of
    all runs, which nodes may share, else through the object store."""
    slurm: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """On Slurm: NAME=VALUE of an option of sbatch, e.g. partition=short or time=120
    (minutes). Give it once for each option."""
    yes: bool = False
    """Accept more than 10,000 trials."""
    results_dir: Path = RUNS
    """Folder of all runs."""
    to: Path = SWEEPS
    """Folder of all sweeps."""

    def validate(self) -> None:
        """Refuse values that cannot work.

        Raises:
            UserError: With the flag, what it takes and how to fix it.
        """
        check_at_least(self, {"workers": 1, "threads": 1}, 1024)
        check_at_least(self, {"trials": 1, "max_retries": 0}, 1_000_000)
        if self.search == "grid" and self.prune:
            raise UserError("--prune: belongs to --search random or tpe.")
        for flag, value in (("--num-cpus", self.num_cpus), ("--memory", self.memory)):
            if value is not None and not 0 < value < math.inf:
                raise UserError(f"{flag} {value}: takes a number above 0.")
        if not 0 <= self.num_gpus < math.inf:
            raise UserError(f"--num-gpus {self.num_gpus}: takes a number from 0 up.")
        for flag, value, where in (
            ("--address", self.address, "ray"),
            ("--storage", self.storage, "ray"),
            ("--slurm", self.slurm, "slurm"),
        ):
            if value and self.on != where:
                raise UserError(
                    f"{flag}: belongs to --on {where}. Add it, or omit the flag."
                )
        if self.on == "slurm":
            if self.prune:
                raise UserError(
                    "--prune with --on slurm: a job cannot be asked after an epoch. "
                    "Omit --prune, or use --on ray."
                )
            parts = ("--num-cpus", self.num_cpus), ("--num-gpus", self.num_gpus)
            for flag, number in parts:
                if number != int(number):
                    raise UserError(f"{flag} {number}: takes a whole number on Slurm.")
            parse_sbatch(self.slurm)
        if self.confirm_seeds != "none":
            fresh = parse_seeds(self.confirm_seeds)
            overlap = set(fresh) & set(parse_seeds(self.seeds))
            if self.search != "grid" and overlap:
                raise UserError(
                    f"--confirm-seeds {self.confirm_seeds}: the search sees seed "
                    f"{min(overlap)}. Name seeds that it never saw."
                )


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the flags, train, confirm and write the page. Status 2 on bad input."""
    flags = sys.argv[1:] if arguments is None else list(arguments)
    with one_line_errors("--to"):
        options = parse(Options, flags, PROGRAM, __doc__)
        if options.file is not None:
            flags = [*read_file(options.file), *drop_flags(flags, ["--file"])]
            options = parse(Options, flags, PROGRAM, __doc__)
        options.validate()
        if options.status is not None:
            show_status(options.to / options.status, options.results_dir)
            return
        _sweep(options, flags)


def _sweep(options: Options, flags: Sequence[str]) -> None:
    budget = parse_budget(options.budget)
    check_size(
        options.recipes, options.seeds, options.grid, options.search, options.yes
    )
    plan = make_plan(
        options.name, options.recipes, options.seeds, options.grid, options.range,
        options.search,
    )  # fmt: skip
    if options.search == "grid":
        trials = plan.list_trials()
    if options.on == "ray":
        check_ray()
    if options.on == "slurm":
        check_slurm()
    folder = SweepFolder(options.to / plan.name)
    with folder.hold():
        folder.begin(plan, flags)
        print(f"Sweep {plan.name} ({folder.path})")
        sampler = None
        if options.search != "grid":
            sampler = make_sampler(plan, options.trials, folder.database)
        index = TrialIndex(options.results_dir)
        trainer = Trainer(
            plan, folder, index, options.workers or count_cores(), options.threads,
            _choose_cluster(options, folder),
            None if budget is None else time.monotonic() + budget,
            Halving() if options.prune else None,
        )  # fmt: skip
        confirmation = None
        try:
            with kill_as_interrupt():
                if sampler is None:
                    trainer.train_missing(trials)
                else:
                    if options.confirm_seeds != "none":
                        count = 2 * len(parse_seeds(options.confirm_seeds))
                        trainer.reserved = count
                    trainer.search(sampler, options.trials)
                    trainer.reserved = 0
                    confirmation = confirm(trainer, options.confirm_seeds)
        except KeyboardInterrupt:
            print("Interrupted. The same command continues from here.")
            sys.exit(INTERRUPTED)
        if trainer.is_out_of_time:
            print(
                f"--budget {options.budget}: no more trainings start. The same command "
                "continues from here."
            )
        page = write_page(plan, folder, index, confirmation, trainer.failures)
        if page is not None:
            print(f"Saved {page}")
        _end(trainer)


def _choose_cluster(
    options: Options, folder: SweepFolder
) -> RayOptions | SlurmOptions | None:
    if options.on == "local":
        return None
    if options.on == "slurm":
        return SlurmOptions(
            int(options.num_cpus), int(options.num_gpus), options.memory,
            options.workers or 100, parse_sbatch(options.slurm), folder.created,
            folder.path / "slurm",
        )  # fmt: skip
    return RayOptions(
        options.address, options.num_cpus, options.num_gpus, options.memory,
        options.max_retries, options.storage, folder.created,
        0.0 if options.search == "tpe" else 1.0, options.workers,
    )  # fmt: skip


def _end(trainer: Trainer) -> None:
    """Name what failed, and end with its status."""
    for label, reason in list(trainer.failures.items())[:10]:
        print(f"failed: {label}: {reason}", file=sys.stderr)
    more = len(trainer.failures) - 10
    if more > 0:
        print(f"... and {more} more: --status {trainer.plan.name}", file=sys.stderr)
    if trainer.failures:
        sys.exit(2 if all(status == 2 for status in trainer.statuses) else 1)


if __name__ == "__main__":
    main()
