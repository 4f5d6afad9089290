"""Which trainings the reference asks for: every recipe, and what the claims need."""

from __future__ import annotations

import importlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from shared.errors import UserError, spell_value
from shared.flags import list_settings
from shared.groups import NO_EXPERIMENT
from shared.help import list_recipes
from shared.runs import Run
from shared.trials import spell_command

FEWEST_SEEDS = 3  # of a recipe whose epochs are slow
SLOW = 60  # seconds per epoch
# What a recipe settles by itself where it was not asked for.
SETTLED = {"kernel", "cudnn", "jit", "mask"}
WEATHERS = ("jena-2009-2016", "jena-2020")

# Beside every recipe at its defaults: what a claim is held against.
VARIANTS: tuple[tuple[str, dict[str, Any]], ...] = (
    # The tutorials' own computation.
    ("imdb-gru", {"batching": "fixed"}),
    ("imdb-lstm", {"batching": "fixed"}),
    ("imdb-simple-rnn", {"batching": "fixed"}),
    ("imdb-stacked-simple-rnn", {"batching": "fixed"}),
    ("imdb-bidirectional-lstm", {"batching": "fixed"}),
    # Time turned round.
    ("imdb-gru", {"go_backwards": True}),
    ("weather-gru", {"reverse": True}),
    # The same without its recurrent dropout.
    ("imdb-gru-dropout", {"recurrent_dropout": 0.0}),
    ("weather-gru-dropout", {"recurrent_dropout": 0.0}),
    # The dropout of weather-conv1d-gru and weather-stacked-gru.
    ("weather-gru-dropout", {"dropout": 0.1, "recurrent_dropout": 0.5}),
)


@dataclass(frozen=True)
class Experiment:
    """A recipe with some flags, to be trained with several seeds.

    Attributes:
        recipe: Its name with dashes.
        changes: Field name and value of every flag that differs from its defaults, in
            the order of its settings.
    """

    recipe: str
    changes: tuple[tuple[str, Any], ...] = ()

    @property
    def label(self) -> str:
        """The recipe and its flags, as `shared.groups` labels a group of runs."""
        return " ".join(filter(None, [self.recipe, self.flags]))

    @property
    def flags(self) -> str:
        """The flags as they are typed."""
        return " ".join(spell_value(name, value) for name, value in self.changes)

    @property
    def slug(self) -> str:
        """The flags as a part of a folder's name; empty if there are none."""
        return re.sub(r"[^a-z0-9.]+", "-", self.flags.lower()).strip("-")

    def list_data(self, weather: str) -> dict[str, str]:
        """Return the flag that asks for real data; empty for generated tasks.

        Args:
            weather: One of `WEATHERS`.
        """
        defaults = load_defaults(self.recipe)
        if "data" not in defaults:
            return {}
        return {"data": "imdb" if "vocabulary" in defaults else weather}


@dataclass(frozen=True)
class ReferenceTrial:
    """One training: an experiment with one seed."""

    experiment: Experiment
    seed: int
    weather: str

    @property
    def label(self) -> str:
        """Name it in a line."""
        return f"{self.experiment.label}, seed {self.seed}"

    @property
    def changes(self) -> dict[str, Any]:
        """Every flag that is named, but the seed."""
        data = self.experiment.list_data(self.weather)
        return dict(self.experiment.changes) | data

    def command(self, results_dir: Path) -> list[str]:
        """Return the command line of the training, without `--threads`."""
        settings = self.changes | {"seed": self.seed}
        return spell_command(self.experiment.recipe, settings, results_dir)

    def is_made_by(self, run: Run, versions: dict[str, str]) -> bool:
        """Return whether a run is this training, finished, under these versions.

        Every setting has to be what it is today, those that recipes settle by
        themselves as far as they were asked for. A flag that did not exist then is
        passed over, since a new flag changes nothing by default.
        """
        if run.recipe != self.experiment.recipe or run.state != "finished":
            return False
        if run.seed != self.seed or run.config["versions"] != versions:
            return False
        if run.data != self.changes.get("data", run.data):
            return False
        asked = dict(self.experiment.changes)
        expected = load_defaults(run.recipe) | asked
        settings, changed = run.config["settings"], run.config["changed"]
        free = NO_EXPERIMENT - {"limit"} | SETTLED
        known = {k: v for k, v in expected.items() if k in settings or k in asked}
        return (
            settings.keys() <= expected.keys()
            and all(settings.get(k) == v for k, v in known.items() if k not in free)
            and all(changed.get(name) == asked.get(name) for name in SETTLED)
        )


@cache
def load_defaults(recipe: str) -> dict[str, Any]:
    """Return the flat default settings of a recipe, as JSON would hand them back."""
    module = importlib.import_module(f"recipes.{recipe.replace('-', '_')}")
    settings = list_settings(module.Config())
    return {k: list(v) if isinstance(v, tuple) else v for k, v in settings.items()}


def make_experiment(recipe: str, **changes: Any) -> Experiment:
    """Return an experiment without the changes that are the recipe's defaults."""
    defaults = load_defaults(recipe)
    kept = {k: changes[k] for k in defaults if k in changes}
    return Experiment(
        recipe, tuple((k, value) for k, value in kept.items() if value != defaults[k])
    )


def list_experiments(recipes: Sequence[str] = ()) -> list[Experiment]:
    """Return every recipe at its defaults, each followed by its variants.

    Args:
        recipes: Names with dashes or underscores; empty means all.

    Raises:
        UserError: If there is no such recipe.
    """
    known = list_recipes()
    wanted = [name.replace("_", "-") for name in recipes]
    for name in wanted:
        if name not in known:
            raise UserError(f"--recipes {name}: no such recipe; make help lists them.")
    experiments = []
    for recipe in wanted or known:
        experiments.append(Experiment(recipe))
        experiments += [make_experiment(r, **c) for r, c in VARIANTS if r == recipe]
    return list(dict.fromkeys(experiments))


def find_weather() -> str:
    """Return which weather file is here; else the one that can be downloaded.

    Raises:
        UserError: If the user's data folder does not exist.
    """
    from shared.data.sources import find_source
    from shared.data.weather import FILES

    for name in WEATHERS:
        if find_source(FILES[name], None, None, None)[0] is not None:
            return name
    return WEATHERS[0]
