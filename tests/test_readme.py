"""README shows what the committed results say."""

import csv
import re

from conftest import PROJECT

REFERENCE = PROJECT / "results" / "reference" / "imdb.csv"


def test_the_results_table_is_that_of_the_reference():
    readme = (PROJECT / "README.md").read_text()
    with REFERENCE.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) >= 8
    for row in rows:
        (line,) = re.findall(rf"^\| {row['run']} \|.*$", readme, re.MULTILINE)
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        assert cells[1] == row["runs"]
        for cell, name in ((2, "best_val"), (3, "last_val"), (4, "test_best")):
            if not row[f"{name}_mean"]:
                continue
            expected = f"{float(row[f'{name}_mean']):.3f}"
            if row[f"{name}_sd"]:
                expected += f" ± {float(row[f'{name}_sd']):.3f}"
            assert cells[cell] == expected, (row["run"], name)


def test_every_target_of_the_readme_exists():
    readme = (PROJECT / "README.md").read_text()
    makefile = (PROJECT / "Makefile").read_text()
    recipes = {p.stem.replace("_", "-") for p in (PROJECT / "recipes").glob("imdb*")}
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
