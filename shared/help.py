"""`make help`: every recipe with its question, every other target with its comment.

Needs nothing but Python, so that it works before anything is installed.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]


def list_recipes(folder: Path = PROJECT / "recipes") -> dict[str, str]:
    """Return the first docstring line of every recipe by its name with dashes."""
    recipes = {}
    for path in sorted(folder.glob("[a-z]*.py")):
        docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        recipes[path.stem.replace("_", "-")] = docstring.partition("\n")[0]
    return recipes


def list_targets(makefile: Path = PROJECT / "Makefile") -> dict[str, str]:
    """Return the comment of every documented make target."""
    found = re.findall(r"^([a-z-]+):.*?## (.*)$", makefile.read_text(), re.MULTILINE)
    return dict(found)


def main() -> None:
    """Print the list."""
    recipes, targets = list_recipes(), list_targets()
    width = max(map(len, [*recipes, *targets])) + 2
    print('Recipes (flags: make imdb-gru ARGS="--units 64"; all flags: ARGS=--help)')
    for name, question in recipes.items():
        print(f"  {name:{width}}{question}")
    print("\nOther targets")
    for name, comment in targets.items():
        print(f"  {name:{width}}{comment}")


if __name__ == "__main__":
    main()
