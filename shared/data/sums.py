"""The sum of a window of random vectors: a task that a linear model solves exactly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shared.data.splits import Examples, Splits, TargetScale
from shared.errors import check_at_least


@dataclass(frozen=True)
class SumsConfig:
    """How many random vectors there are, and how long."""

    steps: int
    """Vectors in a window."""
    features: int
    """Numbers in a vector, each uniform between 0 and 1."""
    train_windows: int
    """Windows to train on."""
    validation_windows: int
    """Windows that choose the epoch."""
    test_windows: int
    """Windows scored at the end."""

    def check(self) -> None:
        """Refuse sizes that leave nothing to sum or to score.

        Raises:
            UserError: With the flag and what it takes.
        """
        check_at_least(self, {"steps": 1, "features": 1, "train_windows": 2})
        check_at_least(self, {"validation_windows": 1, "test_windows": 2})


def make_sums(config: SumsConfig, seed: int) -> Splits:
    """Return windows of uniform random numbers and their sums, drawn for the seed.

    The sum of n numbers uniform in [0, 1) has mean n / 2 and variance n / 12. The
    network predicts it centred and scaled by the mean and spread of the training
    sums, and is scored on the sum itself.

    Returns:
        Inputs float32, (num_windows, steps, features); targets float32,
        (num_windows,); the best possible prediction is the sum.
    """
    random = np.random.default_rng([seed, 0x5005])

    def draw(count: int) -> Examples:
        inputs = random.random((count, config.steps, config.features), np.float32)
        sums = inputs.sum(axis=(1, 2), dtype=np.float64).astype(np.float32)
        return Examples(inputs=inputs, targets=sums, best_possible=sums)

    train = draw(config.train_windows)
    return Splits(
        data=f"sums-{config.steps}x{config.features}",
        train=train,
        validation=draw(config.validation_windows),
        test=draw(config.test_windows),
        facts={"origin": "generated"},
        scale=TargetScale(float(train.targets.mean()), float(train.targets.std())),
    )
