"""A language of five vowels from a Markov source with exactly known entropy."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from shared.core.errors import UserError, check_at_least, check_size, format_flag
from shared.core.roles import Role
from shared.data.splits import Examples, Splits
from shared.tasks.task import NextToken

VOWELS = "aeiou"
PARTS = ("train", "validation", "test")
MAX_ORDER = 5  # 5^5 contexts; a dense solve gives the stationary distribution


@dataclass(frozen=True)
class VowelsConfig:
    """The source, and how much of its text is read."""

    order: Annotated[int, Role.DATA]
    """Number of preceding vowels that set the probabilities of the next, 1 to 5."""
    source_seed: Annotated[int, Role.DATA]
    """Seed of the language: sets its probabilities, whatever --seed is."""
    concentration: Annotated[float, Role.DATA]
    """Concentration of the Dirichlet distribution that draws the probabilities, 0.01 to
    1e6. Small values make a predictable language."""
    lookback: Annotated[int, Role.DATA]
    """Vowels that the network reads, 1 or more."""
    train_vowels: Annotated[int, Role.SPLIT]
    """Length of the text to train on."""
    validation_vowels: Annotated[int, Role.SPLIT]
    """Length of the text that chooses the epoch."""
    test_vowels: Annotated[int, Role.SPLIT]
    """Length of the text scored at the end."""

    def validate(self) -> None:
        """Refuse sizes that leave nothing to predict.

        Raises:
            UserError: With the flag, what it accepts and how to fix it.
        """
        if not 1 <= self.order <= MAX_ORDER:
            raise UserError(
                f"--order {self.order}: takes whole numbers from 1 to {MAX_ORDER}."
            )
        if not 0.01 <= self.concentration <= 1e6:
            raise UserError(
                f"--concentration {self.concentration}: takes a number from 0.01 to "
                "1,000,000, e.g. 0.3."
            )
        if not 0 <= self.source_seed < 2**32:
            raise UserError(
                f"--source-seed {self.source_seed}: takes a whole number from 0 to "
                "2^32 - 1."
            )
        check_at_least(self, {"lookback": 1})
        fewest = max(self.lookback, self.order) + 2
        for part in PARTS:
            flag, length = (
                format_flag(f"{part}_vowels"),
                getattr(self, f"{part}_vowels"),
            )
            if length < fewest:
                raise UserError(
                    f"{flag} {length}: too short for a window of {self.lookback} and "
                    f"the next vowel; take at least {fewest}."
                )
            check_size(self, [f"{part}_vowels", "lookback"], length * self.lookback)


@dataclass(frozen=True)
class VowelSource:
    """A Markov source.

    Attributes:
        table: float64, (5,) * order + (5,): probability of each next vowel after
            each context, oldest vowel first.
    """

    table: np.ndarray

    @property
    def order(self) -> int:
        """Vowels of a context."""
        return self.table.ndim - 1

    @functools.cached_property
    def stationary(self) -> np.ndarray:
        """Share of each context in an endless text, (5,) * order.

        Contexts form a Markov chain: (a, b, c) goes to (b, c, d) with probability
        table[a, b, c, d]. The stationary row vector pi solves pi P = pi with sum 1. One
        of the equations pi (P - I) = 0 is redundant. The sum replaces it.
        """
        num_vowels = len(VOWELS)
        size = num_vowels**self.order
        contexts = np.arange(size)
        chain = np.zeros((size, size))
        flat = self.table.reshape(size, num_vowels)
        for vowel in range(num_vowels):
            chain[contexts, contexts * num_vowels % size + vowel] += flat[:, vowel]
        system = chain.T - np.eye(size)
        system[-1] = 1
        shares = np.linalg.solve(system, np.eye(size)[-1])
        return shares.reshape(self.table.shape[:-1])

    def entropy(self) -> float:
        """Return the entropy rate in nats: -sum pi(c) sum p(v|c) log p(v|c)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            terms = np.where(self.table > 0, self.table * np.log(self.table), 0.0)
        return float(-np.sum(self.stationary * terms.sum(axis=-1)))

    def ngram_shares(self, length: int) -> np.ndarray:
        """Return the share of each n-gram in an endless text, (5,) * length."""
        shares = self.stationary
        while shares.ndim < length:
            # The last `order` vowels decide the next one.
            shares = shares[..., None] * self.table
        extra = shares.ndim - length
        return shares.sum(axis=tuple(range(extra))) if extra else shares

    def draw(self, length: int, random: np.random.Generator) -> np.ndarray:
        """Draw a text, int64 (length,). Its start is in the stationary regime too."""
        shares = self.stationary.ravel()
        num_vowels = len(VOWELS)
        context = int(random.choice(len(shares), p=shares / shares.sum()))
        bounds = np.cumsum(self.table.reshape(-1, num_vowels), axis=1)[:, :-1].tolist()
        text = []
        for point in random.random(length).tolist():
            vowel = sum(point >= bound for bound in bounds[context])
            text.append(vowel)
            context = context * num_vowels % len(shares) + vowel
        return np.array(text)

    def predict(self, contexts: np.ndarray) -> np.ndarray:
        """Return the true probabilities of the next vowel.

        Args:
            contexts: int, (num_contexts, at least `order`): vowels, latest last.

        Returns:
            float64, (num_contexts, 5).
        """
        return self.table[tuple(contexts[:, -self.order :].T)]


def make_source(config: VowelsConfig) -> VowelSource:
    """Draw the language: one Dirichlet distribution over the vowels per context."""
    random = np.random.default_rng([config.source_seed, 0x50CE])
    shape = (len(VOWELS),) * config.order
    table = random.dirichlet(np.full(len(VOWELS), config.concentration), shape)
    # Every vowel is possible, so every context can be reached from every other.
    return VowelSource(0.99 * table + 0.01 / len(VOWELS))


def make_vowels(config: VowelsConfig, seed: int) -> Splits:
    """Return windows of a text and the vowel after each. Every seed draws others.

    Returns:
        Inputs float32, (num_windows, lookback, 5), one-hot; targets int64,
        (num_windows,). The best possible prediction is the source's, float64,
        (num_windows, 5). It uses `order` vowels, even if the window is shorter.
    """
    source = make_source(config)
    random = np.random.default_rng([seed, 0x70E1])
    parts = {}
    for part in PARTS:
        text = source.draw(getattr(config, f"{part}_vowels"), random)
        parts[part] = _cut(text, source, config.lookback)
    language = f"{config.order}-{config.concentration:g}-{config.source_seed}"
    facts = {"origin": "generated", "entropy": source.entropy()}
    return Splits(
        data=f"vowels-{language}",
        **parts,
        facts=facts,
        task=NextToken(classes=tuple(VOWELS)),
    )


def encode(text: np.ndarray) -> np.ndarray:
    """Return vowels one-hot, float32, with a last axis of 5."""
    return np.eye(len(VOWELS), dtype=np.float32)[text]


def format_vowels(text: np.ndarray) -> str:
    """Write a text with letters."""
    return "".join(VOWELS[vowel] for vowel in text)


def parse_vowels(letters: str) -> np.ndarray:
    """Read a text of letters, int64 (length,)."""
    return np.array([VOWELS.index(letter) for letter in letters])


def _cut(text: np.ndarray, source: VowelSource, lookback: int) -> Examples:
    first = max(lookback, source.order)  # so that the source knows its whole context
    windows = np.lib.stride_tricks.sliding_window_view(text[:-1], first)
    return Examples(
        inputs=encode(windows[:, -lookback:]),
        targets=text[first:],
        best_possible=source.predict(windows),
        dependence=first,
    )
