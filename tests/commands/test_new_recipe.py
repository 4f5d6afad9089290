"""Adding a recipe is one file, and changes nothing that is published."""

import ast
import difflib
import importlib
import shutil

import pytest

import recipes
from shared.commands.new_recipe import copy_recipe, main
from shared.commands.recipe_table import insert_table
from shared.core import recipes as recipe_files
from shared.core.errors import UserError
from shared.core.recipes import list_recipes, load_recipe
from shared.studies.reference.__main__ import write_pages
from shared.studies.reference.claim_list import list_claims
from shared.studies.reference.experiments import list_experiments
from shared.studies.reference.published import read_reference
from tests.helpers import PROJECT

REFERENCE = PROJECT / "results" / "reference"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A copy of the recipes, in which the project looks for them."""
    copy = tmp_path / "recipes"
    shutil.copytree(recipe_files.FOLDER, copy, ignore=shutil.ignore_patterns("__*__"))
    monkeypatch.setattr(recipe_files, "FOLDER", copy)
    monkeypatch.setattr(recipes, "__path__", [*recipes.__path__, str(copy)])
    list_claims.cache_clear()
    yield copy
    list_claims.cache_clear()


@pytest.mark.parametrize("source", sorted(list_recipes()))
def test_a_copy_differs_in_its_head_and_its_name_only(folder, source):
    path = copy_recipe(source, "own-idea-2")
    old = (folder / f"{source.replace('-', '_')}.py").read_text()
    new = path.read_text()
    ast.parse(new)
    body = [text[text.index('"""', 3) :] for text in (old, new)]
    changed = [
        line
        for line in difflib.ndiff(*(text.splitlines() for text in body))
        if line.startswith("+ ")
    ]
    assert (
        changed
        == [
            f'+ VARIES = "{source}: write here what differs"',
            "+ REFERENCE = ()",
            next(line for line in changed if "own_idea_2" in line),
        ][: 3 if list_recipes()[source].reference else 2]
    )
    info = list_recipes()["own-idea-2"]
    assert info.question == f"How does own-idea-2 compare with {source}?"
    assert info.reference == ()


def test_a_copy_can_be_used_at_once(folder):
    copy_recipe("sum-gru", "own-sum")
    importlib.invalidate_caches()
    module = load_recipe("own-sum")
    config = module.Config()
    model = module.build_model(config, module.load_data(config))
    assert model.name == "own_sum"


def test_a_private_recipe_changes_no_published_page(folder, tmp_path):
    before = list_experiments()
    readme = (PROJECT / "README.md").read_text()
    copy_recipe("imdb-gru", "imdb-aaa")
    assert "imdb-aaa" in list_recipes()
    assert list_experiments() == before
    assert insert_table(readme) == readme
    for path in write_pages(read_reference(REFERENCE), tmp_path):
        assert path.read_text() == (PROJECT / "results" / path.name).read_text()


def test_a_recipe_that_is_declared_but_not_trained_moves_no_verdict(folder, tmp_path):
    path = copy_recipe("imdb-gru", "imdb-aaa")
    path.write_text(path.read_text().replace("REFERENCE = ()", "REFERENCE = ({},)"))
    assert [e.recipe for e in list_experiments()].count("imdb-aaa") == 1
    reference = read_reference(REFERENCE)
    _, claims = write_pages(reference, tmp_path)
    assert claims.read_text() == (PROJECT / "results" / "CLAIMS.md").read_text()


@pytest.mark.parametrize(
    ("source", "name", "message"),
    [
        ("nope", "imdb-x", "FROM=nope: no such recipe. Recipes: imdb-best,"),
        ("", "imdb-x", "FROM=: no such recipe"),
        ("imdb-gru", "Imdb Gru", "NAME=Imdb Gru: not the name of a recipe"),
        ("imdb-gru", "../imdb", "not the name of a recipe"),
        ("imdb-gru", "", "NAME=: not the name of a recipe"),
        ("imdb-gru", "class", "not the name of a recipe"),
        ("imdb-gru", "imdb-lstm", "NAME=imdb-lstm: exists already"),
        ("imdb-gru", "compare", "NAME=compare: exists already"),
    ],
)
def test_a_name_that_cannot_be_used_is_one_line(folder, source, name, message):
    before = sorted(folder.iterdir())
    with pytest.raises(UserError, match=message.replace("..", r"\.\.")):
        copy_recipe(source, name)
    assert sorted(folder.iterdir()) == before


def test_the_command_says_what_to_do_next(folder, capsys):
    main(["--source", "imdb_gru", "--name", "imdb_own"])
    text = capsys.readouterr().out
    assert "make imdb-own" in text
    assert (folder / "imdb_own.py").is_file()
    with pytest.raises(SystemExit) as stop:
        main(["--source", "imdb-gru", "--name", "imdb-own"])
    assert stop.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_table_of_the_readme_is_what_the_recipes_say():
    readme = (PROJECT / "README.md").read_text()
    assert insert_table(readme) == readme, "run make recipe-table"
    with pytest.raises(ValueError, match="recipes: end"):
        insert_table("<!-- recipes: begin (make recipe-table writes this) -->")
