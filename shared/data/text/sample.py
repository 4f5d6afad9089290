"""Generated reviews as texts, where no file is named."""

from __future__ import annotations

import hashlib
from pathlib import Path

from shared.data.imdb.sample_reviews import write_sample_texts
from shared.data.text.labelled import LabelledTexts, Origin

NAME = "text-sample"
CLASSES = ("negative", "positive")


def make_sample(limit: int | None = None) -> tuple[LabelledTexts, LabelledTexts]:
    """Return the training and the test part of the generated reviews.

    Args:
        limit: Texts of each part at most.
    """
    parts = []
    for part in ("train", "test"):
        written, numbers = write_sample_texts(part)
        texts = [" ".join(words) for words in written[:limit]]
        labels = [CLASSES[number] for number in numbers[:limit]]
        digest = hashlib.sha256("\n".join(texts).encode()).hexdigest()
        path = Path(f"generated {part} reviews")
        origins = [Origin(path, k) for k in range(1, len(texts) + 1)]
        parts.append(LabelledTexts(path, digest, texts, labels, origins))
    return parts[0], parts[1]
