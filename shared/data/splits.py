"""What every data set becomes: three named parts, its task and its facts."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from shared.data.buckets import Buckets
from shared.data.windows import FutureSteps, Windows
from shared.tasks.task import BinaryClassification, Task


@dataclass(frozen=True)
class Sequences:
    """Sequences of different lengths in one array.

    Attributes:
        tokens: int32, (num_tokens,): all sequences, one after the other.
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
    """One part of a data set: inputs and targets.

    Attributes:
        inputs: An array whose first axis counts examples, or windows of a series.
        targets: Array, (num_examples, ...), or the steps after windows of a series.
        best_possible: Predictions from the same inputs by a model that knows how the
            data were generated, in the form of the network's predictions. None if they
            are not known.
        times: datetime64, (num_examples,): when each target was measured. None if
            targets have no time.
        series: Name of the series of each example, (num_examples,). None if all are of
            one series.
        dependence: How many neighbouring examples may depend on each other.
        buckets: How padded inputs become batches of similar length. None if every batch
            has the full length.
    """

    inputs: np.ndarray | Windows
    targets: np.ndarray | FutureSteps
    best_possible: np.ndarray | None = None
    times: np.ndarray | None = None
    series: np.ndarray | None = None
    dependence: int = 1
    buckets: Buckets | None = None

    def __len__(self) -> int:
        return len(self.targets)


@dataclass(frozen=True)
class TargetScale:
    """Mean, standard deviation and unit of a target.

    Attributes:
        mean: Of the target over the training part.
        std: Standard deviation of the target over the training part.
        unit: Of the target, in words; empty if it has none.
    """

    mean: float = 0.0
    std: float = 1.0
    unit: str = ""

    @property
    def step(self) -> float:
        """The power of ten nearest to a third of the standard deviation.

        It is 1 for a temperature in degrees. A network whose output is multiplied by it
        learns a target in any unit as fast as a temperature.
        """
        return 10.0 ** round(math.log10(self.std / 3)) if self.std > 0 else 1.0


@dataclass(frozen=True)
class Splits:
    """A data set, split.

    Attributes:
        data: Name of the data set in every file, plot and table: `imdb`, `imdb-sample`,
            `imdb-limit-2000`.
        train: Examples to which the weights are fitted.
        validation: Examples that choose the epoch. Never trained on.
        test: Examples scored once, at the end. They choose nothing.
        facts: Where the data came from (file, SHA-256) and how many there are.
        scale: Of the targets.
        task: How the network is fitted, scored, compared and shown.
        is_sample: Whether generated examples replace real ones.
        test_depends_on_seed: Whether another seed has other test examples, although
            the labels may look the same.
        mask_side: On which side masked padding is; None without a mask.
        kept: Arrays that a later forecast beyond the data starts from. A run keeps them
            as `latest.npz`.
        class_weights: Class -> weight of its examples in the training loss; None if all
            count the same.
    """

    data: str
    train: Examples
    validation: Examples
    test: Examples
    facts: dict[str, Any] = field(default_factory=dict)
    scale: TargetScale = TargetScale()
    task: Task = BinaryClassification()
    is_sample: bool = False
    test_depends_on_seed: bool = False
    mask_side: Literal["left", "right"] | None = None
    kept: dict[str, np.ndarray] = field(default_factory=dict)
    class_weights: dict[int, float] | None = None

    def describe_reading(self) -> dict[str, Any] | None:
        """Return how a new text becomes inputs, ready for JSON. A model keeps it.

        It has the keys `text` (`shared.inference.text_run.TextFacts`) and `vocabulary`,
        the tokens by id. None: the inputs are no texts, or their words are not known.
        """
        return None
