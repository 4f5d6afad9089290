"""Whether the words called important matter: remove them, and random others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shared.data.padding import PAD, START
from shared.inference.explain.texts import TextExplainer

REMOVED = 0.2  # share of the words that are removed
AT_ONCE = 8  # texts whose gradients are computed side by side


@dataclass(frozen=True)
class DeletionCheck:
    """What happens to the probability of the chosen class if words are removed.

    Attributes:
        important: Fall for each text if the words with the largest integrated gradients
            are removed, (num_texts,).
        random: Fall for each text if as many words are removed at random.
    """

    important: np.ndarray
    random: np.ndarray

    def describe(self) -> str:
        """Return the result in sentences."""
        if not len(self.important):
            return "The deletion check was not made: no test text has two words."
        means, errors = [], []
        for falls in (self.important, self.random):
            means.append(falls.mean())
            errors.append(falls.std() / np.sqrt(len(falls)))
        verdict = "The explanation finds words that matter."
        if means[0] - means[1] <= 2 * np.hypot(*errors):
            verdict = "So the explanation finds no better words than chance does."
        return (
            f"Deletion check on {len(self.important):,} test texts: removing the "
            f"{REMOVED:.0%} of the words called most important lowers the probability "
            f"of the chosen class by {means[0]:.3f} \u00b1 {errors[0]:.3f} (mean and "
            f"standard error); removing as many random words lowers it by "
            f"{means[1]:.3f} \u00b1 {errors[1]:.3f}. {verdict}"
        )


def check_by_deletion(
    explainer: TextExplainer, texts: np.ndarray, padding: str, seed: int = 0
) -> DeletionCheck:
    """Remove the words called important from texts, and as many random ones.

    Args:
        explainer: Of the run.
        texts: Padded ids, int32, (num_texts, steps).
        padding: On which side they are padded.
        seed: Of the random words.
    """
    random = np.random.default_rng(seed)
    counts = ((texts != PAD) & (texts != START)).sum(axis=1)
    texts = texts[counts > 1]
    if not len(texts):
        return DeletionCheck(np.empty(0), np.empty(0))
    rows = np.arange(len(texts))
    before = explainer.predict(texts)
    chosen = before.argmax(axis=1)
    without: list[np.ndarray] = []
    without_random: list[np.ndarray] = []
    for first in range(0, len(texts), AT_ONCE):
        some = slice(first, first + AT_ONCE)
        found = explainer.attribute(texts[some], chosen[some])
        for ids, attribution in zip(texts[some], found, strict=True):
            steps = np.flatnonzero((ids != PAD) & (ids != START))
            count = max(1, round(REMOVED * len(steps)))
            order = np.argsort(-attribution.integrated[steps], kind="stable")
            drawn = random.choice(steps, count, replace=False)
            without.append(remove(ids, steps[order[:count]], padding))
            without_random.append(remove(ids, drawn, padding))
    falls = [
        (before - explainer.predict(np.stack(changed)))[rows, chosen].astype(float)
        for changed in (without, without_random)
    ]
    return DeletionCheck(*falls)


def remove(ids: np.ndarray, steps: np.ndarray, padding: str) -> np.ndarray:
    """Return a text without the words at some steps, padded on the same side."""
    kept = np.delete(ids, steps)
    gap = np.full(len(ids) - len(kept), PAD, ids.dtype)
    return np.concatenate([gap, kept] if padding == "left" else [kept, gap])
