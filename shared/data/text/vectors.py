"""Read first vectors of words: GloVe, word2vec and fastText files."""

from __future__ import annotations

import gzip
import lzma
import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from shared.core.errors import UserError
from shared.core.text import shorten
from shared.data.text.tokens import normalise
from shared.data.text.vocabulary import FIRST_TOKEN, Vocabulary

FASTTEXT = (793712314).to_bytes(4, "little")
"""How a fastText model starts, which is no file of vectors."""
LONGEST_WORD = 1_000  # bytes
LARGEST = 10_000  # numbers of a vector
MOST_HEADER = 100  # bytes of the line with the number of words and numbers


@dataclass(frozen=True)
class Vectors:
    """Vectors of the tokens that a network knows.

    Attributes:
        values: float32, (num_ids, size). Ids without a vector have zeros.
        found: bool, (num_ids,): whether the file has the token.
    """

    values: np.ndarray
    found: np.ndarray


def read_vectors(path: Path, vocabulary: Vocabulary) -> Vectors:
    """Return the vectors of a vocabulary. The file is read once, piece by piece.

    Words of the file are normalised as the texts are. Of several that become one token,
    the first counts.

    Args:
        path: Text with a word and its numbers in each line, maybe with a line of counts
            first (GloVe, word2vec, fastText `.vec`); or word2vec's binary form. A name
            that ends in .gz or .xz is unpacked.
        vocabulary: Tokens that are looked for.

    Raises:
        UserError: If the file has another form, or has none of the tokens.
    """
    try:
        with _open(path) as file:
            rows = _read_rows(file, path)
            return _collect(rows, path, vocabulary)
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise UserError(
            f"--vectors {path}: cannot be read ({shorten(reason)})."
        ) from None


def _open(path: Path) -> IO[bytes]:
    openers = {".gz": gzip.open, ".xz": lzma.open}
    return openers.get(path.suffix, open)(path, "rb")


def _collect(
    rows: Iterator[tuple[bytes, np.ndarray]], path: Path, vocabulary: Vocabulary
) -> Vectors:
    values: np.ndarray | None = None
    found = np.zeros(vocabulary.size, bool)
    for word, numbers in rows:
        if values is None:
            values = np.zeros((vocabulary.size, len(numbers)), np.float32)
        token = vocabulary.find(normalise(word.decode("utf-8", errors="replace")))
        if token >= FIRST_TOKEN and not found[token]:
            values[token], found[token] = numbers, True
    if values is None or not found.any():
        raise UserError(
            f"--vectors {path}: has no vector of a word in the training texts; is it "
            "of another language, or are characters read (--tokens)?"
        )
    return Vectors(values, found)


def _read_rows(file: IO[bytes], path: Path) -> Iterator[tuple[bytes, np.ndarray]]:
    """Yield each word and its vector."""
    first = file.readline(LONGEST_WORD + 32 * LARGEST)
    if first.startswith(FASTTEXT):
        raise UserError(
            f"--vectors {path}: is a fastText model; name its file of vectors, which "
            "ends in .vec."
        )
    if not first.strip():
        raise UserError(f"--vectors {path}: is empty.")
    size, number = None, 1
    cells = first.split()
    if len(cells) == 2 and len(first) < MOST_HEADER and all(c.isdigit() for c in cells):
        size, number = int(cells[1]), 2
        if not 1 <= size <= LARGEST:
            raise UserError(
                f"--vectors {path}: line 1 says that a vector has {size:,} numbers; 1 "
                f"to {LARGEST:,} are read."
            )
        first = file.readline(LONGEST_WORD + 32 * size)
        if not _is_text(first, size):
            yield from _read_binary(file, first, size, int(cells[0]), path)
            return
    while first:
        if first.strip():
            word, numbers = _parse(first, size, number, path)
            size = len(numbers)
            yield word, numbers
        first = file.readline(LONGEST_WORD + 32 * (size or LARGEST))
        number += 1


def _is_text(line: bytes, size: int) -> bool:
    cells = line.split()
    if len(cells) <= size:
        return False
    try:
        [float(cell) for cell in cells[-size:]]
    except ValueError:
        return False
    return True


def _parse(
    line: bytes, size: int | None, number: int, path: Path
) -> tuple[bytes, np.ndarray]:
    """Return word and vector of a line; some words of GloVe hold spaces."""
    cells = line.rstrip().split(b" ")
    size = len(cells) - 1 if size is None else size
    try:
        if size < 1 or len(cells) <= size:
            raise ValueError(f"{len(cells) - 1} numbers, and {max(size, 1)} are needed")
        numbers = np.array([float(cell) for cell in cells[-size:]], np.float32)
        if not np.isfinite(numbers).all():
            raise ValueError("a number that is not finite")
    except ValueError as error:
        reason = shorten(str(error), 80)
        raise UserError(
            f"--vectors {path}: line {number} is no word with its numbers ({reason})."
        ) from None
    return b" ".join(cells[:-size]), numbers


def _read_binary(
    file: IO[bytes], start: bytes, size: int, count: int, path: Path
) -> Iterator[tuple[bytes, np.ndarray]]:
    """Yield the rows of word2vec's binary form: a word, a space, float32 numbers."""
    rest = start
    width = 4 * size
    for k in range(count):
        while b" " not in rest[: LONGEST_WORD + 1] or (
            len(rest) < rest.index(b" ") + 1 + width
        ):
            piece = file.read(1 << 20)
            if not piece or (b" " not in rest and len(rest) > LONGEST_WORD):
                raise UserError(
                    f"--vectors {path}: is cut short, or no file of vectors: it holds "
                    f"{k:,} of {count:,} words."
                )
            rest += piece
        stop = rest.index(b" ") + 1
        numbers = np.frombuffer(rest[stop : stop + width], "<f4")
        if not np.isfinite(numbers).all() or np.abs(numbers).max() > math.sqrt(1e30):
            raise UserError(
                f"--vectors {path}: word {k + 1:,} has no usable numbers; is it a "
                "binary file of word2vec?"
            )
        yield rest[: stop - 1].lstrip(b"\n"), numbers
        rest = rest[stop + width :]
