"""The sum of a window of random vectors. A linear model solves this task exactly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from shared.core.errors import check_at_least, check_size
from shared.core.roles import Role
from shared.data.splits import Examples, Splits, TargetScale
from shared.tasks.task import Regression


@dataclass(frozen=True)
class SumsConfig:
    """How many random vectors there are, and how long they are."""

    steps: Annotated[int, Role.DATA]
    """Vectors in a window, 1 or more."""
    features: Annotated[int, Role.DATA]
    """Numbers in a vector, 1 or more. Each is uniform between 0 and 1."""
    train_windows: Annotated[int, Role.SPLIT]
    """Windows to train on, 2 or more."""
    validation_windows: Annotated[int, Role.SPLIT]
    """Windows that choose the epoch, 1 or more."""
    test_windows: Annotated[int, Role.SPLIT]
    """Windows scored at the end, 2 or more."""

    def validate(self) -> None:
        """Refuse sizes that leave nothing to sum or to score.

        Raises:
            UserError: With the flag and what it accepts.
        """
        check_at_least(self, {"steps": 1, "features": 1, "train_windows": 2})
        check_at_least(self, {"validation_windows": 1, "test_windows": 2})
        for windows in ("train_windows", "validation_windows", "test_windows"):
            numbers = getattr(self, windows) * self.steps * self.features
            check_size(self, [windows, "steps", "features"], numbers)


def make_sums(config: SumsConfig, seed: int) -> Splits:
    """Return windows of uniform random numbers and their sums. Every seed draws others.

    The sum of n numbers uniform in [0, 1) has mean n / 2 and variance n / 12. The
    network predicts the sum, centred and scaled by the mean and standard deviation of
    the training sums. Its score is that of the sum itself.

    Returns:
        Inputs float32, (num_windows, steps, features); targets float32,
        (num_windows,). The best possible prediction is the sum.
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
        task=Regression(quantity="sum"),
    )
