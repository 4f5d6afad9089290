"""The words of the IMDB reviews: rank of each, as `keras.datasets.imdb` has them."""

from __future__ import annotations

import json
import re
from pathlib import Path

from shared.core.errors import UserError
from shared.core.text import shorten
from shared.data.imdb.sample_reviews import rank_sample_words
from shared.data.sources import find_source

NAME = "imdb_word_index.json"
URL = f"https://storage.googleapis.com/tensorflow/tf-keras-datasets/{NAME}"
WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*'?")
"""A word as in that index: lower case, apostrophes inside, no punctuation."""


def find_words(
    count: int, is_sample: bool, data_dir: Path | None, may_download: bool = True
) -> tuple[str, ...]:
    """Return the most frequent words in the training reviews, by rank.

    Args:
        count: How many. An empty text stands for a rank without a word.
        is_sample: Whether the words of the generated reviews are wanted.
        data_dir: The user's folder with the word index; None as in `find_source`.
        may_download: Whether to look on the network, too.

    Raises:
        UserError: If the words are not found, or the file is no index.
    """
    words = [""] * count
    for word, rank in find_word_ranks(is_sample, data_dir, may_download).items():
        if rank <= count:
            words[rank - 1] = word
    return tuple(words)


def find_word_ranks(
    is_sample: bool, data_dir: Path | None, may_download: bool = True
) -> dict[str, int]:
    """Return the rank of each word: 1 is the most frequent in the training reviews.

    Args:
        is_sample: Whether the words of the generated reviews are wanted.
        data_dir: The user's folder with the word index; None as in `find_source`.
        may_download: Whether to look on the network, too.

    Raises:
        UserError: If there is neither a file nor a network, or the file is no index.
    """
    if is_sample:
        return rank_sample_words()
    source, missed = find_source([NAME], data_dir, URL if may_download else None, None)
    if source is None:
        raise UserError(
            f"No words of the IMDB reviews found ({'; '.join(missed)}). Put {NAME} "
            "beside imdb.npz."
        )
    return read_word_index(source.path)


def read_word_index(path: Path) -> dict[str, int]:
    """Return the words and ranks of a JSON file.

    Raises:
        UserError: If it holds anything else.
    """
    try:
        ranks = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path}: is no readable word index ({shorten(str(error), 100)}); replace "
            f"it with the file from {URL}."
        ) from None
    is_index = isinstance(ranks, dict) and all(
        type(rank) is int and rank > 0 for rank in ranks.values()
    )
    if not is_index or not ranks:
        raise UserError(
            f"{path}: is no word index: it must hold words with their ranks; replace "
            f"it with the file from {URL}."
        )
    return ranks


def split_review(text: str) -> list[str]:
    """Return the words of a review as the index has them."""
    return WORD.findall(text.lower().replace("<br />", " br "))
