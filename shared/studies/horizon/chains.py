"""The trainings of the memory horizon, and when a task counts as solved."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.sweeps.trial import TrialBase
from shared.tasks.score import ACCURACY, SQUARED_ERROR, Score

LAGS = (10, 20, 50, 100, 200, 400)
CELLS = ("simple-rnn", "lstm", "gru")
# All named here, so that a run with other defaults never counts as one of these.
SETTINGS = {
    "units": 32,
    "optimizer": "adam",
    "batch_size": 50,
    "epochs": 40,
    "symbols": 8,
    "delays": "mixed",
    "train_sequences": 5_000,
    "validation_sequences": 1_000,
    "test_sequences": 2_000,
}
# Chosen in short trials of 0.001, 0.002 and 0.005 with seed 0, not each at every lag.
# SimpleRNN solves recall at lag 20 with 0.001, and adding earlier with 0.005, but no
# rate does both.
LEARNING_RATES = {"simple-rnn": 0.001, "lstm": 0.005, "gru": 0.005}


@dataclass(frozen=True)
class SolvedRule:
    """When a task of the memory horizon counts as solved.

    Attributes:
        name: `adding` or `recall`.
        score: Its score.
        solved: Worst test score that counts as solved.
        stop_at: Validation score at which training stops. It is a little better than
            `solved`, so that the test score does not miss it by chance.
        solved_in_words: For titles, with the score without memory.
    """

    name: str
    score: Score
    solved: float
    stop_at: float
    solved_in_words: str

    def is_solved(self, value: float) -> bool:
        """Return whether a test score is good enough."""
        return not self.score.is_better(self.solved, value) and not math.isnan(value)


RULES = {
    rule.name: rule
    for rule in (
        SolvedRule(
            "adding",
            SQUARED_ERROR,
            solved=1 / 60,
            stop_at=0.01,
            solved_in_words="MSE at most 0.0167; without memory 0.1667",
        ),
        SolvedRule(
            "recall",
            ACCURACY,
            solved=0.95,
            stop_at=0.99,
            solved_in_words="accuracy at least 0.95; without memory 0.125",
        ),
    )
}


@dataclass(frozen=True)
class Chain:
    """One cell in one variant on one task, to be tried at growing lags.

    Attributes:
        task: Key of `RULES`.
        cell: One of `CELLS`.
        variant: What differs from the layer's defaults, in words; empty if nothing.
        changes: The same as flags.
    """

    task: str
    cell: str
    variant: str = ""
    changes: dict[str, Any] = field(default_factory=dict, compare=False)

    @property
    def label(self) -> str:
        """The cell and what differs."""
        return f"{self.cell}, {self.variant}" if self.variant else self.cell


@dataclass(frozen=True)
class LagTrial(TrialBase):
    """One training: a chain at one lag with one seed."""

    chain: Chain
    lag: int
    seed: int
    epochs: int

    @property
    def label(self) -> str:
        """Describe the training in a line."""
        return f"{self.chain.task} {self.chain.label}, lag {self.lag}, seed {self.seed}"

    @property
    def recipe(self) -> str:
        """Name of the recipe."""
        return f"memory-{self.chain.cell}"

    @property
    def settings(self) -> dict[str, Any]:
        """Every named setting, by field name."""
        rule = RULES[self.chain.task]
        named = {"task": rule.name, "lag": self.lag, "stop_at": rule.stop_at}
        named |= {"learning_rate": LEARNING_RATES[self.chain.cell]}
        return SETTINGS | named | {"epochs": self.epochs} | self.chain.changes

    @property
    def changes(self) -> dict[str, Any]:
        """The same, as a trial has them."""
        return self.settings


def list_chains(tasks: Sequence[str], cells: Sequence[str], full: bool) -> list[Chain]:
    """Return every cell on every task, and in full also the variants of the cells.

    The uniform first weights have the same variance as orthogonal ones, 1 / units
    (Glorot's bounds for a square matrix), so only the angles differ.
    """
    chains = [Chain(task, cell) for task in tasks for cell in cells]
    variants: dict[tuple[str, str], dict[str, Any]] = {
        ("adding", "uniform weights"): {"recurrent_initializer": "glorot_uniform"},
        ("adding", "clipped at 1"): {"global_clipnorm": 1.0},
        ("adding", "forget bias 0"): {"unit_forget_bias": False},
        ("recall", "fixed delays"): {"delays": "fixed"},
    }
    for (task, variant), changes in variants.items() if full else ():
        for cell in cells:
            if task in tasks and (cell == "lstm" or variant != "forget bias 0"):
                chains.append(Chain(task, cell, variant, changes))
    return chains


def count_updates(epochs: int) -> int:
    """Return the number of updates in some epochs."""
    return epochs * math.ceil(SETTINGS["train_sequences"] / SETTINGS["batch_size"])
