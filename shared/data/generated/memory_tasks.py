"""Two tasks that need memory, with a lag that sets how long it must last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np

from shared.core.errors import UserError, check_at_least, check_size
from shared.core.roles import Role
from shared.data.splits import Examples, Splits
from shared.tasks.task import Classification, Regression

SHORTEST = 4  # steps of the adding problem: one marker in each half, none at the end
MOST_SYMBOLS = 1_000


@dataclass(frozen=True)
class MemoryConfig:
    """Which task, and over how many steps."""

    task: Annotated[Literal["adding", "recall"], Role.DATA]
    """adding: predict the sum of the two marked numbers among many. recall: predict
    the marked symbol among many, at the end of the sequence."""
    lag: Annotated[int, Role.DATA]
    """Steps that the memory must bridge. adding: length of the sequence, 4 or more.
    recall: symbols between the marked one and the question, 0 or more."""
    symbols: Annotated[int, Role.DATA]
    """recall: how many symbols there are, 2 to 1000. Ignored by adding."""
    delays: Annotated[Literal["mixed", "fixed"], Role.DATA]
    """recall: which symbol is marked in training. mixed: any, so that short delays
    teach the long one. fixed: the first, as in validation and test. Ignored by
    adding."""
    train_sequences: Annotated[int, Role.SPLIT]
    """Sequences to train on, 1 or more."""
    validation_sequences: Annotated[int, Role.SPLIT]
    """Sequences that choose the epoch, 1 or more."""
    test_sequences: Annotated[int, Role.SPLIT]
    """Sequences scored at the end, 2 or more."""

    @property
    def steps(self) -> int:
        """Steps of a sequence."""
        return self.lag if self.task == "adding" else self.lag + 2

    @property
    def features(self) -> int:
        """Numbers read at each step."""
        return 2 if self.task == "adding" else self.symbols + 2

    def validate(self) -> None:
        """Refuse sizes that leave nothing to remember or to score.

        Raises:
            UserError: With the flag and what it accepts.
        """
        check_at_least(self, {"lag": SHORTEST if self.task == "adding" else 0})
        if not 2 <= self.symbols <= MOST_SYMBOLS:
            raise UserError(
                f"--symbols {self.symbols}: takes whole numbers from 2 to "
                f"{MOST_SYMBOLS:,}."
            )
        check_at_least(self, {"train_sequences": 1, "validation_sequences": 1})
        check_at_least(self, {"test_sequences": 2})
        for part in ("train_sequences", "validation_sequences", "test_sequences"):
            numbers = getattr(self, part) * self.steps * self.features
            check_size(self, [part, "lag"], numbers)


def make_memory(config: MemoryConfig, seed: int) -> Splits:
    """Return sequences whose target lies far back. Every seed draws others.

    Adding (Hochreiter & Schmidhuber 1997, in the form of Le et al. 2015): every step
    has a number uniform in [0, 1) and a marker. The marker is 1 at one step of the
    first half and one of the second. The target is the sum of the two marked numbers.
    The last step is never marked, so it says nothing about the target.

    Recall: `lag` + 1 steps have one of `symbols` symbols each, one-hot and equally
    likely. One of these steps has a marker. Then comes the question, a step that is the
    same in every sequence. The target is the marked symbol. In validation and test it
    is the first, `lag` symbols before the question. In training, `delays` sets whether
    it is any symbol or the first.

    Returns:
        Inputs float32, (num_sequences, steps, features). Targets of adding float32,
        (num_sequences,); of recall int64, (num_sequences,). The best possible
        prediction is the target itself, one-hot in recall.
    """
    random = np.random.default_rng([seed, 0x1A6])
    draw = _draw_adding if config.task == "adding" else _draw_recall
    task = "adding" if config.task == "adding" else f"recall-{config.symbols}"
    mixed = config.delays == "mixed"
    return Splits(
        data=f"{task}-{config.lag}",
        train=draw(config, config.train_sequences, random, mixed),
        validation=draw(config, config.validation_sequences, random),
        test=draw(config, config.test_sequences, random),
        facts={"origin": "generated"},
        task=Regression(quantity="sum")
        if config.task == "adding"
        else Classification(classes=tuple(map(str, range(config.symbols)))),
    )


def _draw_adding(
    config: MemoryConfig, count: int, random: np.random.Generator, _: bool = False
) -> Examples:
    inputs = np.zeros((count, config.steps, config.features), np.float32)
    inputs[:, :, 0] = random.random((count, config.steps), np.float32)
    half, rows = config.steps // 2, np.arange(count)
    first = random.integers(0, half, count)
    second = random.integers(half, config.steps - 1, count)
    inputs[rows, first, 1] = inputs[rows, second, 1] = 1
    sums = inputs[rows, first, 0] + inputs[rows, second, 0]
    return Examples(inputs=inputs, targets=sums, best_possible=sums)


def _draw_recall(
    config: MemoryConfig, count: int, random: np.random.Generator, mixed: bool = False
) -> Examples:
    marker, question = config.symbols, config.symbols + 1
    rows = np.arange(count)
    shown = random.integers(0, config.symbols, (count, config.lag + 1))
    marked = random.integers(0, config.lag + 1, count) if mixed else np.zeros_like(rows)
    inputs = np.zeros((count, config.steps, config.features), np.float32)
    np.put_along_axis(inputs[:, :-1], shown[:, :, None], 1, axis=2)
    inputs[rows, marked, marker] = 1
    inputs[:, -1, question] = 1
    targets = shown[rows, marked]
    return Examples(
        inputs=inputs,
        targets=targets,
        best_possible=np.eye(config.symbols)[targets],
    )
