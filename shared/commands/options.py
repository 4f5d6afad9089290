"""The flags that every recipe has in addition to its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, TypeVar

from shared.core.errors import UserError, check_at_least
from shared.core.flags import parse
from shared.core.roles import Role
from shared.layers.recurrent import RecurrentConfig
from shared.sweeps.seeds import parse_seeds
from shared.training.config import TrainingConfig

Config = TypeVar("Config")
MOST_CORES = 1024  # each thread takes memory before it does any work


@dataclasses.dataclass(frozen=True)
class RunOptions:
    """Where the results go, how many seeds train, and on how many cores."""

    results_dir: Annotated[Path | None, Role.OUTPUT] = None
    """Folder of all runs; None is results/runs of the project."""
    kernels: Annotated[bool, Role.OUTPUT] = False
    """Only print the kernel of the recurrent layer for these and other flags."""
    seeds: Annotated[str | None, Role.SEED] = None
    """Train once for each of these seeds, e.g. 0-4 or 0,3,7. Replaces --seed."""
    workers: Annotated[int, Role.COMPUTATION] = 1
    """With --seeds: number of trainings at a time. Each uses its share of the cores."""
    score_test: Annotated[bool, Role.OUTPUT] = True
    """Score the test set at the end. A search does so only for what it chose."""
    threads: Annotated[int | None, Role.COMPUTATION] = None
    """Number of cores to use; None takes all (with --workers: an equal share each)."""

    resume: Annotated[Path | None, Role.OUTPUT] = None
    """Carry on the training of this run folder, in a new folder, with its settings. A
    larger --epochs goes beyond its end."""
    checkpoint_every: Annotated[int | None, Role.OUTPUT] = None
    """Epochs from one checkpoint for --resume to the next; 0: none. None: every epoch
    where that takes at most 2 % of the time, else fewer; the last epoch always."""

    def validate(self) -> None:
        """Refuse values that cannot work.

        Raises:
            UserError: With the flag, what it takes and how to fix it.
        """
        check_at_least(self, {"workers": 1, "threads": 1}, MOST_CORES)
        check_at_least(self, {"checkpoint_every": 0})
        if self.resume is not None and self.seeds is not None:
            raise UserError(
                "--resume with --seeds: a run has one seed. Omit --seeds, and resume "
                "each run by its folder."
            )
        if self.seeds is not None:
            parse_seeds(self.seeds)
        if self.workers > 1 and self.seeds is None:
            raise UserError(
                f"--workers {self.workers}: needs --seeds, because one training takes "
                "one worker. Add e.g. --seeds 0-4, or omit --workers."
            )


def parse_recipe(
    config_type: type[Config],
    flags: Sequence[str],
    prog: str,
    description: str,
    usual: Config | None = None,
) -> tuple[Config, RunOptions]:
    """Return the recipe's own flags and those that every recipe has.

    Args:
        config_type: The recipe's dataclass.
        flags: As typed.
        prog: Name of the program for `--help`.
        description: Of the program for `--help`.
        usual: Values of the flags that were not typed; None: the recipe's defaults.
    """
    # A subclass, since tyro reads the help of a flag where its class is written.
    both = dataclasses.make_dataclass(
        "Options",
        [("run", RunOptions, RunOptions())],
        bases=(config_type,),
        frozen=True,
    )
    known = both.__dataclass_fields__
    ranks = {name: _rank(getattr(config_type, name, None)) for name in known}
    # The groups of `--help` come in the order of the fields.
    both.__dataclass_fields__ = {n: known[n] for n in sorted(known, key=ranks.get)}
    names = [field.name for field in dataclasses.fields(config_type)]
    values = {} if usual is None else {name: getattr(usual, name) for name in names}
    default = None if usual is None else both(**values)
    parsed = parse(both, flags, prog, description, default)
    config = config_type(**{name: getattr(parsed, name) for name in names})
    return config, parsed.run


def _rank(part: object) -> int:
    """Return the place of a group of flags in `--help`: the layer's many come last."""
    if isinstance(part, RecurrentConfig):
        return 2
    return int(not isinstance(part, TrainingConfig))
