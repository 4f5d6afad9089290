"""One seed gives the same numbers, bit for bit, on any number of cores."""

import json

from tests.helpers import run_python
from tests.recipes.numbers import FAMILIES, hash_numbers


def test_the_number_of_cores_changes_no_bit(tmp_path):
    done = run_python("-m", "tests.recipes.numbers", "4", str(tmp_path / "4"))
    assert done.returncode == 0, done.stderr
    on_four = json.loads(done.stdout.splitlines()[-1])
    assert hash_numbers(tmp_path / "all") == on_four
    assert set(on_four) == set(FAMILIES)
