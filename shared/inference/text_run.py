"""What a text run keeps, so that its model reads new texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np

from shared.core.errors import UserError
from shared.core.text import shorten
from shared.data.padding import pad_sequences
from shared.data.text.tokens import Tokenizer
from shared.data.text.vocabulary import Vocabulary
from shared.runs.reader import Run

VOCABULARY = "vocabulary.txt"


class TextFacts(msgspec.Struct, frozen=True):
    """How a run reads a text, from `config.json`.

    Attributes:
        column: Of the table, that held the texts.
        tokens: What a text is cut into.
        segments: Whether words without spaces between them are found.
        length: Tokens that the network reads.
        keep: Which end of a longer text it reads.
        padding: On which side a shorter text is padded.
    """

    column: str | None
    tokens: Literal["words", "characters"]
    segments: bool
    length: int
    keep: Literal["start", "end"]
    padding: Literal["left", "right"]


@dataclass(frozen=True)
class TextReader:
    """Turns texts into the inputs of a run's model.

    Attributes:
        facts: How a text is read.
        vocabulary: The tokens that the network knows.
    """

    facts: TextFacts
    vocabulary: Vocabulary

    def read(self, texts: list[str]) -> np.ndarray:
        """Return token ids, int32, (num_texts, length)."""
        tokenizer = Tokenizer(self.facts.tokens, self.facts.segments)
        sequences = self.vocabulary.encode(tokenizer.split_all(texts))
        return pad_sequences(
            sequences,
            np.arange(len(texts)),
            vocabulary=self.vocabulary.size,
            length=self.facts.length,
            keep=self.facts.keep,
            padding=self.facts.padding,
        )


def read_text_reader(run: Run) -> TextReader:
    """Return what a run keeps of its texts.

    Raises:
        UserError: If a part of it is missing or damaged.
    """
    try:
        facts = msgspec.convert(run.config["data_facts"]["text"], TextFacts)
        if facts.length < 1:
            raise ValueError(f"its length is {facts.length}")
        content = (run.path / VOCABULARY).read_text(encoding="utf-8")
        if not content.endswith("\n"):
            raise ValueError(f"{VOCABULARY} is cut short")
    except (KeyError, ValueError, OSError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(
            f"{run.path}: what the run keeps of its texts cannot be used "
            f"({shorten(reason, 120)}); train it again."
        ) from None
    return TextReader(facts, Vocabulary(tuple(content[:-1].split("\n"))))
