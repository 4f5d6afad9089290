"""One seed gives the same numbers, bit for bit, on any number of cores."""

import json

import pytest

from tests.helpers import run_python
from tests.recipes.numbers import FAMILIES, hash_numbers

# Convolutions, sums over them, compiled loops. Sparse updates of an embedding:
# tests/commands/test_processes.py.
FEW = ["weather_conv1d_gru"]


@pytest.mark.parametrize(
    "recipes", [FEW, pytest.param(list(FAMILIES), marks=pytest.mark.slow)], ids=len
)
def test_the_number_of_cores_changes_no_bit(recipes, tmp_path, undrawn):
    names = ",".join(recipes)
    done = run_python("-m", "tests.recipes.numbers", "4", str(tmp_path / "4"), names)
    assert done.returncode == 0, done.stderr
    on_four = json.loads(done.stdout.splitlines()[-1])
    assert hash_numbers(tmp_path / "all", recipes) == on_four
    assert list(on_four) == recipes
