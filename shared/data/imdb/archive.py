"""Read `imdb.npz` safely: slowly the first time, then from a flat cache.

Word ids are those of `keras.datasets.imdb`. 0 is padding, 1 starts a review, 2 is any
word outside the vocabulary. The word of rank r (1 = most frequent in the training set)
has the id r + 3.
"""

from __future__ import annotations

import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shared.core.cache import cache_dir
from shared.core.errors import UserError
from shared.core.files import write_whole
from shared.data.imdb.object_arrays import read_array, read_sequences
from shared.data.padding import START
from shared.data.sources import KERAS_CACHE, Source
from shared.data.splits import Sequences

URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/imdb.npz"
SHA256 = "69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f"
FIRST_WORD = 4  # id of rank 1
CACHE_FORMAT = 1
ABANDONED = 3600  # seconds after which no process still writes a file


@dataclass(frozen=True)
class Reviews:
    """Labelled reviews as they are in the file.

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


def read_reviews(source: Source) -> Reviews:
    """Read `imdb.npz` safely: slowly the first time, then from a flat cache.

    Raises:
        UserError: If the file is cut short, of another kind, or holds anything but
            reviews.
    """
    cached = cache_dir() / f"imdb-{source.sha256[:16]}-v{CACHE_FORMAT}.npz"
    reviews = _read_cache(cached, source)
    if reviews is not None:
        return reviews
    print("First use of this file: converting it to a cache", flush=True)
    reviews = _read_original(source)
    try:
        for part in cached.parent.glob(".part-*-imdb-*"):  # left by a killed process
            if time.time() - part.stat().st_mtime > ABANDONED:
                part.unlink(missing_ok=True)
        write_whole(cached, lambda part: _write_cache(part, reviews))
    except OSError as error:
        print(f"Not cached ({error.strerror}: {cached}); the next run converts again.")
    return reviews


def _read_original(source: Source) -> Reviews:
    try:
        with zipfile.ZipFile(source.path) as archive:
            parts = {}
            for part in ("train", "test"):
                sequences = number_words(read_sequences(archive, f"x_{part}"))
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
        remedy = f"Replace it with the file from {URL}"
        if source.origin == KERAS_CACHE:
            remedy = "Delete it, and the next run downloads it again"
        raise UserError(
            f"{source.path}: not a readable imdb.npz ({error}). {remedy}, name another "
            "folder with --data-dir, or take --data sample."
        ) from None
    return Reviews(name="imdb", facts=_facts(source), **parts)


def number_words(ranks: Sequences) -> Sequences:
    """Turn word ranks into ids: `START` before each review, then the ranks plus 3."""
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
