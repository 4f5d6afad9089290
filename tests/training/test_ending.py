"""When a training ends early."""

import pytest

from shared.tasks.score import absolute_error
from shared.training.ending import find_end


@pytest.mark.parametrize(
    ("epochs", "latest_gain", "ends"),
    [(4, 0, False), (5, 0, True), (5, 3, False), (6, 3, True), (5, 1, True)],
)
def test_patience_counts_from_the_best_epoch_or_the_latest_gain(
    epochs, latest_gain, ends
):
    rows = [{"epoch": n, "loss": 1.0, "val_mae": 1.0} for n in range(1, epochs + 1)]
    best = rows[1]
    found = find_end(rows, best, absolute_error("m"), 3, None, latest_gain)
    assert (found == "No better epoch in 3: the training stops early.") is ends
    assert (found is None) is not ends
