"""What a text run keeps, so that its model reads new texts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np

from shared.core.errors import UserError
from shared.core.text import shorten
from shared.data.imdb.reviews import ReviewsConfig
from shared.data.imdb.word_index import find_words, split_review
from shared.data.padding import pad_sequences
from shared.data.text.tokens import Tokenizer
from shared.data.text.vocabulary import FIRST_TOKEN, Vocabulary
from shared.inference.parts import list_parts, restore_part
from shared.runs.reader import Run

VOCABULARY = "vocabulary.txt"


class TextFacts(msgspec.Struct, frozen=True):
    """How a run reads a text, from `config.json`.

    Attributes:
        column: Of the table, that held the texts.
        tokens: What a text is cut into. `imdb words`: as in the index of its words.
        segments: Whether words without spaces between them are found.
        length: Tokens that the network reads.
        keep: Which end of a longer text it reads.
        padding: On which side a shorter text is padded.
        vocabulary_sha256: Of the file with the tokens; empty if there is none.
    """

    column: str | None
    tokens: Literal["words", "characters", "imdb words"]
    segments: bool
    length: int
    keep: Literal["start", "end"]
    padding: Literal["left", "right"]
    vocabulary_sha256: str = ""


@dataclass(frozen=True)
class TextReader:
    """Turns texts into the inputs of a run's model.

    Attributes:
        facts: How a text is read.
        vocabulary: The tokens that the network knows.
        split: Cuts a text into tokens.
    """

    facts: TextFacts
    vocabulary: Vocabulary
    split: Callable[[str], list[str]]

    def read(self, texts: list[str]) -> np.ndarray:
        """Return token ids, int32, (num_texts, length)."""
        sequences = self.vocabulary.encode(map(self.split, texts))
        return pad_sequences(
            sequences,
            np.arange(len(texts)),
            vocabulary=self.vocabulary.size,
            length=self.facts.length,
            keep=self.facts.keep,
            padding=self.facts.padding,
        )


def make_reader(facts: TextFacts, vocabulary: Vocabulary) -> TextReader:
    """Return the reader of some facts.

    Raises:
        UserError: If the package that finds the words is not installed.
        ValueError: If the facts and the vocabulary do not fit each other.
    """
    if facts.length < 1:
        raise ValueError(f"its length is {facts.length}")
    if facts.tokens == "imdb words":
        return TextReader(facts, vocabulary, split_review)
    if vocabulary.sha256 != facts.vocabulary_sha256:
        raise ValueError(f"{VOCABULARY} is not that of the training")
    return TextReader(facts, vocabulary, Tokenizer(facts.tokens, facts.segments).split)


def read_text_reader(run: Run) -> TextReader:
    """Return how a run of a text or an IMDB recipe reads a text.

    Raises:
        UserError: If what it keeps of its texts is missing or damaged.
    """
    if ReviewsConfig in list_parts(run):
        return _read_reviews(run)
    try:
        facts = msgspec.convert(run.config["data_facts"]["text"], TextFacts)
        content = (run.path / VOCABULARY).read_text(encoding="utf-8")
        return make_reader(facts, Vocabulary.from_text(content))
    except (KeyError, ValueError, OSError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(
            f"{run.path}: what the run keeps of its texts cannot be used "
            f"({shorten(reason, 120)}); train it again."
        ) from None


def _read_reviews(run: Run) -> TextReader:
    """Return the reader of an IMDB run: its words come from the published index."""
    config = restore_part(run, ReviewsConfig)
    is_sample = bool(run.config["data_facts"].get("is_sample"))
    words = find_words(
        config.vocabulary - FIRST_TOKEN,
        is_sample,
        None if is_sample else config.data_dir,
    )
    facts = TextFacts(
        None, "imdb words", False, config.length, config.keep, config.padding
    )
    return make_reader(facts, Vocabulary(words))
