"""A saved run as it was before training: its config, data and first weights.

The seed and the order of the random draws are the same as in the run. So the first
weights are the same, if code and Keras have the versions that `config.json` names.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from shared.core.backend import import_keras, set_up_numbers
from shared.core.errors import UserError, format_flag, format_value
from shared.core.flags import resolve_config
from shared.core.recipes import load_recipe
from shared.core.roles import list_flags, read_settings
from shared.runs.lineage import check_same_data
from shared.runs.reader import Run
from shared.training.config import set_seed

if TYPE_CHECKING:
    import keras

    from shared.data.splits import Splits

Config = TypeVar("Config")


@dataclass(frozen=True)
class RebuiltRun:
    """A run before training.

    Attributes:
        config: Of its recipe.
        data: Its examples.
        model: With its first weights, not compiled.
    """

    config: Any
    data: Splits
    model: keras.Model


def rebuild_run(run: Run, data_dir: Path | None = None) -> RebuiltRun:
    """Build the data and the untrained model of a saved run again.

    Seeds Python, NumPy and Keras with the run's seed. Writes nothing.

    Args:
        run: Of any recipe that still exists.
        data_dir: Where its data file is now; None: the folder of the run.

    Raises:
        UserError: If the recipe no longer exists, no longer has these flags, or finds
            other data than the run.
    """
    recipe = load_recipe(run.recipe)
    if recipe is None:
        raise UserError(
            f"{run.path}: the recipe {run.recipe} no longer exists. make help lists "
            "the recipes. Name a run of another one."
        )
    default = recipe.Config()
    # A kernel does not change the weights, and this machine may lack it.
    portable = {
        flag.name: flag.resolved.portable
        for flag in list_flags(default)
        if flag.resolved and flag.resolved.portable is not None
    }
    settings = run.settings | {k: v for k, v in portable.items() if k in run.settings}
    is_sample = run.config["data_facts"].get("is_sample", False)
    if data_dir is not None and "data_dir" in settings and not is_sample:
        settings["data_dir"] = str(data_dir)
    try:
        config, missing = restore_config(default, settings)
    except UserError as error:
        raise UserError(f"{run.path}: {error}") from None
    if missing:
        flags = ", ".join(format_value(name, value) for name, value in missing.items())
        print(f"{run.path}: older than some flags. Their defaults are used: {flags}.")
    config = resolve_config(config)
    import_keras()
    set_up_numbers(run.settings.get("precision", "float32"))
    set_seed(run.seed)
    data = recipe.load_data(config)
    check_same_data(run, data)
    return RebuiltRun(config, data, recipe.build_model(config, data))


def restore_config(
    default: Config, settings: dict[str, Any]
) -> tuple[Config, dict[str, Any]]:
    """Build a recipe's config from flat settings, as `read_settings` gives them.

    Args:
        default: The recipe's config at its defaults.
        settings: By name, as read from JSON.

    Returns:
        The config, and the recipe's defaults that replace missing settings.

    Raises:
        UserError: If the recipe does not have one of the settings.
    """
    usual = read_settings(default).values
    if unknown := [name for name in settings if name not in usual]:
        flags = ", ".join(map(format_flag, unknown))
        raise UserError(
            f"the run has {flags}, which this version of the recipe does not have. "
            "Train it again, or use the code of the commit in its config.json."
        )
    missing = {name: usual[name] for name in usual if name not in settings}
    hints = {flag.name: flag.hint for flag in list_flags(default)}
    return _fill(default, settings, hints), missing


def _fill(part: Config, settings: dict[str, Any], hints: dict[str, Any]) -> Config:
    """Return a (nested) dataclass with its fields replaced by flat settings."""
    changes = {}
    for field in dataclasses.fields(part):
        value = getattr(part, field.name)
        if dataclasses.is_dataclass(value):
            changes[field.name] = _fill(value, settings, hints)
        elif field.name in settings:
            changes[field.name] = _from_json(settings[field.name], hints[field.name])
    return dataclasses.replace(part, **changes)


def _from_json(value: Any, hint: Any) -> Any:
    """Return a value from JSON as a path or a tuple where the flag needs it."""
    import typing

    if isinstance(value, list):
        return tuple(value)
    kinds = typing.get_args(hint)
    is_path = hint is Path or Path in kinds
    if value is None or any(value in typing.get_args(kind) for kind in kinds):
        return value  # one of the words that stand beside a path
    return Path(value) if is_path else value
