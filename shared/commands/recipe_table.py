"""Write the table of recipes in README.md and README.zh-CN.md.

make recipe-table

The English table holds what the recipe files say. The Chinese one keeps the questions
that it has. A recipe without a Chinese question gets the English one.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from shared.core.files import write_text
from shared.core.recipes import PROJECT, RecipeInfo, list_recipes

BEGIN = "<!-- recipes: begin (make recipe-table writes this) -->"
END = "<!-- recipes: end -->"
HEAD = ("| recipe | question | what it varies |", "|---|---|---|")
ENGLISH, CHINESE = "README.md", "README.zh-CN.md"


def main() -> None:
    """Write the tables. Status 2 if a README has no place for its table."""
    for name, insert in ((ENGLISH, insert_table), (CHINESE, insert_chinese_table)):
        readme = PROJECT / name
        text = readme.read_text(encoding="utf-8")
        try:
            write_text(readme, insert(text))
        except ValueError as error:
            print(f"error: {readme}: {error}", file=sys.stderr)
            sys.exit(2)
        print(f"Saved {readme}")


def insert_table(text: str, folder: Path | None = None) -> str:
    """Return a page with the table of published recipes between its two marks.

    Raises:
        ValueError: If one of the marks is missing.
    """
    rows = [format_row(recipe) for recipe in _list_published(folder)]
    before, _, after = _cut_table(text)
    return "\n".join([f"{before}{BEGIN}", *HEAD, *rows, f"{END}{after}"])


def insert_chinese_table(text: str, folder: Path | None = None) -> str:
    """Return the Chinese page with one row per published recipe.

    Raises:
        ValueError: If one of the marks is missing.
    """
    before, table, after = _cut_table(text)
    known = dict(re.findall(r"^\| \[`([^`]+)`\]\S+ \| (.*) \|$", table, re.MULTILINE))
    head = table.strip().splitlines()[:2]
    rows = [
        f"| {_link(recipe)} | {known.get(recipe.name, recipe.question)} |"
        for recipe in _list_published(folder)
    ]
    return "\n".join([f"{before}{BEGIN}", *head, *rows, f"{END}{after}"])


def format_row(recipe: RecipeInfo) -> str:
    """Return the row of a recipe."""
    return f"| {_link(recipe)} | {recipe.question} | {recipe.varies} |"


def _link(recipe: RecipeInfo) -> str:
    return f"[`{recipe.name}`](recipes/{recipe.name.replace('-', '_')}.py)"


def _list_published(folder: Path | None) -> list[RecipeInfo]:
    return [recipe for recipe in list_recipes(folder).values() if recipe.reference]


def _cut_table(text: str) -> tuple[str, str, str]:
    """Return what stands before the two marks, between them, and after them."""
    before, begin, rest = text.partition(BEGIN)
    table, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"it lacks the line {END if begin else BEGIN}")
    return before, table, after


if __name__ == "__main__":
    main()
