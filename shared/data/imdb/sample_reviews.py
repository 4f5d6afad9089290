"""Generated reviews, so that every recipe works without a file or a network.

They imitate what makes real reviews hard. The verdict comes late. Praise and criticism
of single aspects need not agree with it. Negation comes some words before the word that
it reverses. Every verdict also gives as many words to the other side. So counts of
words say nothing. Bigrams say a little: the shorter the end that is read, the more. A
network that reads in order can find nearly every verdict.
"""

from __future__ import annotations

from collections import Counter
from functools import cache

import numpy as np

from shared.data.splits import Sequences

SAMPLE_SEED = 20_110_619
NUM_REVIEWS = {"train": 4_000, "test": 2_000}
NEGATED = 0.1  # share of the opinions that negate the opposite word
VERDICT = (
    ("for all that was", "concession"),
    ("and the rest was", "concession"),
    ("it was", "verdict"),
    ("the film was", "verdict"),
)  # each with two opinions

GOOD = [
    "good", "great", "fine", "superb", "moving", "clever", "charming", "funny",
    "gripping", "brilliant", "lovely", "fresh", "honest", "tender", "sharp", "warm",
]  # fmt: skip
BAD = [
    "bad", "awful", "dull", "clumsy", "boring", "weak", "silly", "flat", "lame",
    "tedious", "shallow", "stale", "ugly", "hollow", "crude", "cheap",
]  # fmt: skip
ASPECTS = [
    "acting", "plot", "story", "script", "music", "cast", "ending", "camera",
    "dialogue", "pace", "humour", "editing", "lighting", "opening", "soundtrack",
    "direction", "hero", "villain", "romance", "setting",
]  # fmt: skip
ADVERBS = [
    "really", "quite", "rather", "so", "truly", "simply", "just", "very", "often",
    "mostly",
]  # fmt: skip
NEGATIONS = ["not", "never", "hardly"]
NEUTRAL = [
    "we saw it on a friday night with friends",
    "the film runs for two hours",
    "it was shot somewhere in the north",
    "the director made two others before",
    "i had read the book years ago",
    "there is a scene on a train",
    "the second act moves to the city",
    "my brother came along",
    "it came out last year",
    "they talk about money and family",
    "the credits roll over a long shot of the sea",
    "the house was half full",
]
OPENINGS = ["all in all", "in the end", "on the whole", "to sum up", "taken together"]


def make_sample_reviews(part: str) -> tuple[Sequences, np.ndarray]:
    """Generate one part of the sample reviews, the same on every machine.

    Args:
        part: `train` or `test`.

    Returns:
        Word ranks (1 = most frequent word of the training part), and int8 labels,
        (num_reviews,): 1 is positive. Half of the reviews are.
    """
    texts, labels = write_sample_texts(part)
    ranks = rank_sample_words()
    offsets = np.cumsum([0, *map(len, texts)])
    tokens = np.array([ranks[word] for text in texts for word in text], np.int32)
    return Sequences(tokens, offsets), labels


def rank_sample_words() -> dict[str, int]:
    """Return the rank of each word: 1 is the most frequent in the training part."""
    counts = Counter(word for text in write_sample_texts("train")[0] for word in text)
    by_count = sorted(counts, key=lambda word: (-counts[word], word))
    return {word: rank for rank, word in enumerate(by_count, start=1)}


@cache
def write_sample_texts(part: str) -> tuple[list[list[str]], np.ndarray]:
    """Return the words of each review, and int8 labels: 1 is positive.

    Args:
        part: `train` or `test`.
    """
    # One stream per part, so that neither depends on the size of the other.
    random = np.random.default_rng([SAMPLE_SEED, list(NUM_REVIEWS).index(part)])
    labels = random.permutation(np.arange(NUM_REVIEWS[part]) % 2).astype(np.int8)
    # Lengths like the real ones: log-normal with median 177 and mean 238 words.
    lengths = random.lognormal(np.log(177), 0.77, len(labels)).clip(25, 1500)
    texts = [
        _write_review(_Draw(random), bool(label), int(length))
        for label, length in zip(labels, lengths, strict=True)
    ]
    return texts, labels


class _Draw:
    """Cheap draws from a block of uniform numbers."""

    def __init__(self, random: np.random.Generator) -> None:
        self.random = random
        self.block: list[float] = []

    def share(self) -> float:
        if not self.block:
            self.block = self.random.random(1024).tolist()
        return self.block.pop()

    def one(self, options: list[str]) -> str:
        return options[int(self.share() * len(options))]


def _write_review(draw: _Draw, positive: bool, length: int) -> list[str]:
    words: list[str] = []
    while len(words) < length - 30:
        if draw.share() < 0.3:
            words += draw.one(NEUTRAL).split()
        else:
            praise = draw.share() < 0.5  # independent of the verdict
            words += ["the", draw.one(ASPECTS), "was", *_rate(draw, praise)]
            if draw.share() < 0.5:
                words += ["and", *_rate(draw, praise)]
    words += _write_verdict(draw, positive)
    if draw.share() < 0.5:
        words += draw.one(NEUTRAL).split()
    return words


def _rate(draw: _Draw, positive: bool) -> list[str]:
    """Say that something is good or bad, sometimes by negation."""
    negated = draw.share() < NEGATED
    word = draw.one(GOOD if positive != negated else BAD)
    hedge = [draw.one(ADVERBS)] if draw.share() < 0.5 else []
    return [*[draw.one(NEGATIONS)] * negated, *hedge, word]


def _write_verdict(draw: _Draw, positive: bool) -> list[str]:
    """Give as many words to the other side as to the verdict itself."""
    words = draw.one(OPENINGS).split()
    for opening, side in VERDICT:
        praise = positive if side == "verdict" else not positive
        words += [*opening.split(), *_rate(draw, praise)]
        words += ["and", *_rate(draw, praise)]
    return words
