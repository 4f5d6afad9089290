"""What a saved run was made of: its recipe, data and first weights, without training.

A recipe opens its run folder once data and model stand and before anything is fitted.
Called with the settings of a saved run and a folder that stops there, it hands over
that run's splits and, since the seed and the order of draws are the same, its first
weights. They are those of the code and the Keras of today; `config.json` says which
ones the run had.
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import typing
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

from shared.backend import import_keras
from shared.baselines.bars import Bar, without_slow_bars
from shared.errors import UserError, spell_flag, spell_value
from shared.flags import list_settings, settle
from shared.metrics import ACCURACY, Score
from shared.run_folder import RunFolder
from shared.runs import Run

if TYPE_CHECKING:
    import keras

    from shared.data.splits import Splits

Config = TypeVar("Config")
# What computes the numbers decides no weight, and may not be had on this machine.
ANYWHERE = {"kernel": "keras", "cudnn": "off", "jit": "off"}


@dataclass(frozen=True)
class Rehearsal:
    """A run as it stood before training.

    Attributes:
        splits: Its data.
        model: Compiled, with its first weights.
    """

    splits: Splits
    model: keras.Model


def rehearse(run: Run, data_dir: Path | None = None) -> Rehearsal:
    """Build the data and the untrained model of a saved run again.

    Seeds Python, NumPy and Keras with the run's seed. Writes nothing.

    Args:
        run: Of any recipe that is still there.
        data_dir: Where its data file lies now; None looks where the run did.

    Raises:
        UserError: If the recipe is gone, has no such settings any more, or finds
            other data than those of the run.
    """
    recipe = _import_recipe(run)
    settings = run.config["settings"]
    settings = settings | {k: v for k, v in ANYWHERE.items() if k in settings}
    if data_dir is not None and "data_dir" in settings:
        settings["data_dir"] = str(data_dir)
    try:
        config, missing = restore_config(recipe.Config, settings)
    except UserError as error:
        raise UserError(f"{run.path}: {error}") from None
    if missing:
        told = ", ".join(spell_value(name, value) for name, value in missing.items())
        print(f"{run.path}: is older than some flags; taken as today's {told}.")
    config = settle(config)
    import_keras()
    stage = _Stage(run.recipe, list_settings(config), {}, "")
    try:
        with without_slow_bars():
            recipe.run(config, stage)
    except _BeforeTraining:
        _check_data(run, stage.rehearsal.splits)
        return stage.rehearsal
    raise RuntimeError(f"{recipe.__name__}.run never opened its run folder.")


def restore_config(
    config_type: type[Config], settings: dict[str, Any]
) -> tuple[Config, dict[str, Any]]:
    """Build a recipe's config from the flat settings of `shared.flags.list_settings`.

    Args:
        config_type: The recipe's frozen dataclass.
        settings: By name, as read from JSON.

    Returns:
        The config, and the settings that were missing with the recipe's defaults,
        which stand in for them.

    Raises:
        UserError: If there is a setting that the recipe does not have.
    """
    default = config_type()
    usual = list_settings(default)
    if unknown := [name for name in settings if name not in usual]:
        flags = ", ".join(map(spell_flag, unknown))
        raise UserError(
            f"was made with {flags}, which this version of the recipe does not have; "
            "train it anew, or read it with the code of the commit in its config.json."
        )
    missing = {name: usual[name] for name in usual if name not in settings}
    return _fill(default, settings), missing


def _fill(part: Config, settings: dict[str, Any]) -> Config:
    """Return a (nested) dataclass with its fields taken from flat settings."""
    hints = typing.get_type_hints(type(part))
    changes = {}
    for field in dataclasses.fields(part):
        value = getattr(part, field.name)
        if dataclasses.is_dataclass(value):
            changes[field.name] = _fill(value, settings)
        elif field.name in settings:
            changes[field.name] = _from_json(settings[field.name], hints[field.name])
    return dataclasses.replace(part, **changes)


def _from_json(value: Any, hint: Any) -> Any:
    """Turn a value into what JSON has no word for: a path, a tuple."""
    if isinstance(value, list):
        return tuple(value)
    is_path = hint is Path or Path in typing.get_args(hint)
    return Path(value) if is_path and value is not None else value


def _import_recipe(run: Run) -> ModuleType:
    name = run.recipe.replace("-", "_")
    if not name.isidentifier() or not importlib.util.find_spec(f"recipes.{name}"):
        raise UserError(
            f"{run.path}: there is no recipe {run.recipe} any more (make help lists "
            "them); name a run of another."
        )
    return importlib.import_module(f"recipes.{name}")


def _check_data(run: Run, splits: Splits) -> None:
    """Refuse other data than those the run was trained on."""
    sizes = run.config.get("data_facts", {}).get("examples", {})
    now = {part: len(getattr(splits, part)) for part in sizes}
    sha256 = splits.facts.get("sha256", "")
    if (splits.data, sha256, now) != (run.data, run.data_hash, sizes):
        raise UserError(
            f"{run.path}: was made on {_spell_data(run.data, run.data_hash, sizes)}; "
            f"here is {_spell_data(splits.data, sha256, now)}. Name the folder of the "
            "file it read with --data-dir."
        )


def _spell_data(name: str, sha256: str, sizes: dict[str, int]) -> str:
    told = [f"SHA-256 {sha256[:8]}..."] if sha256 else []
    told += [f"{count:,} {part}" for part, count in sizes.items()]
    return f"{name} ({', '.join(told)})" if told else name


class _BeforeTraining(Exception):  # noqa: N818  no error: the way out of a recipe
    """The run folder was opened: data and model stand, nothing is fitted."""


class _Stage(RunFolder):
    """A run folder that keeps what it is opened with, and goes no further."""

    def open(
        self,
        splits: Splits,
        bars: list[Bar],
        model: keras.Model,
        score: Score = ACCURACY,
    ) -> None:
        """Keep data and model, and leave the recipe."""
        self.rehearsal = Rehearsal(splits, model)
        raise _BeforeTraining
