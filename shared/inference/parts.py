"""The settings of a run that say what its network reads and predicts."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar

from shared.core.errors import UserError
from shared.core.recipes import load_recipe
from shared.inference.rebuild import restore_config
from shared.runs.reader import Run

Part = TypeVar("Part")


def list_parts(run: Run) -> dict[type, str]:
    """Return the type of each part of the recipe's settings, and its name.

    Empty if the recipe no longer exists.
    """
    recipe = load_recipe(run.recipe)
    if recipe is None:
        return {}
    default = recipe.Config()
    return {
        type(getattr(default, field.name)): field.name
        for field in dataclasses.fields(default)
    }


def restore_part(run: Run, kind: type[Part]) -> Part:
    """Return a part of the settings of a run.

    Args:
        run: Its recipe has such a part.
        kind: Type of the part.

    Raises:
        UserError: If the recipe has other flags today.
    """
    default: Any = load_recipe(run.recipe).Config()
    try:
        config, _ = restore_config(default, run.settings)
    except UserError as error:
        raise UserError(f"{run.path}: {error}") from None
    return getattr(config, list_parts(run)[kind])
