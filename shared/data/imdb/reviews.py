"""The IMDB reviews (Maas et al. 2011): found, split and padded."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np

from shared.core.errors import UserError, check_size
from shared.core.roles import Resolved, Role
from shared.core.text import wrap
from shared.data.buckets import Buckets, choose_edges
from shared.data.imdb.archive import SHA256, URL, Reviews, read_reviews
from shared.data.imdb.sample_reviews import make_sample_reviews
from shared.data.imdb.word_ids import FIRST_WORD, number_words
from shared.data.imdb.word_index import find_words
from shared.data.padding import balanced_order, pad_sequences, shuffle_rows
from shared.data.sources import find_source, refuse_named_folder
from shared.data.splits import Examples, Sequences, Splits
from shared.tasks.task import BinaryClassification

SAMPLE = "imdb-sample"


@dataclass(frozen=True)
class ReviewsConfig:
    """Which reviews are read, and how they become arrays of one length."""

    vocabulary: Annotated[int, Role.DATA]
    """Word ids that the network knows, 5 or more: the most frequent words."""
    length: Annotated[int, Role.DATA]
    """Tokens of a review that the network reads, 1 or more."""
    keep: Annotated[Literal["start", "end"], Role.DATA]
    """Which end of a longer review is read."""
    padding: Annotated[Literal["left", "right"], Role.MODEL]
    """On which side a shorter review is padded."""
    mask: Annotated[bool, Role.MODEL, Resolved(by="batching")]
    """Skip the padding instead of reading it as a word (bucketed batches always do)."""
    embedding_size: Annotated[int, Role.MODEL]
    """Size of a word's vector, 1 or more."""
    validation_share: Annotated[float, Role.SPLIT]
    """Share of the training reviews that only choose the epoch, above 0 and below 1."""
    embedding_gradient: Annotated[Literal["sparse", "dense"], Role.TRAINING] = "sparse"
    """dense: sum the gradients of a word before the optimizer squares them, as
    published; faster. sparse: square once per occurrence, as Keras does on TensorFlow.
    The choice changes the numbers."""
    batching: Annotated[Literal["fixed", "bucketed"], Role.TRAINING] = "fixed"
    """fixed: pad every batch to --length, as the tutorials do. bucketed: reviews of
    similar length share a batch, padded to the longest and masked. The choice changes
    the numbers (other batches, and no padding is read)."""
    data: Annotated[Literal["auto", "imdb", "sample"], Role.SOURCE] = "auto"
    """imdb: the real reviews or an error. sample: generated reviews. auto: the real
    reviews if they are found, else the sample."""
    data_dir: Annotated[Path | None, Role.SOURCE] = None
    """Folder with imdb.npz; without the file, an error. Without the flag: the folder in
    RNN_RECIPES_DATA; if neither is set, the Keras cache, then the download."""
    limit: Annotated[int | None, Role.SOURCE] = None
    """Train and test on this many reviews each, for a quick look; 2 or more."""

    @property
    def mask_side(self) -> Literal["left", "right"] | None:
        """On which side masked padding is, if any."""
        masks = self.mask or self.batching == "bucketed"
        return self.padding if masks else None

    @property
    def steps(self) -> int | None:
        """Steps of every batch; None if batches differ."""
        return None if self.batching == "bucketed" else self.length

    def context(self) -> dict[str, Any]:
        """Return what other parts of the recipe must know about these settings."""
        return {
            "mask_side": self.mask_side,
            "can_mask": True,
            "even": self.steps is not None,
            "sparse": self.embedding_gradient == "sparse",
        }

    def resolve_defaults(self, context: Any) -> tuple[ReviewsConfig, list[str]]:
        """Return the settings with those that follow from others, and no remarks."""
        return replace(self, mask=self.mask_side is not None), []

    def validate(self) -> None:
        """Refuse settings that no data can satisfy.

        Raises:
            UserError: With the flag, what it accepts and how to fix it.
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
        check_size(
            self,
            ["vocabulary", "embedding_size"],
            self.vocabulary * self.embedding_size,
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
                "omit the flag for all."
            )


@dataclass(frozen=True)
class ReviewSplits(Splits):
    """Reviews, split.

    Attributes:
        config: Which reviews, and how they became arrays.
    """

    config: ReviewsConfig = field(kw_only=True)

    def describe_reading(self) -> dict[str, Any] | None:
        """Return how a new review becomes word ids; None without the word index.

        The network is not asked for the index: a training needs none.
        """
        config = self.config
        count = config.vocabulary - FIRST_WORD
        try:
            words = find_words(count, self.is_sample, config.data_dir, False)
        except UserError:
            return None
        facts = {"column": None, "tokens": "imdb words", "segments": False}
        facts |= {"length": config.length, "keep": config.keep}
        return {"text": facts | {"padding": config.padding}, "vocabulary": list(words)}


def load_reviews(config: ReviewsConfig, seed: int) -> ReviewSplits:
    """Return padded reviews, split into train, validation and test.

    The validation reviews are a part of the training reviews, shuffled by `seed` and
    balanced. Inputs are int32, (num_reviews, length). Targets are float32,
    (num_reviews,): 1 is positive.

    Raises:
        UserError: If `--data imdb` finds no reviews, the file holds something else, or
            there are too few reviews for the flags.
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
            f"{len(reviews.train_labels):,} reviews for training or for validation; "
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
    return ReviewSplits(
        data=f"{reviews.name}{limited}",
        train=pad(reviews.train, reviews.train_labels, train_rows),
        validation=pad(reviews.train, reviews.train_labels, validation_rows),
        test=pad(reviews.test, reviews.test_labels, test_rows),
        facts=reviews.facts,
        task=BinaryClassification(classes=("negative", "positive")),
        is_sample=reviews.name == SAMPLE,
        test_depends_on_seed=config.limit is not None,
        mask_side=config.mask_side,
        config=config,
    )


def find_reviews(config: ReviewsConfig) -> Reviews:
    """Return the real reviews if they are found, else the generated sample.

    Raises:
        UserError: With `data="imdb"`, if there is neither a file nor a network. If the
            user named a folder without the file, or one for the sample.
    """
    if config.data == "sample":
        refuse_named_folder(config.data_dir)
        return _sample()
    source, missed = find_source(["imdb.npz"], config.data_dir, URL, SHA256)
    if source is not None:
        print(f"Reviews: {source.path} ({source.origin})")
        return read_reviews(source)
    reasons = "; ".join(missed)
    if config.data == "imdb":
        raise UserError(
            f"--data imdb: no IMDB reviews found ({reasons}). Put imdb.npz into a "
            "folder and name it with --data-dir, or take --data sample."
        )
    print(
        "No IMDB reviews found:",
        *(wrap(reason, "  ") for reason in missed),
        "The run goes on with a sample of generated reviews (data set imdb-sample).",
        "Its scores say nothing about real reviews.",
        "For the real ones, put imdb.npz into a folder and name it with --data-dir.",
        sep="\n",
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
    return Reviews(name=SAMPLE, facts=facts, **parts)
