"""The trials of a sweep, and the folder that describes it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.core.errors import UserError
from shared.core.recipes import load_recipe
from shared.core.text import shorten
from shared.inference.rebuild import restore_config
from shared.studies.sweep.space import (
    Range,
    Space,
    check_recipes,
    choose_default_space,
    format_changes,
    make_changes,
    read_space,
)
from shared.sweeps.data_files import DataFile, find_data_file
from shared.sweeps.seeds import parse_seeds
from shared.sweeps.trial import Trial, load_defaults

MOST_TRIALS = 10_000
"""Most trials of a sweep without `--yes`."""


@dataclass
class Plan:
    """What a sweep tries.

    Attributes:
        name: Of the sweep and of its folder.
        recipes: Names with dashes.
        spaces: Recipe -> what it tries.
        seeds: Each setting is trained with each of them. A search has one.
        search: `grid`, `random` or `tpe`.
        fixed: Recipe -> settings that all its trials share.
        files: Recipe -> its data file.
    """

    name: str
    recipes: list[str]
    spaces: dict[str, Space]
    seeds: list[int]
    search: str = "grid"
    fixed: dict[str, dict[str, Any]] = field(default_factory=dict)
    files: dict[str, DataFile | None] = field(default_factory=dict)

    def list_trials(self) -> list[Trial]:
        """Return the trials of a grid. All settings of one seed come first."""
        trials = []
        for seed in self.seeds:
            for recipe in self.recipes:
                space = self.spaces[recipe]
                for values in itertools.product(*space.values()):
                    chosen = dict(zip(space, values, strict=True))
                    trials.append(self.make_trial(recipe, chosen, seed, True))
        return trials

    def make_trial(
        self, recipe: str, values: Mapping[str, Any], seed: int, is_tested: bool
    ) -> Trial:
        """Return a trial of some settings, with those that all trials share.

        Raises:
            UserError: If the recipe refuses a value.
        """
        changes = make_changes(recipe, self.fixed[recipe] | dict(values))
        label = f"{recipe} {self.describe_changes(recipe, changes)}, seed {seed}"
        file = self.files[recipe]
        sha256 = file.identity if file else None
        return Trial(recipe, changes, seed, label, sha256, is_tested)

    def describe_changes(self, recipe: str, changes: Mapping[str, Any]) -> str:
        """Return flags as on a command line, without those that all trials share."""
        fixed = self.fixed[recipe]
        return format_changes({k: v for k, v in changes.items() if k not in fixed})

    def describe(self) -> dict[str, Any]:
        """Return what makes this sweep another one, ready for JSON."""
        spaces = {
            recipe: {
                name: choices.describe() if isinstance(choices, Range) else choices
                for name, choices in space.items()
            }
            for recipe, space in self.spaces.items()
        }
        facts = {"search": self.search, "spaces": spaces, "fixed": self.fixed}
        return facts | {"seeds": self.seeds}


def make_plan(
    name: str, recipes: Sequence[str], seeds: str, grid: Sequence[str],
    ranges: Sequence[str], search: str,
) -> Plan:  # fmt: skip
    """Return what a sweep tries.

    Raises:
        UserError: If a recipe, a flag or a value does not exist, or does not fit.
    """
    recipes = check_recipes(recipes)
    numbers = parse_seeds(seeds)
    if search == "grid" and ranges:
        raise UserError(
            f"--range {shorten(ranges[0])}: a grid takes values. Add --search random "
            "or --search tpe, or use --grid."
        )
    if search != "grid":
        if len(recipes) > 1:
            raise UserError(
                f"--search {search}: takes one recipe, and there are {len(recipes)}."
            )
        if len(numbers) > 1:
            raise UserError(
                f"--seeds {seeds} with --search {search}: a search trains with one "
                "seed. --confirm-seeds trains what it chose on others."
            )
    spaces, fixed, files = {}, {}, {}
    for recipe in recipes:
        space = read_space(recipe, grid, ranges)
        single = {k: v for k, v in space.items() if _is_single(v)}
        fixed[recipe] = {k: v[0] for k, v in single.items()}
        spaces[recipe] = {k: v for k, v in space.items() if k not in single}
        if search != "grid" and not spaces[recipe]:
            default = choose_default_space(recipe)
            spaces[recipe] = {k: v for k, v in default.items() if k not in single}
        changes = make_changes(recipe, fixed[recipe])
        settings = load_defaults(recipe) | changes
        config, _ = restore_config(load_recipe(recipe).Config(), settings)
        files[recipe] = find_data_file(config)
    name = name or "+".join(recipes)
    if len(name) > 100 or name.startswith(".") or "/" in name:
        raise UserError(f"--name {shorten(name)}: takes a short name of a folder.")
    return Plan(name, recipes, spaces, numbers, search, fixed, files)


def check_size(
    recipes: Sequence[str], seeds: str, grid: Sequence[str], search: str, yes: bool
) -> None:
    """Refuse a sweep that is large by mistake, before any of its values is read.

    Raises:
        UserError: With the number of trials.
    """
    sizes = [len(set(text.partition("=")[2].split(","))) for text in grid]
    if search == "grid":
        count = math.prod(sizes) * len(recipes) * len(parse_seeds(seeds))
        if count > MOST_TRIALS and not yes:
            raise UserError(
                f"The grid has {count:,} trials, and more than {MOST_TRIALS:,} need "
                "--yes. Take fewer values or seeds, or --search random --trials 60."
            )
        return
    for text, size in zip(grid, sizes, strict=True):
        if size > MOST_TRIALS and not yes:
            raise UserError(
                f"--grid {shorten(text)}: has {size:,} values, and more than "
                f"{MOST_TRIALS:,} need --yes. Use --range for numbers."
            )


def _is_single(choices: list[Any] | Range) -> bool:
    return isinstance(choices, list) and len(choices) == 1
