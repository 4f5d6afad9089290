"""The IMDB reviews (Maas et al. 2011): found, split and padded."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from shared.data.batches import balanced_order, pad_sequences, shuffle_rows
from shared.data.buckets import Buckets, choose_edges
from shared.data.imdb_file import (
    FIRST_WORD,
    SHA256,
    URL,
    Reviews,
    number_words,
    read_reviews,
)
from shared.data.sample_reviews import make_sample_reviews
from shared.data.sources import find_source
from shared.data.splits import Examples, Sequences, Splits
from shared.errors import UserError


@dataclass(frozen=True)
class ReviewsConfig:
    """Which reviews, and how they become arrays of one length."""

    vocabulary: int
    """Word ids known to the network; the most frequent words of the training set."""
    length: int
    """Tokens of a review that are read."""
    keep: Literal["start", "end"]
    """Which end of a longer review is read."""
    padding: Literal["left", "right"]
    """On which side a shorter review is filled up."""
    mask: bool
    """Skip the padding instead of reading it as a word (bucketed batches always do)."""
    embedding_size: int
    """Numbers that stand for a word."""
    validation_share: float
    """Part of the training reviews held out to choose the epoch."""
    embedding_gradient: Literal["sparse", "dense"] = "sparse"
    """dense: the gradients of a word are summed before the optimizer squares them, as
    published, and quicker. sparse: what Keras does on TensorFlow, once per occurrence.
    This changes the computation."""
    batching: Literal["fixed", "bucketed"] = "fixed"
    """fixed: every batch is padded to --length, the tutorials' computation. bucketed:
    reviews of like length share a batch, which is padded to the longest and masked;
    this changes the computation (no padding is read, other batches)."""
    data: Literal["auto", "imdb", "sample"] = "auto"
    """imdb: the real reviews or an error. sample: the generated ones. auto: the real
    ones where they can be had."""
    data_dir: Path | None = None
    """Folder with imdb.npz; else RNN_RECIPES_DATA, the Keras cache, the download."""
    limit: int | None = None
    """Train on this many reviews and score on as many, for a quick look."""

    @property
    def mask_side(self) -> Literal["left", "right"] | None:
        """On which side masked padding stands, if any."""
        masks = self.mask or self.batching == "bucketed"
        return self.padding if masks else None

    @property
    def steps(self) -> int | None:
        """Steps of every batch; None where batches differ."""
        return None if self.batching == "bucketed" else self.length

    def decides(self) -> dict[str, Any]:
        """Return what other parts of the recipe must know of these settings."""
        return {
            "mask_side": self.mask_side,
            "even": self.steps is not None,
            "sparse": self.embedding_gradient == "sparse",
        }

    def resolve(self, around: Any) -> tuple[ReviewsConfig, list[str]]:
        """Return the settings with what follows from others, and no remarks."""
        return replace(self, mask=self.mask_side is not None), []

    def check(self) -> None:
        """Refuse settings that no data can satisfy.

        Raises:
            UserError: With the flag, what it takes and the way out.
        """
        if self.vocabulary < FIRST_WORD + 1:
            raise UserError(
                f"--vocabulary {self.vocabulary}: the first {FIRST_WORD} ids are no "
                "words; take at least 5, e.g. --vocabulary 10000."
            )
        if self.length < 1:
            raise UserError(
                f"--length {self.length}: a review needs at least 1 token, e.g. "
                "--length 500."
            )
        if self.embedding_size < 1:
            raise UserError(
                f"--embedding-size {self.embedding_size}: a word needs at least 1 "
                "number, e.g. --embedding-size 32."
            )
        if not 0 < self.validation_share < 1:
            raise UserError(
                f"--validation-share {self.validation_share}: takes a share above 0 "
                "and below 1, so that both parts hold reviews, e.g. 0.2."
            )
        if self.limit is not None and self.limit < 2:
            raise UserError(
                f"--limit {self.limit}: takes at least 2 reviews, one of each class; "
                "leave it away for all."
            )


def load_reviews(config: ReviewsConfig, seed: int) -> Splits:
    """Return padded reviews, split into train, validation and test.

    The validation reviews are carved from the training reviews, shuffled by `seed`
    and balanced. Inputs are int32, (num_reviews, length); targets float32,
    (num_reviews,), 1 is positive.

    Raises:
        UserError: If real reviews are asked for and not to be had, or the file is
            not what it should be, or there are fewer than asked for.
    """
    reviews = find_reviews(config)
    train_rows, validation_rows = shuffle_rows(
        reviews.train_labels, seed, config.validation_share, config.limit
    )
    test_rows = np.arange(len(reviews.test_labels))
    if config.limit is not None:
        if len(train_rows) < config.limit:
            raise UserError(
                f"--limit {config.limit}: {reviews.name} has only {len(train_rows):,} "
                f"training reviews at --validation-share {config.validation_share}."
            )
        test_rows = balanced_order(reviews.test_labels, seed)[: config.limit]
    if not len(validation_rows) or len(set(reviews.train_labels[train_rows])) < 2:
        raise UserError(
            f"--validation-share {config.validation_share}: leaves too few of "
            f"{len(reviews.train_labels):,} reviews to train on or to validate with; "
            "take e.g. 0.2."
        )

    edges: tuple[int, ...] = ()
    if config.batching == "bucketed":
        lengths = np.minimum(reviews.train.lengths[train_rows], config.length)
        edges = choose_edges(lengths, config.length)

    def pad(sequences: Sequences, labels: np.ndarray, rows: np.ndarray) -> Examples:
        inputs = pad_sequences(
            sequences,
            rows,
            vocabulary=config.vocabulary,
            length=config.length,
            keep=config.keep,
            padding=config.padding,
        )
        buckets = None
        if edges:
            lengths = np.minimum(sequences.lengths[rows], config.length)
            buckets = Buckets(lengths, edges, config.padding)
        return Examples(inputs, labels[rows].astype(np.float32), buckets=buckets)

    limited = "" if config.limit is None else f"-limit-{config.limit}"
    return Splits(
        data=f"{reviews.name}{limited}",
        train=pad(reviews.train, reviews.train_labels, train_rows),
        validation=pad(reviews.train, reviews.train_labels, validation_rows),
        test=pad(reviews.test, reviews.test_labels, test_rows),
        facts=reviews.facts,
    )


def find_reviews(config: ReviewsConfig) -> Reviews:
    """Return the real reviews where they can be had, else the generated sample.

    Raises:
        UserError: With `data="imdb"`, if there is neither a file nor a network.
    """
    if config.data == "sample":
        return _sample()
    source, missed = find_source(["imdb.npz"], config.data_dir, URL, SHA256)
    if source is not None:
        print(f"Reviews: {source.path} ({source.origin})")
        return read_reviews(source)
    reasons = "; ".join(missed)
    if config.data == "imdb":
        raise UserError(
            f"--data imdb: the reviews are not to be had ({reasons}). Put imdb.npz "
            "into a folder and name it with --data-dir, or take --data sample."
        )
    print(
        "The IMDB reviews are not to be had here:\n  "
        + "\n  ".join(missed)
        + "\nGoing on with the embedded sample of generated reviews (data set "
        "imdb-sample). Its scores say nothing about real reviews.\n"
        "For the real ones put imdb.npz into a folder and name it with --data-dir."
    )
    return _sample()


def _sample() -> Reviews:
    parts: dict[str, Any] = {}
    digest = hashlib.sha256()
    for part in ("train", "test"):
        ranks, labels = make_sample_reviews(part)
        for array in (ranks.tokens, ranks.offsets, labels):
            digest.update(array.astype(array.dtype.newbyteorder("<")).tobytes())
        parts |= {part: number_words(ranks), f"{part}_labels": labels}
    facts = {"origin": "generated", "sha256": digest.hexdigest()}
    return Reviews(name="imdb-sample", facts=facts, **parts)
