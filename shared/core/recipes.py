"""The recipes of this project: listed without an import, loaded by name.

This is the only place under `shared/` that reaches the modules in `recipes/`.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
FOLDER = PROJECT / "recipes"


@dataclass(frozen=True)
class RecipeInfo:
    """What a recipe file says about itself.

    Attributes:
        name: Name with dashes, e.g. `imdb-gru`.
        question: First line of the docstring.
        varies: What the recipe changes, from `VARIES`; empty if it does not say.
        reference: The flags of each published experiment, from `REFERENCE`; an empty
            dict is the recipe at its defaults. A private recipe has none.
    """

    name: str
    question: str
    varies: str = ""
    reference: tuple[dict[str, Any], ...] = ()


def list_recipes(folder: Path | None = None) -> dict[str, RecipeInfo]:
    """Return every recipe by its name with dashes. Nothing is imported."""
    found = {}
    for path in sorted((folder or FOLDER).glob("[a-z]*.py")):
        name = path.stem.replace("_", "-")
        found[name] = _read_recipe(name, path.read_text(encoding="utf-8"))
    return found


@cache
def _read_recipe(name: str, text: str) -> RecipeInfo:
    """Return what the text of a recipe says; a process asks after each training."""
    tree = ast.parse(text)
    constants = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and node.targets[0].id in ("VARIES", "REFERENCE")
    }
    return RecipeInfo(
        name,
        (ast.get_docstring(tree) or "").partition("\n")[0],
        constants.get("VARIES", ""),
        tuple(constants.get("REFERENCE", ())),
    )


def load_recipe(name: str) -> Any | None:
    """Return the module of a recipe; None if there is no such recipe.

    Args:
        name: Name with dashes.

    Returns:
        A module with `Config`, `load_data`, `build_model` and `run`.
    """
    stem = name.replace("-", "_")
    if not stem.isidentifier() or not importlib.util.find_spec(f"recipes.{stem}"):
        return None
    return importlib.import_module(f"recipes.{stem}")


@cache
def hash_recipe(name: str) -> str | None:
    """Return a hash of the code of a recipe; None if there is no such file.

    Comments, docstrings and layout do not change it.

    Args:
        name: Name with dashes.
    """
    path = FOLDER / f"{name.replace('-', '_')}.py"
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):
        return None
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [one for one in body if not _is_text(one)]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


def _is_text(node: ast.AST) -> bool:
    """Return whether a statement is only a text, such as a docstring."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
