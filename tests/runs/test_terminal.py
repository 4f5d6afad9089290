"""What a run says on the terminal when it ends."""

from types import SimpleNamespace

import pytest

from shared.runs.terminal import list_better_baselines
from shared.tasks.score import ACCURACY, absolute_error

SENTENCE = 'The simple model "ridge" scores better on the test: {} against {}.'


@pytest.mark.parametrize(
    ("score", "ours", "simple", "wanted"),
    [
        (absolute_error("m"), 0.5, 0.4, SENTENCE.format("0.4000", "0.5000")),
        (absolute_error("m"), 0.4, 0.5, None),
        (absolute_error("m"), 0.44091, 0.44089, None),  # the same as shown
        (ACCURACY, 0.5, 0.6, SENTENCE.format("0.6000", "0.5000")),
        (ACCURACY, 0.6, 0.5, None),
        (ACCURACY, None, 0.5, None),  # no valid score
    ],
)
def test_a_simple_model_is_named_where_it_is_shown_to_be_better(
    score, ours, simple, wanted
):
    summary = {
        "test": {"best": {f"test_{score.metric}": ours}},
        "baselines": [{"name": "ridge", "test": {score.metric: simple}}],
    }
    found = list_better_baselines(SimpleNamespace(summary=summary, score=score))
    assert found == ([wanted] if wanted else [])
