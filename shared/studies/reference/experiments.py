"""The trainings of the reference: those that the recipes declare."""

from __future__ import annotations

import re
import typing
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shared.core.errors import UserError, format_value
from shared.core.recipes import list_recipes
from shared.runs.reader import Run
from shared.sweeps.trial import TrialBase, load_defaults, load_flags

FEWEST_SEEDS = 3  # for a recipe with slow epochs
SLOW = 60  # seconds per epoch
WEATHERS = ("jena-2009-2016", "jena-2020")


@dataclass(frozen=True)
class Experiment:
    """A recipe with some flags, trained with several seeds.

    Attributes:
        recipe: Name with dashes.
        changes: Field name and value of every flag that differs from the recipe's
            defaults, in the order of its settings.
    """

    recipe: str
    changes: tuple[tuple[str, Any], ...] = ()

    @property
    def label(self) -> str:
        """The recipe and its flags, as `shared.runs.groups` labels a group of runs."""
        return " ".join(filter(None, [self.recipe, self.flags]))

    @property
    def flags(self) -> str:
        """The flags as on a command line."""
        return " ".join(format_value(name, value) for name, value in self.changes)

    @property
    def slug(self) -> str:
        """The flags as part of a folder name; empty without flags."""
        return re.sub(r"[^a-z0-9.]+", "-", self.flags.lower()).strip("-")

    def list_data(self, weather: str) -> dict[str, str]:
        """Return the flag that selects real data; empty for generated tasks.

        Args:
            weather: One of `WEATHERS`.
        """
        flag = load_flags(self.recipe).get("data")
        choices = typing.get_args(flag.hint) if flag else ()
        found = [name for name in ("imdb", weather) if name in choices]
        return {"data": found[0]} if found else {}


@dataclass(frozen=True)
class ReferenceTrial(TrialBase):
    """One training: an experiment with one seed."""

    experiment: Experiment
    seed: int
    weather: str

    @property
    def label(self) -> str:
        """Name for one line of output."""
        return f"{self.experiment.label}, seed {self.seed}"

    @property
    def changes(self) -> dict[str, Any]:
        """Every flag on the command line except the seed."""
        data = self.experiment.list_data(self.weather)
        return dict(self.experiment.changes) | data

    @property
    def recipe(self) -> str:
        """Name of the recipe."""
        return self.experiment.recipe


def make_experiment(recipe: str, **changes: Any) -> Experiment:
    """Return an experiment; changes that equal the defaults are dropped."""
    defaults = load_defaults(recipe)
    kept = {k: changes[k] for k in defaults if k in changes}
    return Experiment(
        recipe, tuple((k, value) for k, value in kept.items() if value != defaults[k])
    )


def list_experiments(recipes: Sequence[str] = ()) -> list[Experiment]:
    """Return the experiments that recipes declare in `REFERENCE`.

    Args:
        recipes: Names with dashes or underscores; empty means all published recipes.
            A private recipe that is named here has one experiment, its defaults.

    Raises:
        UserError: If there is no such recipe.
    """
    known = list_recipes()
    wanted = [name.replace("_", "-") for name in recipes]
    for name in wanted:
        if name not in known:
            raise UserError(f"--recipes {name}: no such recipe. make help lists them.")
    experiments = []
    for name in wanted or known:
        declared = known[name].reference or (({},) if wanted else ())
        experiments += [make_experiment(name, **changes) for changes in declared]
    return list(dict.fromkeys(experiments))


def has_slow_epochs(runs: Sequence[Run]) -> bool:
    """Return whether an epoch of some run took more than `SLOW` seconds."""
    return any(run.summary["seconds_per_epoch"] > SLOW for run in runs)


def find_weather() -> str:
    """Return the weather file found here, else the one that can be downloaded."""
    from shared.data.sources import find_source
    from shared.data.weather.dataset import FILES

    for name in WEATHERS:
        try:
            source, _ = find_source(FILES[name], None, None, None)
        except UserError:  # not in the folder of the user, who may train on text only
            continue
        if source is not None:
            return name
    return WEATHERS[0]
