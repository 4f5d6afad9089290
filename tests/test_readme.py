"""README shows what the committed results say."""

import csv
import re

import pytest
from conftest import PROJECT

REFERENCE = PROJECT / "results" / "reference"
TABLES = {"imdb": 8, "weather": 8, "controlled": 16}  # rows at least


def find_cells(readme, run, cells):
    """Return whether some line of the README shows these cells for a run."""
    for line in re.findall(rf"^\| {re.escape(run)} \|.*$", readme, re.MULTILINE):
        shown = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if all(is_rounded(shown[k], *value) for k, value in cells.items()):
            return True
    return False


def is_rounded(cell, mean, spread):
    """Return whether a cell is these figures, rounded to the digits it shows."""
    numbers = re.findall(r"\d[\d.e-]*", cell)
    figures = [figure for figure in (mean, spread) if figure]
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
    readme = (PROJECT / "README.md").read_text()
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
        assert find_cells(readme, row["run"], cells), (row["run"], cells)


def test_a_figure_that_is_not_the_reference_is_found():
    assert is_rounded("0.880 ± 0.001", "0.87996", "0.00083")
    assert is_rounded("3.1e-13", "3.1234e-13", "")
    assert is_rounded("0.0123", "0.0123149", "")
    assert not is_rounded("0.881 ± 0.001", "0.87996", "0.00083")
    assert not is_rounded("0.880", "0.87996", "0.00083")
    assert not is_rounded("-", "0.87996", "")


def test_every_target_of_the_readme_exists():
    readme = (PROJECT / "README.md").read_text()
    makefile = (PROJECT / "Makefile").read_text()
    recipes = {
        p.stem.replace("_", "-") for p in (PROJECT / "recipes").glob("[a-z]*.py")
    }
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE)) | recipes
    named = set(re.findall(r"`?make ([a-z][a-z-]+)", readme)) - {"imdb-gru-relu"}
    assert len(named) >= 5
    assert named <= targets


def test_every_file_of_the_readme_exists():
    readme = (PROJECT / "README.md").read_text()
    linked = re.findall(r"\]\(([^)#]+)\)", readme)
    assert linked
    for name in linked:
        assert (PROJECT / name).exists(), name
