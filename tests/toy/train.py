"""Train the recipes of the tests as recipes of the project."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import recipes
from shared.commands.recipe import main
from shared.core import recipes as recipe_files
from shared.runs.reader import Run, find_runs

HERE = Path(__file__).parent


@contextmanager
def toy_recipes() -> Iterator[None]:
    """Let the recipes of the tests be found as `recipes.toy_*`."""
    folder = recipe_files.FOLDER
    recipes.__path__.append(str(HERE))
    recipe_files.FOLDER = HERE
    try:
        yield
    finally:
        recipe_files.FOLDER = folder
        recipes.__path__.remove(str(HERE))
        for name in [n for n in sys.modules if n.startswith("recipes.toy_")]:
            del sys.modules[name]


def train_toy(name: str, results_dir: Path, *flags: str) -> Run:
    """Train a recipe of the tests; inside `toy_recipes`."""
    module = importlib.import_module(f"recipes.{name}")
    before = {run.path for run in find_runs(results_dir)}
    main(module.Config, module.run, ["--results-dir", str(results_dir), *flags])
    (run,) = [run for run in find_runs(results_dir) if run.path not in before]
    return run
