"""When a training ends before its last planned epoch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from shared.tasks.score import Score

Row = dict[str, Any]


def find_end(
    rows: Sequence[Row],
    best: Row | None,
    score: Score,
    patience: int | None,
    stop_at: float | None,
    latest_gain: int = 0,
) -> str | None:
    """Return why a training ends after an epoch; None if it goes on.

    Args:
        rows: At least one epoch.
        best: The best of them; None: none had a valid score.
        score: Picks the best epoch.
        patience: Epochs without a better score before the end; None: any number.
        stop_at: Validation score that is good enough; None: none is.
        latest_gain: The last epoch in which a part of the model got better, though the
            score may not show it yet. Patience counts from there.
    """
    row, watched = rows[-1], f"val_{score.metric}"
    if math.isnan(row["loss"]):
        return "The loss is not a number (NaN). Try a smaller --learning-rate."
    if best is None:
        return None
    gain = max(best["epoch"], latest_gain)
    if patience is not None and row["epoch"] - gain >= patience:
        return f"No better epoch in {patience}: the training stops early."
    if stop_at is not None and not score.is_better(stop_at, best[watched]):
        return f"{watched} reached {stop_at:g}: the training stops."
    return None
