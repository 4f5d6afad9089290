"""Read `imdb.npz` safely: slowly the first time, then from a flat cache."""

from __future__ import annotations

import struct
import zipfile
from dataclasses import dataclass
from typing import Any

import numpy as np

from shared.core.cache import FORMAT, read_cached, write_cached
from shared.core.errors import UserError
from shared.core.text import shorten
from shared.core.waiting import say_while
from shared.data.imdb.object_arrays import read_array, read_sequences
from shared.data.imdb.word_ids import find_word_ids
from shared.data.sources import KERAS_CACHE, Source
from shared.data.splits import Sequences

URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/imdb.npz"
SHA256 = "69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f"
PARTS = ("train", "test")


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

    A file may hold word ids that Keras made. They are recognized, and a line says so.

    Raises:
        UserError: If the file is cut short, of another kind, or holds anything but
            reviews.
    """
    name = f"imdb-{source.sha256[:16]}-v{FORMAT}.npz"
    content = read_cached(name, _check)
    if content is None:
        with say_while("First use of this file: converting it to a cache", after=0):
            content = _convert(source)
        write_cached(name, content)
    if remark := str(content["remark"]):
        print(f"{source.path}: {remark}", flush=True)
    parts: dict[str, Any] = {}
    for part in PARTS:
        parts[part] = Sequences(content[f"{part}_tokens"], content[f"{part}_offsets"])
        parts[f"{part}_labels"] = content[f"{part}_labels"]
    return Reviews(name="imdb", facts=_facts(source), **parts)


def _convert(source: Source) -> dict[str, np.ndarray]:
    """Return the arrays of the cache: flat word ids, labels, and a remark."""
    content = {}
    try:
        with zipfile.ZipFile(source.path) as archive:
            found = [read_sequences(archive, f"x_{part}") for part in PARTS]
            labels = [read_array(archive, f"y_{part}") for part in PARTS]
        for part, sequences, of_part in zip(PARTS, found, labels, strict=True):
            _check_labels(of_part, sequences, part)
            content[f"{part}_labels"] = of_part.astype(np.int8)
    except _BROKEN as error:
        remedy = f"Replace it with the file from {URL}"
        if source.origin == KERAS_CACHE:
            remedy = "Delete it, and the next run downloads it again"
        reason = shorten(str(error)) or type(error).__name__
        raise UserError(
            f"{source.path}: not a readable imdb.npz ({reason}). {remedy}, name "
            "another folder with --data-dir, or take --data sample."
        ) from None
    numbered, remark = find_word_ids(*found)
    for part, sequences in zip(PARTS, numbered, strict=True):
        content[f"{part}_tokens"] = sequences.tokens
        content[f"{part}_offsets"] = sequences.offsets
    return content | {"remark": np.array(remark)}


# Errors of a damaged or hostile archive, before any of it is used.
_BROKEN = (
    ValueError, OSError, EOFError, RuntimeError, OverflowError, MemoryError,
    zipfile.BadZipFile, struct.error,
)  # fmt: skip


def _check_labels(labels: np.ndarray, sequences: Sequences, part: str) -> None:
    if len(labels) != len(sequences):
        raise ValueError(
            f"it has {len(sequences)} reviews but {len(labels)} labels ({part})"
        )
    if not np.array_equal(np.unique(labels), [0, 1]):
        raise ValueError(f"its labels are not 0 and 1 ({part})")


def _check(content: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the arrays of the cache; ValueError if they cannot be reviews."""
    for part in PARTS:
        tokens, offsets = content[f"{part}_tokens"], content[f"{part}_offsets"]
        labels = content[f"{part}_labels"]
        types = tokens.dtype, offsets.dtype, labels.dtype
        if types != (np.int32, np.int64, np.int8) or tokens.ndim != 1:
            raise ValueError("arrays of other types")
        if (
            offsets[0] != 0
            or offsets[-1] != len(tokens)
            or (np.diff(offsets) < 0).any()
        ):
            raise ValueError("offsets that do not fit the tokens")
        if tokens.min() < 0:
            raise ValueError("negative word ids")
        _check_labels(labels, Sequences(tokens, offsets), part)
    return content


def _facts(source: Source) -> dict[str, str | int]:
    return {
        "file": str(source.path),
        "origin": source.origin,
        "sha256": source.sha256,
    }
