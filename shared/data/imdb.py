"""The IMDB reviews (Maas et al. 2011): found, read safely, cached, split, padded.

Word ids follow `keras.datasets.imdb`: 0 pads, 1 starts a review, 2 stands for words
outside the vocabulary, and the word of rank r (1 = most frequent in the training
set) has the id r + 3.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from filelock import FileLock

from shared.data.batches import START, balanced_order, pad_sequences, shuffle_rows
from shared.data.object_arrays import read_array, read_sequences
from shared.data.sample_reviews import SAMPLE_SEED, make_sample_reviews
from shared.data.sources import Source, cache_dir, find_source
from shared.data.splits import Examples, Sequences, Splits
from shared.errors import UserError
from shared.files import write_whole

URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/imdb.npz"
SHA256 = "69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f"
FIRST_WORD = 4  # id of rank 1
CACHE_FORMAT = 1


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
    """Skip the padding instead of reading it as a word."""
    embedding_size: int
    """Numbers that stand for a word."""
    validation_share: float
    """Part of the training reviews held out to choose the epoch."""
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
        return self.padding if self.mask else None

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


@dataclass(frozen=True)
class Reviews:
    """Labelled reviews as they come from the file.

    Attributes:
        name: `imdb` or `imdb-sample`.
        train: Word ids of the training reviews.
        train_labels: int8, (num_reviews,): 1 is positive.
        test: Word ids of the test reviews.
        test_labels: int8, (num_reviews,).
        facts: Origin and hash.
    """

    name: str
    train: Sequences
    train_labels: np.ndarray
    test: Sequences
    test_labels: np.ndarray
    facts: dict[str, str | int]


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
    if not len(train_rows) or not len(validation_rows):
        raise UserError(
            f"--validation-share {config.validation_share}: leaves an empty part of "
            f"{len(reviews.train_labels):,} reviews; take e.g. 0.2."
        )

    def pad(
        sequences: Sequences, labels: np.ndarray, rows: np.ndarray
    ) -> Examples:  # fmt: skip
        inputs = pad_sequences(
            sequences,
            rows,
            vocabulary=config.vocabulary,
            length=config.length,
            keep=config.keep,
            padding=config.padding,
        )
        return Examples(inputs, labels[rows].astype(np.float32))

    name = (
        reviews.name if config.limit is None else f"{reviews.name}-limit-{config.limit}"
    )
    splits = Splits(
        data=name,
        train=pad(reviews.train, reviews.train_labels, train_rows),
        validation=pad(reviews.train, reviews.train_labels, validation_rows),
        test=pad(reviews.test, reviews.test_labels, test_rows),
        facts=reviews.facts,
    )
    return splits


def find_reviews(config: ReviewsConfig) -> Reviews:
    """Return the real reviews where they can be had, else the generated sample.

    Raises:
        UserError: With `data="imdb"`, if there is neither a file nor a network.
    """
    if config.data == "sample":
        return _sample()
    source, missed = find_source("imdb.npz", config.data_dir, URL, SHA256)
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


def read_reviews(source: Source) -> Reviews:
    """Read `imdb.npz`, the first time slowly and safely, then from a flat cache.

    Raises:
        UserError: If the file is cut short, foreign, or holds anything but reviews.
    """
    cached = cache_dir() / f"imdb-{source.sha256[:16]}-v{CACHE_FORMAT}.npz"
    reviews = _read_cache(cached, source)
    if reviews is None:
        print("First use of this file: converting it to a cache", flush=True)
        reviews = _read_original(source)
        try:
            cached.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{cached}.lock"):
                write_whole(cached, lambda part: _write_cache(part, reviews))
        except OSError as error:
            print(f"Not cached ({error.strerror}: {cached}); the next run is as slow.")
    return reviews


def _read_original(source: Source) -> Reviews:
    try:
        with zipfile.ZipFile(source.path) as archive:
            parts = {}
            for part in ("train", "test"):
                sequences = _number_words(read_sequences(archive, f"x_{part}"))
                labels = read_array(archive, f"y_{part}")
                if len(labels) != len(sequences):
                    raise ValueError(
                        f"it has {len(sequences)} reviews but {len(labels)} labels "
                        f"({part})"
                    )
                if not np.array_equal(np.unique(labels), [0, 1]):
                    raise ValueError(f"its labels are not 0 and 1 ({part})")
                parts |= {part: sequences, f"{part}_labels": labels.astype(np.int8)}
    except (ValueError, OSError, zipfile.BadZipFile) as error:
        raise UserError(
            f"{source.path}: not a readable imdb.npz ({error}). Replace it by the file "
            f"from {URL}, name another folder with --data-dir, or take --data sample."
        ) from None
    return Reviews(name="imdb", facts=_facts(source), **parts)


def _number_words(ranks: Sequences) -> Sequences:
    """Turn word ranks into ids: `START` in front of each review, ranks moved by 3."""
    tokens = np.full(len(ranks.tokens) + len(ranks), START, np.int32)
    offsets = ranks.offsets + np.arange(len(ranks) + 1)
    is_word = np.ones(len(tokens), bool)
    is_word[offsets[:-1]] = False
    tokens[is_word] = ranks.tokens + (FIRST_WORD - 1)
    return Sequences(tokens, offsets)


def _facts(source: Source) -> dict[str, str | int]:
    return {
        "file": str(source.path),
        "origin": source.origin,
        "sha256": source.sha256,
    }


def _write_cache(path: Path, reviews: Reviews) -> None:
    arrays = {
        "train_tokens": reviews.train.tokens,
        "train_offsets": reviews.train.offsets,
        "train_labels": reviews.train_labels,
        "test_tokens": reviews.test.tokens,
        "test_offsets": reviews.test.offsets,
        "test_labels": reviews.test_labels,
    }
    with path.open("wb") as file:
        np.savez(file, **arrays)


def _read_cache(path: Path, source: Source) -> Reviews | None:
    """Return the cached reviews; None if there are none or they are damaged."""
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as arrays:
            parts = {
                part: Sequences(arrays[f"{part}_tokens"], arrays[f"{part}_offsets"])
                for part in ("train", "test")
            }
            labels = {f"{part}_labels": arrays[f"{part}_labels"] for part in parts}
    except (ValueError, OSError, KeyError, EOFError, zipfile.BadZipFile):
        path.unlink(missing_ok=True)
        return None
    return Reviews(name="imdb", facts=_facts(source), **parts, **labels)


def _sample() -> Reviews:
    (train, train_labels), (test, test_labels) = (
        make_sample_reviews("train"),
        make_sample_reviews("test"),
    )
    return Reviews(
        name="imdb-sample",
        train=_number_words(train),
        train_labels=train_labels,
        test=_number_words(test),
        test_labels=test_labels,
        facts={"origin": "generated", "corpus_seed": SAMPLE_SEED},
    )
