"""`make help`: every recipe with its question, every other target with its comment.

It needs only Python, so it works before anything is installed.
"""

from __future__ import annotations

import re
from pathlib import Path

from shared.core.recipes import PROJECT, list_recipes


def list_targets(makefile: Path = PROJECT / "Makefile") -> dict[str, str]:
    """Return the comment of every documented make target."""
    found = re.findall(r"^([a-z-]+):.*?## (.*)$", makefile.read_text(), re.MULTILINE)
    return dict(found)


def main() -> None:
    """Print the list."""
    recipes, targets = list_recipes(), list_targets()
    width = max(map(len, [*recipes, *targets])) + 2
    print('Recipes (flags: make imdb-gru ARGS="--units 64"; all flags: ARGS=--help)')
    for name, recipe in recipes.items():
        print(f"  {name:{width}}{recipe.question}")
    print("\nOther targets")
    for name, comment in targets.items():
        print(f"  {name:{width}}{comment}")


if __name__ == "__main__":
    main()
