"""Losses of the text recipes and the writers, stored from an earlier run."""

import json

import pytest

from tests.helpers import PROJECT
from tests.recipes.own_texts import train_texts
from tests.recipes.own_writings import train_writer
from tests.recipes.training_runs import (
    PUBLISHED,
    TWO_EPOCHS,
    compare_with_stored,
    group,
)

STORED = PROJECT / "tests" / "recipes" / "stored_text_losses.json"
TOLERANCE = 1e-4  # relative; processors round differently: moves of 1e-7 were seen
TRAIN = {"text": train_texts, "writer": train_writer}
RECIPES = [name for name in PUBLISHED if name.partition("_")[0] in TRAIN]


@pytest.mark.parametrize("recipe", group(RECIPES))
def test_losses_are_those_stored(recipe, shared_runs, undrawn, request, capsys):
    """Two epochs with a fixed seed; `make update-stored` stores new ones."""
    train = TRAIN[recipe.partition("_")[0]]
    run = shared_runs.train(train, recipe, *TWO_EPOCHS).run
    losses = run.history["loss"] + run.history["val_loss"]
    assert len(losses) == 4
    update = request.config.getoption("--update-stored")
    line = compare_with_stored(STORED, recipe, losses, update, rel=TOLERANCE)
    if line:
        with capsys.disabled():
            print(f"\n{line}")


def test_losses_of_all_recipes_of_both_families_are_stored():
    assert len(RECIPES) >= 7
    assert set(RECIPES) <= set(json.loads(STORED.read_text()))
