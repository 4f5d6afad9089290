"""What a trial is: a recipe, its settings, its data and a seed.

A run folder is enough to tell that a trial is done. No list of finished trials exists.
"""

from __future__ import annotations

import sys
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from shared.core.environment import PROJECT
from shared.core.errors import format_value
from shared.core.recipes import hash_recipe, load_recipe
from shared.core.roles import REPEATS, Flag, Role, list_flags, read_settings
from shared.runs.reader import Run
from shared.sweeps.data_files import identify_data


class TrialBase:
    """One training. A subclass says which.

    Attributes:
        recipe: Name of the recipe, with dashes.
        changes: Value of every flag that differs from the recipe's defaults, by name,
            without the seed. Values are as JSON holds them.
        seed: Seed of the training.
        label: Name of the training in one line.
        sha256: Hash of the data that the trial reads, in the form of `identify_data`;
            None if it is not known yet.
        is_tested: Whether the run must have scored the test set.
    """

    recipe: str
    changes: Mapping[str, Any]
    seed: int
    label: str
    sha256: str | None = None
    is_tested: bool = False

    def command(self, results_dir: Path) -> list[str]:
        """Return the command line of the training, without `--threads`."""
        settings = dict(self.changes) | {"seed": self.seed}
        return format_command(self.recipe, settings, results_dir)

    def is_made_by(self, run: Run, versions: dict[str, str]) -> bool:
        """Return whether a run is this training, finished, with these versions."""
        return (
            run.state == "finished"
            and not (self.is_tested and run.summary["test"] is None)
            and self.is_same(run, versions)
        )

    def is_same(self, run: Run, versions: dict[str, str]) -> bool:
        """Return whether a run has the settings, data, seed and versions of this trial.

        Every setting must have its value of today. A setting that the suite resolves
        must have been requested in the same way. A flag that did not exist yet is
        ignored, because the default of a new flag changes nothing. Where the data come
        from and how the numbers are computed does not count. How much of the data is
        read counts.
        """
        if run.seed != self.seed or run.recipe != self.recipe:
            return False
        requested = self.changes
        settings, changed = run.settings, run.config["changed"]
        flags = load_flags(run.recipe)
        free = _list_free(run.recipe)
        for name, value in requested.items():  # first, since these differ most often
            if name in free:
                continue
            if (name not in settings and name not in changed) or (
                not flags[name].resolved and settings.get(name) != value
            ):
                return False
        if run.config["versions"] != versions or not self._is_same_data(run):
            return False
        code = run.config.get("recipe_code")
        if code is not None and code != hash_recipe(run.recipe):
            return False
        expected = load_defaults(run.recipe)
        if not (settings.keys() | changed.keys()) <= expected.keys():
            return False
        for name, value in expected.items():
            if name in free:
                continue
            if flags[name].resolved:
                wanted = requested.get(name, value)
                if changed.get(name, value) != wanted:
                    return False
            elif name in settings and settings[name] != requested.get(name, value):
                return False
        return not any(
            name not in free and name not in requested and value != expected[name]
            for name, value in changed.items()
            if not flags[name].resolved
        )

    def _is_same_data(self, run: Run) -> bool:
        named = self.changes.get("data", "auto")
        if named == "sample":
            return run.config["data_facts"].get("is_sample", False)
        if named != "auto":
            rest = run.data.removeprefix(named)  # jena-2020-6h is jena-2020 too
            if rest == run.data or rest == "-sample" or rest[:1] not in ("", "-"):
                return False
        return self.sha256 is None or identify_data(run) == self.sha256


@dataclass(frozen=True)
class Trial(TrialBase):
    """A training that is described by its values."""

    recipe: str
    changes: Mapping[str, Any]
    seed: int
    label: str
    sha256: str | None = None
    is_tested: bool = False


def format_command(
    recipe: str, settings: Mapping[str, Any], results_dir: Path
) -> list[str]:
    """Return the command line that trains a recipe.

    Args:
        recipe: Name of the recipe, with dashes.
        settings: Flags by field name.
        results_dir: Folder of all runs.
    """
    path = PROJECT / "recipes" / f"{recipe.replace('-', '_')}.py"
    every = dict(settings) | {"results_dir": results_dir}
    texts = {
        name: ",".join(map(str, value)) if isinstance(value, list | tuple) else value
        for name, value in every.items()
    }
    flags = [format_value(name, value) for name, value in texts.items()]
    words = [word for flag in flags for word in flag.split(" ", 1)]
    return [sys.executable, str(path), *words]


def takes_type(flag: Flag, kind: type) -> bool:
    """Return whether a flag accepts values of a type: `Path | None` accepts `Path`."""
    return kind in (flag.hint, *typing.get_args(flag.hint))


@cache
def load_flags(recipe: str) -> dict[str, Flag]:
    """Return the flags of a recipe at its defaults, by name."""
    return {flag.name: flag for flag in list_flags(load_recipe(recipe).Config())}


@cache
def load_defaults(recipe: str) -> dict[str, Any]:
    """Return the flat default settings of a recipe, in the form of JSON."""
    return flatten(load_recipe(recipe).Config())


def flatten(config: Any) -> dict[str, Any]:
    """Return the flat settings of a config, in the form of JSON."""
    values = read_settings(config).values
    return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}


@cache
def _list_free(recipe: str) -> frozenset[str]:
    """Return the flags that do not decide which training it is."""
    return frozenset(
        name
        for name, flag in load_flags(recipe).items()
        if flag.role in REPEATS
        and not (flag.role is Role.SOURCE and takes_type(flag, int))
    )
