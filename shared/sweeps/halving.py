"""Pruning by validation curves: asynchronous successive halving (ASHA).

Li and others, "A System for Massively Parallel Hyperparameter Tuning", 2020. A rung is
an epoch: 1, 3, 9, ... for a reduction of 3. A training goes on past a rung only if its
best validation score so far is among the best third of those that reached the rung.
Nothing waits for others, so the first trainings at a rung always go on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

EPOCH = re.compile(r"epoch (\d+) of (\d+), (.*)")
"""The line that a training prints after each epoch, for people."""
ASKED = re.compile(r"asks after (\d+) of (\d+), error (\S+)")
"""The line by which a training asks whether to go on: see `ask_parent`."""


@dataclass
class Halving:
    """Which trainings stop early.

    Attributes:
        first: Epoch of the first rung.
        reduction: One of so many goes on past a rung.
        rungs: Epoch -> training -> its best error up to there.
        best: Training -> its best error so far.
    """

    first: int = 1
    reduction: int = 3
    rungs: dict[int, dict[str, float]] = field(default_factory=dict)
    best: dict[str, float] = field(default_factory=dict)

    def is_pruned(self, name: str, line: str) -> bool:
        """Return whether a training stops after an epoch.

        Args:
            name: Of the training.
            line: By which it asks.
        """
        asked = ASKED.search(line)
        if asked is None:
            return False
        return self.add(name, int(asked[1]), float(asked[3]), int(asked[2]))

    def add(self, name: str, epoch: int, error: float, epochs: int) -> bool:
        """Record an epoch, and return whether the training stops after it.

        Args:
            name: Of the training.
            epoch: From 1.
            error: Validation score; lower is better. NaN is the worst.
            epochs: Planned epochs. The last is no rung.
        """
        error = error if error == error else float("inf")
        self.best[name] = best = min(error, self.best.get(name, float("inf")))
        if epoch >= epochs or not self.is_rung(epoch):
            return False
        others = self.rungs.setdefault(epoch, {})
        others[name] = best
        keep = max(1, len(others) // self.reduction)
        better = sum(other < best for other in others.values())
        return better >= keep

    def is_rung(self, epoch: int) -> bool:
        """Return whether some trainings stop after an epoch."""
        rung = self.first
        while rung < epoch:
            rung *= self.reduction
        return rung == epoch
