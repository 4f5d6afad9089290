"""What every data set is handed over as: three named parts and the facts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np


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
        inputs: An array whose first axis counts examples.
        targets: Array, (num_examples, ...).
    """

    inputs: np.ndarray
    targets: np.ndarray

    def __len__(self) -> int:
        return len(self.targets)


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
    """

    data: str
    train: Examples
    validation: Examples
    test: Examples
    facts: dict[str, Any] = field(default_factory=dict)
