"""Start a recipe of your own from a copy of another one.

    make new-recipe FROM=imdb-gru NAME=imdb-gru-relu
    python -m shared.commands.new_recipe --source imdb-gru --name imdb-gru-relu

Needs nothing but Python, so that it works before anything is installed.
"""

from __future__ import annotations

import argparse
import ast
import keyword
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from shared.commands.help import list_targets
from shared.core import recipes as recipe_files
from shared.core.errors import UserError
from shared.core.files import write_text
from shared.core.recipes import PROJECT, list_recipes

DOCSTRING = '''\
"""How does {name} compare with {source}?

A copy of {source}. Write here what it does and why.

    make {name}        python recipes/{stem}.py

Compare with {source}: `make compare RUNS="{name} {source}"`.
"""
'''
NEXT_STEPS = """\
Saved {path}
Next:
  1. Write the question of your recipe in the first line of its docstring.
  2. Write in VARIES what it changes, and change it in Config or build_model.
  3. make {name}
  4. make compare RUNS="{name} {source}\""""


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the flags and write the file. Status 2 after a bad input."""
    parser = argparse.ArgumentParser(
        prog="python -m shared.commands.new_recipe", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--source", default="", help="recipe to copy, e.g. imdb-gru")
    parser.add_argument("--name", default="", help="name of the copy, with dashes")
    options = parser.parse_args(arguments)
    try:
        path = copy_recipe(options.source, options.name)
    except (UserError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    source, name = options.source.replace("_", "-"), options.name.replace("_", "-")
    print(NEXT_STEPS.format(path=path, name=name, source=source))


def copy_recipe(source: str, name: str, folder: Path | None = None) -> Path:
    """Copy a recipe under another name. The copy is private: it is published nowhere.

    Args:
        source: Name of a recipe.
        name: Name of the copy: lower-case words and numbers with dashes.
        folder: Of the recipes; None takes that of the project.

    Returns:
        The new file.

    Raises:
        UserError: If there is no such recipe, or the name cannot be used.
    """
    source, name = source.replace("_", "-"), name.replace("_", "-")
    folder = folder or recipe_files.FOLDER
    recipes = list_recipes(folder)
    if source not in recipes:
        raise UserError(
            f"FROM={source}: no such recipe. Recipes: {', '.join(recipes)}."
        )
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name) or keyword.iskeyword(
        name
    ):
        raise UserError(
            f"NAME={name}: not the name of a recipe. Use lower-case words and numbers "
            "with dashes, e.g. NAME=imdb-gru-relu."
        )
    if name in recipes or name in list_targets(PROJECT / "Makefile"):
        raise UserError(f"NAME={name}: exists already. Choose another name.")
    stem, old_stem = name.replace("-", "_"), source.replace("-", "_")
    text = (folder / f"{old_stem}.py").read_text(encoding="utf-8")
    replacements = {
        "docstring": DOCSTRING.format(name=name, source=source, stem=stem),
        "VARIES": f'VARIES = "{source}: write here what differs"\n',
        "REFERENCE": "REFERENCE = ()\n",
    }
    lines = text.splitlines(keepends=True)
    for node in reversed(ast.parse(text).body):
        if (key := _name_statement(node)) in replacements:
            lines[node.lineno - 1 : node.end_lineno] = [replacements[key]]
    copied = "".join(lines).replace(f'name="{old_stem}"', f'name="{stem}"')
    path = folder / f"{stem}.py"
    write_text(path, copied)
    return path


def _name_statement(node: ast.stmt) -> str:
    """Return which part of a recipe a top-level statement is; empty for others."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return "docstring"
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id
    return ""


if __name__ == "__main__":
    main()
