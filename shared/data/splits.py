"""What every data set is handed over as: three named parts and the facts."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from shared.data.buckets import Buckets
from shared.data.windows import Windows


@dataclass(frozen=True)
class Sequences:
    """Sequences of different lengths, one behind the other.

    Attributes:
        tokens: int32, (num_tokens,): all sequences joined.
        offsets: int64, (num_sequences + 1,): sequence k is
            `tokens[offsets[k]:offsets[k + 1]]`.
    """

    tokens: np.ndarray
    offsets: np.ndarray

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> np.ndarray:
        return self.tokens[self.offsets[index] : self.offsets[index + 1]]

    @property
    def lengths(self) -> np.ndarray:
        """int64, (num_sequences,): tokens of each sequence."""
        return np.diff(self.offsets)


@dataclass(frozen=True)
class Examples:
    """One part of a data set: what goes in and what shall come out.

    Attributes:
        inputs: An array whose first axis counts examples, or windows of a series.
        targets: Array, (num_examples, ...).
        best_possible: What a model that knows how the data were made would predict
            from the same inputs, in the form the network predicts it; None where
            nobody knows.
        times: datetime64, (num_examples,): when each target was measured; None
            where targets have no time.
        dependence: How many neighbouring examples may depend on each other.
        buckets: How batches of like length are made of padded inputs; None where
            every batch has the full length.
    """

    inputs: np.ndarray | Windows
    targets: np.ndarray
    best_possible: np.ndarray | None = None
    times: np.ndarray | None = None
    dependence: int = 1
    buckets: Buckets | None = None

    def __len__(self) -> int:
        return len(self.targets)


@dataclass(frozen=True)
class TargetScale:
    """Where a target lies, and in what unit.

    Attributes:
        mean: Of the target over the training part.
        spread: Its standard deviation there.
        unit: Of the target, in words; empty where it has none.
    """

    mean: float = 0.0
    spread: float = 1.0
    unit: str = ""

    @property
    def step(self) -> float:
        """The power of ten nearest to a third of the spread.

        A network whose output is multiplied with it learns a target in any unit as
        fast as a temperature in degrees, for which it is 1.
        """
        return 10.0 ** round(math.log10(self.spread / 3)) if self.spread > 0 else 1.0


@dataclass(frozen=True)
class Splits:
    """A data set, split.

    Attributes:
        data: Name of what was trained on, as it stands in every file, plot and
            table: `imdb`, `imdb-sample`, `imdb-limit-2000`.
        train: Examples the weights are fitted to.
        validation: Examples that choose the epoch. Never trained on.
        test: Examples scored once, at the end. They choose nothing.
        facts: Where the data came from (file, SHA-256) and how many there are.
        scale: Of the targets.
    """

    data: str
    train: Examples
    validation: Examples
    test: Examples
    facts: dict[str, Any] = field(default_factory=dict)
    scale: TargetScale = TargetScale()
