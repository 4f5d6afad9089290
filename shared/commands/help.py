"""`make help`: every recipe with its question, every other target with its comment.

It needs only Python, so it works before anything is installed.
"""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from shared.core.recipes import PROJECT, list_recipes


def list_targets(makefile: Path = PROJECT / "Makefile") -> dict[str, str]:
    """Return the comment of every documented make target."""
    found = re.findall(r"^([a-z-]+):.*?## (.*)$", makefile.read_text(), re.MULTILINE)
    return dict(found)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the list, or what an unknown target may mean. Status 2 in that case."""
    names = sys.argv[1:] if arguments is None else list(arguments)
    if names:
        print(f"error: {suggest(names[0])}", file=sys.stderr)
        sys.exit(2)
    recipes, targets = list_recipes(), list_targets()
    width = max(map(len, [*recipes, *targets])) + 2
    print('Recipes (flags: make imdb-gru ARGS="--units 64"; all flags: ARGS=--help)')
    for name, recipe in recipes.items():
        print(f"  {name:{width}}{recipe.question}")
    print("\nOther targets")
    for name, comment in targets.items():
        print(f"  {name:{width}}{comment}")


def suggest(target: str) -> str:
    """Return in a sentence which targets an unknown one may mean."""
    known = [*list_recipes(), *list_targets()]
    asked = target.replace("_", "-").lower()
    close = difflib.get_close_matches(asked, known, n=3)
    start = asked.partition("-")[0]
    close = close or [name for name in known if name.startswith(f"{start}-")][:3]
    meant = f"Perhaps you meant {', '.join(close)}. " if close else ""
    return f"{target}: no such target. {meant}make help lists all."


if __name__ == "__main__":
    main()
