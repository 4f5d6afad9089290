"""Baselines of a text that is written on: frequencies, n-grams and compressors."""

from __future__ import annotations

import bz2
import lzma
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from shared.baselines.baseline import Baseline, cached_baselines, make_baseline
from shared.data.splits import Examples
from shared.data.writing.dataset import WritingSplits

BASELINE_FORMAT = 1
LONGEST = 8  # tokens of the longest n-gram, the predicted one included
MOST_TOKENS = 20_000_000  # of the training text that the n-grams count
MOST_BYTES = 20 << 20  # before a part, that a compressor reads first
COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "xz": lambda content: lzma.compress(content, preset=9 | lzma.PRESET_EXTREME),
    "bzip2": lambda content: bz2.compress(content, 9),
}


def writing_baselines(data: WritingSplits) -> list[Baseline]:
    """Return the baselines of a text: frequencies, the best n-gram, compressors.

    The validation part chooses the length of the n-gram, 1 to 8. A compressor needs for
    a part what the text up to its end needs more than the text before it.
    """
    facts = data.facts["writing"]
    key = f"{data.facts['sha256'][:16]}-{facts['vocabulary_sha256'][:16]}"
    ends = "-".join(map(str, data.stops))

    def make() -> list[Baseline]:
        found = [_score_frequencies(data), _score_ngrams(data)]
        if data.task.unit == "character":
            found += [_score_compressor(data, name) for name in COMPRESSORS]
        return found

    return cached_baselines(
        f"writing-{key}-{ends}-v{BASELINE_FORMAT}",
        make,
        "Counting n-grams of this text (once, then cached)",
    )


def _score_frequencies(data: WritingSplits) -> Baseline:
    """Score the share of each token in the training part; each counts once more."""
    counts = np.bincount(data.tokens[: data.stops[0]], minlength=data.vocabulary.size)
    shares = (counts + 1) / (counts + 1).sum()
    return make_baseline(
        f"{data.task.unit} frequencies", data, lambda part: _spell(data, part, shares)
    )


def _spell(data: WritingSplits, part: Examples, shares: np.ndarray) -> np.ndarray:
    """Return the probability of each target, given one for each id."""
    targets = np.asarray(part.targets)
    return data.task.spell(targets, shares[targets])


def _score_ngrams(data: WritingSplits) -> Baseline:
    """Score the n-gram model whose length is best on the validation part."""
    first, middle, _ = data.stops
    kept = data.tokens[max(0, first - MOST_TOKENS) :]
    stop = first - (len(data.tokens) - len(kept))
    shares = score_ngrams(kept, stop, data.vocabulary.size, LONGEST)
    validation = shares[:, : middle - first]
    best = int(np.argmax(np.log(validation).mean(axis=1)))

    def predict(part: Examples) -> np.ndarray:
        rows = part.targets.first[:, None] + np.arange(part.targets.steps)
        targets = np.asarray(part.targets)
        return data.task.spell(targets, shares[best][rows - first])

    return make_baseline(f"{best + 1}-gram model", data, predict)


def _score_compressor(data: WritingSplits, name: str) -> Baseline:
    """Score a compressor in bits per character. It predicts no single character."""
    compress = COMPRESSORS[name]
    sizes = [
        len(compress(data.text[:stop].encode("utf-8", "surrogatepass")[-MOST_BYTES:]))
        for stop in data.stops
    ]
    scores = {}
    for k, part in enumerate(("validation", "test")):
        count = data.stops[k + 1] - data.stops[k]
        bits = 8 * (sizes[k + 1] - sizes[k]) / count
        scores[part] = {"loss": bits * math.log(2), data.task.score.metric: bits}
    return Baseline(name, **scores)


@dataclass(frozen=True)
class _Level:
    """The n-grams of one length, n, in the training text.

    Attributes:
        keys: int64, (num_ngrams,), increasing: the context's number and the token.
        contexts: Number of the context of each n-gram: its first n - 1 tokens.
        counts: How often each occurs.
        first: Row of its first occurrence.
    """

    keys: np.ndarray
    contexts: np.ndarray
    counts: np.ndarray
    first: np.ndarray


def score_ngrams(
    tokens: np.ndarray, stop: int, vocabulary: int, longest: int
) -> np.ndarray:
    """Return what n-gram models expect of the tokens after a training text.

    Interpolated Kneser-Ney smoothing with three discounts (Chen and Goodman 1999,
    doi:10.1006/csla.1999.0128). Shorter n-grams count in how many contexts they occur.
    Below one token, all ids are equally likely.

    Args:
        tokens: int, (num_tokens,): ids, the training text first.
        stop: Tokens of the training text.
        vocabulary: Number of ids.
        longest: Length of the longest n-grams.

    Returns:
        float64, (longest, num_tokens - stop): probabilities by models of length 1, 2,
        ... of each token after `stop`, after the tokens before it.
    """
    scored = np.arange(stop, len(tokens))
    contexts = np.zeros(len(tokens), np.int64)  # number of the tokens before each
    numbers = np.zeros(len(tokens), np.int64)
    lower = np.full(len(scored), 1 / vocabulary)
    shares = np.empty((longest, len(scored)))
    level, numbers = _count(tokens, contexts, stop, vocabulary)
    for length in range(1, longest + 1):
        shares[length - 1] = _interpolate(
            level, level.counts, numbers[scored], contexts[scored], lower
        )
        if length == longest:
            break
        # The context of the next length: the n-gram that ends one token earlier.
        longer_contexts = np.concatenate([[-1], numbers[:-1]])
        longer, longer_numbers = _count(tokens, longer_contexts, stop, vocabulary)
        preceded = np.bincount(numbers[longer.first], minlength=len(level.counts))
        lower = _interpolate(level, preceded, numbers[scored], contexts[scored], lower)
        level, numbers, contexts = longer, longer_numbers, longer_contexts
    return shares


def _count(
    tokens: np.ndarray, contexts: np.ndarray, stop: int, vocabulary: int
) -> tuple[_Level, np.ndarray]:
    """Count n-grams in the training text, given the number of each context.

    Returns:
        The n-grams, and which one ends at each token; -1 for one that is not known.
    """
    keys = np.where(contexts < 0, -1, contexts * vocabulary + tokens)
    rows = np.flatnonzero(keys[:stop] >= 0)
    known, first, counts = np.unique(keys[rows], return_index=True, return_counts=True)
    numbers = np.searchsorted(known, keys).clip(max=len(known) - 1)
    numbers = np.where(known[numbers] == keys, numbers, -1)
    return _Level(known, known // vocabulary, counts, rows[first]), numbers


def _interpolate(
    level: _Level,
    counts: np.ndarray,
    numbers: np.ndarray,
    contexts: np.ndarray,
    lower: np.ndarray,
) -> np.ndarray:
    """Return discounted shares, with the rest given to the shorter n-grams.

    Args:
        level: The n-grams.
        counts: Of each n-gram.
        numbers: Which n-gram each scored token ends; -1: none that is known.
        contexts: Number of the context of each; -1: none that is known.
        lower: Probability of each by the shorter n-grams.
    """
    discounts = _choose_discounts(counts)[np.minimum(counts, 3)]
    size = int(level.contexts.max()) + 1
    totals = np.bincount(level.contexts, counts, size)
    rests = np.bincount(level.contexts, np.minimum(discounts, counts), size)
    is_known = (contexts >= 0) & (contexts < size)
    total = np.where(is_known, totals[np.where(is_known, contexts, 0)], 0.0)
    rest = np.where(is_known, rests[np.where(is_known, contexts, 0)], 0.0)
    own = np.where(numbers >= 0, np.maximum(counts - discounts, 0)[numbers], 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(total > 0, (own + rest * lower) / total, lower)


def _choose_discounts(counts: np.ndarray) -> np.ndarray:
    """Return the discount of n-grams that occur 0, 1, 2, and 3 or more times."""
    once, twice, thrice, four = (int((counts == k).sum()) for k in (1, 2, 3, 4))
    if not once or not twice:
        return np.array([0.0, 0.5, 0.5, 0.5])
    share = once / (once + 2 * twice)
    found = [1 - 2 * share * twice / once, 2 - 3 * share * thrice / twice]
    found.append(3 - 4 * share * four / thrice if thrice else found[-1])
    return np.array([0.0, *np.clip(found, 0.05, [1, 2, 3])])
