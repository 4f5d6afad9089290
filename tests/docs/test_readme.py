"""README.md and docs/ show the committed results, existing targets and files."""

import csv
import re
import shutil

import pytest

from shared.commands.recipe_table import insert_table
from shared.core.recipes import list_recipes
from tests.helpers import PROJECT

PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]
LESSONS = sorted((PROJECT / "docs" / "lessons").rglob("*.md"))
README = PAGES[0].read_text(encoding="utf-8")
TEXT = "\n".join(path.read_text(encoding="utf-8") for path in PAGES)
MOST_LINES = 200
EXAMPLES = {"imdb-gru-relu"}  # targets of recipes that the reader writes
REFERENCE = PROJECT / "results" / "reference"
TABLES = {"imdb": 8, "weather": 8, "controlled": 16}  # rows at least


def find_cells(text, run, cells):
    """Return whether some line of a text shows these cells for a run."""
    for line in re.findall(rf"^\| {re.escape(run)} \|.*$", text, re.MULTILINE):
        shown = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if all(is_rounded(shown[k], *value) for k, value in cells.items()):
            return True
    return False


def is_rounded(cell, mean, std):
    """Return whether a cell is these figures, rounded to the digits it shows."""
    numbers = re.findall(r"\d[\d.e-]*", cell)
    figures = [figure for figure in (mean, std) if figure]
    if len(numbers) != len(figures):
        return False
    for number, figure in zip(numbers, figures, strict=True):
        if "e" in number:
            expected = f"{float(figure):.1e}"
        else:
            expected = f"{float(figure):.{len(number.partition('.')[2])}f}"
        if number != expected:
            return False
    return True


@pytest.mark.parametrize("name", TABLES)
def test_the_results_table_is_that_of_the_reference(name):
    with (REFERENCE / f"{name}.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) >= TABLES[name]
    for row in rows:
        cells = {
            k: (row[f"{score}_mean"], row[f"{score}_sd"])
            for k, score in ((2, "best_val"), (3, "last_val"), (4, "test_best"))
            if row[f"{score}_mean"]
        }
        if row["runs"]:
            cells[1] = (row["runs"], None)
        assert find_cells(TEXT, row["run"], cells), (row["run"], cells)


def test_a_figure_that_is_not_the_reference_is_found():
    assert is_rounded("0.880 ± 0.001", "0.87996", "0.00083")
    assert is_rounded("3.1e-13", "3.1234e-13", "")
    assert is_rounded("0.0123", "0.0123149", "")
    assert not is_rounded("0.881 ± 0.001", "0.87996", "0.00083")
    assert not is_rounded("0.880", "0.87996", "0.00083")
    assert not is_rounded("-", "0.87996", "")


def test_the_readme_is_short():
    assert len(PAGES) >= 10
    assert len(README.splitlines()) <= MOST_LINES


def test_every_published_recipe_is_in_the_table_of_the_readme():
    """Else: make recipe-table."""
    published = [name for name, one in list_recipes().items() if one.reference]
    assert len(published) >= 20
    for name in published:
        assert re.search(rf"^\| .*`{name}`", README, re.MULTILINE), name
    assert insert_table(README) == README, "README.md is stale: run make recipe-table"


def test_a_private_recipe_changes_no_table(tmp_path):
    recipes = tmp_path / "recipes"
    shutil.copytree(PROJECT / "recipes", recipes)
    text = (recipes / "imdb_gru.py").read_text()
    private = re.sub(r"(?m)^REFERENCE = .*", "REFERENCE = ()", text)
    (recipes / "imdb_gru_private.py").write_text(private)
    found = list_recipes(recipes)["imdb-gru-private"]
    assert (found.reference, bool(found.question)) == ((), True)
    assert insert_table(README, recipes) == insert_table(README)


def test_every_target_of_the_pages_exists():
    makefile = (PROJECT / "Makefile").read_text()
    recipes = {
        p.stem.replace("_", "-") for p in (PROJECT / "recipes").glob("[a-z]*.py")
    }
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE)) | recipes
    # "make the" is prose.
    named = set(re.findall(r"`?make (?!the )([a-z][a-z-]+)", TEXT)) - EXAMPLES
    assert len(named) >= 20
    assert named <= targets


@pytest.mark.parametrize("page", [*PAGES, *LESSONS], ids=lambda path: path.name)
def test_every_linked_file_exists(page):
    linked = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
    assert linked or page.name != "README.md"
    for name in linked:
        if not name.startswith(("https://", "http://")):
            assert (page.parent / name).exists(), name
