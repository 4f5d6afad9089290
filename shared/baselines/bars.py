"""What a bar is: a simple model's score, or the best score that is possible."""

from __future__ import annotations

import contextlib
import json
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from shared.data.sources import cache_dir
from shared.data.splits import Examples, Splits
from shared.files import write_whole
from shared.metrics import Score, measure
from shared.statistics import MIN_BLOCKS

MAX_BLOCKS = 50
LEAK_CHANCE = 0.00135  # of calling luck a leak: three standard errors, one-sided

UNREADABLE = (
    OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip

FORECAST = {"loss": "mse", "mae": "mae"}
"""History columns of a forecast that is fitted in squared error, and their metric."""
SQUARES = {"loss": "mse", "mse": "mse"}
"""History columns of a task whose loss is its score."""
CLASSES = {
    "loss": "cross_entropy",
    "cross_entropy": "cross_entropy",
    "accuracy": "accuracy",
}
"""History columns of a classifier."""

_WANTED = ContextVar("bars_wanted", default=True)


@dataclass(frozen=True)
class Bar:
    """A model that is not a network, scored on the network's own splits.

    Attributes:
        name: For legends and tables.
        validation: History column -> score on the validation part.
        test: History column -> score on the test part.
        is_floor: Whether no model that reads the same inputs can be expected to
            score better.
        predictions: For the test part, in the form of the network's; None where
            they were not kept.
    """

    name: str
    validation: dict[str, float]
    test: dict[str, float]
    is_floor: bool = False
    predictions: np.ndarray | None = None

    def facts(self) -> dict[str, Any]:
        """Return all but the predictions, ready for JSON."""
        facts = asdict(self)
        del facts["predictions"]
        return facts


def make_bar(
    name: str,
    splits: Splits,
    predict: Callable[[Examples], np.ndarray],
    columns: Mapping[str, str],
    is_floor: bool = False,
) -> Bar:
    """Score a model.

    Args:
        name: For legends and tables.
        splits: Only validation and test are looked at.
        predict: Returns a prediction for each example.
        columns: History column -> metric, e.g. `FORECAST`.
        is_floor: Whether this is the best that is possible.
    """
    scores = {}
    for part in ("validation", "test"):
        examples = getattr(splits, part)
        predictions = predict(examples)
        scores[part] = {
            column: float(np.mean(measure(metric, examples.targets, predictions)))
            for column, metric in columns.items()
        }
    kept = np.asarray(predictions, np.float32)
    return Bar(name, **scores, is_floor=is_floor, predictions=kept)


def floor_bar(name: str, splits: Splits, columns: Mapping[str, str]) -> Bar:
    """Score the best possible predictions that came with the data."""
    return make_bar(
        name, splits, lambda part: part.best_possible, columns, is_floor=True
    )


def check_floor(
    score: Score, test: Examples, predictions: np.ndarray
) -> dict[str, Any] | None:
    """Compare held-out predictions with the best possible ones, example by example.

    A score clearly better than the best possible means that the network has seen
    what it should not have: a leak. Chance allows a little, so the difference is held
    against its standard error, taken from the means of blocks of neighbouring
    examples, since neighbours in a series are not independent. Few blocks need a
    larger difference (Student's t); below ten there is no verdict.

    Args:
        score: What the task is judged by; its metric has to be one of `measure`.
        test: With the best possible predictions, or without.
        predictions: The network's.

    Returns:
        `floor`, `difference` (above 0: worse than the floor), `standard_error` and
        whether it is a `leak`, the last two None where the test part is too short to
        judge; None if the best possible is not known.
    """
    if test.best_possible is None:
        return None
    reached = measure(score.metric, test.targets, predictions)
    floor = measure(score.metric, test.targets, test.best_possible)
    behind = (floor - reached) if score.higher_is_better else (reached - floor)
    difference = float(np.mean(behind))
    error = leak = None
    num_blocks = min(MAX_BLOCKS, len(behind) // test.dependence)
    if num_blocks >= MIN_BLOCKS:
        from scipy.stats import t

        means = [np.mean(block) for block in np.array_split(behind, num_blocks)]
        error = float(np.std(means, ddof=1) / np.sqrt(num_blocks))
        leak = bool(difference < -t.isf(LEAK_CHANCE, num_blocks - 1) * error)
    return {
        "floor": float(np.mean(floor)),
        "difference": difference,
        "standard_error": error,
        "leak": leak,
    }


@contextlib.contextmanager
def without_slow_bars() -> Iterator[None]:
    """Let `cached_bars` return none, for who needs a recipe's data and model only."""
    token = _WANTED.set(False)
    try:
        yield
    finally:
        _WANTED.reset(token)


def cached_bars(key: str, make: Callable[[], list[Bar]], message: str) -> list[Bar]:
    """Return bars from the cache, or make and keep them.

    Args:
        key: File name in the cache, different for all that the bars depend on.
        make: Computes them.
        message: Printed before it is called.

    Returns:
        The bars; none inside `without_slow_bars`.
    """
    if not _WANTED.get():
        return []
    path = cache_dir() / "bars" / f"{key}.npz"
    try:
        with np.load(path, allow_pickle=False) as stored:
            facts = json.loads(str(stored["facts"]))
            return [
                Bar(**fact, predictions=stored[f"predictions_{k}"])
                for k, fact in enumerate(facts)
            ]
    except UNREADABLE:
        print(message, flush=True)
    bars = make()
    arrays = {f"predictions_{k}": bar.predictions for k, bar in enumerate(bars)}
    arrays["facts"] = np.array(json.dumps([bar.facts() for bar in bars]))

    def write(part: Path) -> None:
        with part.open("wb") as file:
            np.savez_compressed(file, **arrays)

    try:
        write_whole(path, write)
    except OSError as error:
        print(f"Bars not cached ({error.strerror}: {path})")
    return bars
