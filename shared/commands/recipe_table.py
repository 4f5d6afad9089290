"""Write the table of recipes in the README from what the recipe files say.

make recipe-table
"""

from __future__ import annotations

import sys
from pathlib import Path

from shared.core.files import write_text
from shared.core.recipes import PROJECT, RecipeInfo, list_recipes

BEGIN = "<!-- recipes: begin (make recipe-table writes this) -->"
END = "<!-- recipes: end -->"
HEAD = ("| recipe | question | what it varies |", "|---|---|---|")


def main() -> None:
    """Write the table. Status 2 if the README has no place for it."""
    readme = PROJECT / "README.md"
    text = readme.read_text(encoding="utf-8")
    try:
        write_text(readme, insert_table(text))
    except ValueError as error:
        print(f"error: {readme}: {error}", file=sys.stderr)
        sys.exit(2)
    print(f"Saved {readme}")


def insert_table(text: str, folder: Path | None = None) -> str:
    """Return a page with the table of published recipes between its two marks.

    Raises:
        ValueError: If one of the marks is missing.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"it lacks the line {END if begin else BEGIN}")
    rows = [format_row(r) for r in list_recipes(folder).values() if r.reference]
    table = "\n".join([BEGIN, *HEAD, *rows, END])
    return f"{before}{table}{after}"


def format_row(recipe: RecipeInfo) -> str:
    """Return the row of a recipe."""
    file = f"recipes/{recipe.name.replace('-', '_')}.py"
    return f"| [`{recipe.name}`]({file}) | {recipe.question} | {recipe.varies} |"


if __name__ == "__main__":
    main()
