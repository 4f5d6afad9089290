"""Two tasks that only memory solves, with a lag that says how long it must last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from shared.data.splits import Examples, Splits
from shared.errors import UserError, check_at_least, spell_flag
from shared.recurrent import RecurrentConfig

SHORTEST = 4  # steps of the adding problem: one marker in each half, none at the end
MOST_SYMBOLS = 1_000


@dataclass(frozen=True)
class MemoryConfig:
    """Which task, and over how many steps."""

    task: Literal["adding", "recall"]
    """adding: the sum of the two marked numbers among many. recall: the marked symbol
    among many, asked for at the end."""
    lag: int
    """Steps the memory must bridge: in adding the length of the sequence, in recall
    the symbols between the marked one and the question."""
    symbols: int
    """Of recall: how many there are; adding has none."""
    delays: Literal["mixed", "fixed"]
    """Of recall, in training: mixed marks any symbol, so that short delays teach the
    long one; fixed marks the first, as in validation and test. Not for adding."""
    train_sequences: int
    """Sequences to train on."""
    validation_sequences: int
    """Sequences that choose the epoch."""
    test_sequences: int
    """Sequences scored at the end."""

    @property
    def steps(self) -> int:
        """Steps of a sequence."""
        return self.lag if self.task == "adding" else self.lag + 2

    @property
    def features(self) -> int:
        """Numbers that are read at each step."""
        return 2 if self.task == "adding" else self.symbols + 2

    def check(self) -> None:
        """Refuse sizes that leave nothing to remember or to score.

        Raises:
            UserError: With the flag and what it takes.
        """
        check_at_least(self, {"lag": SHORTEST if self.task == "adding" else 0})
        if not 2 <= self.symbols <= MOST_SYMBOLS:
            raise UserError(
                f"--symbols {self.symbols}: takes whole numbers from 2 to "
                f"{MOST_SYMBOLS:,}."
            )
        check_at_least(self, {"train_sequences": 1, "validation_sequences": 1})
        check_at_least(self, {"test_sequences": 2})


def make_memory(config: MemoryConfig, seed: int) -> Splits:
    """Return sequences whose target stands far back, drawn anew for every seed.

    Adding (Hochreiter & Schmidhuber 1997, in the form of Le et al. 2015): every step
    has a number uniform in [0, 1) and a marker, which is 1 at one step of the first
    half and one of the second; the target is the sum of the two marked numbers. The
    last step is never marked, so that it tells nothing.

    Recall: `lag` + 1 steps have one of `symbols` symbols each, one-hot and drawn
    alike, and one of them a marker; then comes the question, a step of its own that
    is the same in every sequence. The target is the marked symbol. In validation and
    test it is the first, `lag` symbols before the question; in training any, or also
    the first (`delays`).

    Returns:
        Inputs float32, (num_sequences, steps, features). Targets of adding float32,
        (num_sequences,), of recall int64, (num_sequences,). The best possible
        prediction is the target itself, in recall one-hot.
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
    )


def refuse_shortcuts(layer: RecurrentConfig) -> None:
    """Refuse a layer that hands on more than the state after the last step.

    The mean of all states needs no memory, and read backwards the marked symbol of
    recall comes right before the end.

    Raises:
        UserError: With the flag.
    """
    for name in ("return_sequences", "go_backwards"):
        if getattr(layer, name):
            raise UserError(
                f"{spell_flag(name)}: then the task needs no memory; leave it away."
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
