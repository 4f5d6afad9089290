"""A few inputs of `make torture`. Hypothesis draws them and reduces a failure."""

import importlib
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.torture.outcome import REFUSED, SHOWN, own_environment


def build_property(kind, num_examples, **options):
    """Return a function that tries some inputs of a kind, the same in every run."""
    attempt = importlib.import_module(f"tests.torture.{kind}").attempt

    @settings(
        max_examples=num_examples,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.randoms(use_true_random=False))
    def try_inputs(random):
        with own_environment(), tempfile.TemporaryDirectory() as place:
            assert attempt(random, Path(place), **options) in (REFUSED, SHOWN)

    return try_inputs


@pytest.mark.parametrize(
    ("kind", "num_examples", "options"),
    [
        ("folders", 30, {"list_only": True}),
        ("folders", 1, {}),
        ("binaries", 50, {"with_models": False}),
        ("tables", 60, {}),
        ("flags", 15, {}),
    ],
)
def test_every_bad_input_is_one_line_or_right(kind, num_examples, options):
    build_property(kind, num_examples, **options)()
