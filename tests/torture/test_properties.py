"""The first inputs of `make torture`; a failure prints the command for it."""

import importlib
from random import Random

import pytest

from tests.torture.outcome import REFUSED, SHOWN, own_environment


@pytest.mark.parametrize(
    ("kind", "num_inputs", "options"),
    [
        ("folders", 30, {"list_only": True}),
        ("folders", 1, {}),
        ("binaries", 50, {"with_models": False}),
        ("tables", 100, {}),
        ("flags", 15, {}),
    ],
)
def test_every_bad_input_is_one_line_or_right(kind, num_inputs, options, tmp_path):
    attempt = importlib.import_module(f"tests.torture.{kind}").attempt
    for seed in range(num_inputs):
        print(f"python -m tests.torture --kinds {kind} --seed {seed} --count 1")
        place = tmp_path / str(seed)
        place.mkdir()
        with own_environment():
            assert attempt(Random(seed), place, **options) in (REFUSED, SHOWN)
