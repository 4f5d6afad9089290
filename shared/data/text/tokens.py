"""Cut texts into tokens: words and punctuation, or characters.

A text is normalised first (Unicode NFKC: wide letters become usual ones), and its
letters become lower case. So `GOOD`, `Good` and `good` are one word.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Literal

from shared.core.errors import UserError

Tokens = Literal["words", "characters"]

WORD = re.compile(r"\w+(?:['\u2019]\w+)*|[^\w\s]")
"""A word with its apostrophes, or one sign."""
SPACES = re.compile(r"\s+")
IDEOGRAPHS = re.compile(
    "[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
    "\U00020000-\U0003ffff]"
)
"""Chinese and Japanese characters, and Korean syllables."""
UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
"""Chinese and Japanese characters: their words have no spaces between them."""
LETTER = re.compile(r"[^\W\d_]")
MOSTLY = 0.5  # share of the letters
ENOUGH = 2_000  # texts that decide how all are cut
LONGEST = 1_000  # characters of a text that decide


def normalise(text: str) -> str:
    """Return a text in Unicode NFKC, in lower case."""
    return unicodedata.normalize("NFKC", text).lower()


def split_words(text: str) -> list[str]:
    """Return words and punctuation of a normalised text: `it's` is one word."""
    return WORD.findall(text)


def split_characters(text: str) -> list[str]:
    """Return the characters of a normalised text. Spaces in a row are one space."""
    return list(SPACES.sub(" ", text.strip()))


def choose_tokens(texts: Sequence[str]) -> Tokens:
    """Return `characters` if most letters are Chinese, Japanese or Korean.

    Args:
        texts: The first ones decide.
    """
    start = [text[:LONGEST] for text in texts[:ENOUGH]]
    letters = sum(len(LETTER.findall(text)) for text in start)
    ideographs = sum(len(IDEOGRAPHS.findall(text)) for text in start)
    return "characters" if ideographs > MOSTLY * letters else "words"


def needs_segments(texts: Sequence[str]) -> bool:
    """Return whether most letters are Chinese or Japanese: no spaces between words.

    Args:
        texts: The first ones decide.
    """
    start = [text[:LONGEST] for text in texts[:ENOUGH]]
    letters = sum(len(LETTER.findall(text)) for text in start)
    unspaced = sum(len(UNSPACED.findall(text)) for text in start)
    return unspaced > MOSTLY * letters


class Tokenizer:
    """Cuts texts into tokens.

    Attributes:
        tokens: `words` or `characters`.
        segments: Whether words without spaces between them are found by `rjieba`.
    """

    def __init__(self, tokens: Tokens, segments: bool = False) -> None:
        """Prepare.

        Args:
            tokens: `words` or `characters`.
            segments: Whether the texts have no spaces between words, as Chinese. Only
                for `words`.

        Raises:
            UserError: If `rjieba` is needed and not installed.
        """
        self.tokens = tokens
        self.segments = segments
        self._cut = split_characters if tokens == "characters" else split_words
        if segments and tokens == "words":
            self._cut = _load_segmenter()

    @property
    def name(self) -> str:
        """What decides the tokens, in words."""
        return f"{self.tokens}{' by rjieba' if self.segments else ''}, version 1"

    def split(self, text: str) -> list[str]:
        """Return the tokens of a text."""
        return self._cut(normalise(text))

    def split_all(self, texts: Iterable[str]) -> Iterable[list[str]]:
        """Yield the tokens of each text."""
        return map(self.split, texts)


def _load_segmenter():
    try:
        import rjieba
    except ImportError:
        raise UserError(
            "--tokens words: these texts have no spaces between words, and the package "
            "rjieba, which finds the words, is not installed. Install it with "
            "`pip install -r requirements-chinese.txt`, or take --tokens characters."
        ) from None

    def cut(text: str) -> list[str]:
        return [token for token in rjieba.cut(text) if not token.isspace()]

    return cut
