"""Let a trained network write on, and tell what it copied from its training text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.core.errors import UserError
from shared.core.text import shorten
from shared.data.text.vocabulary import FIRST_TOKEN, Vocabulary
from shared.data.writing.pieces import Tokens, split_text, take_start
from shared.inference.copies import find_longest_copy
from shared.inference.sampling import Sampling, draw_tokens
from shared.inference.token_readers import StateReader, TokenReader

if TYPE_CHECKING:
    import keras

    from shared.data.writing.dataset import WritingSplits
    from shared.runs.writer import RunFolder

START = "\n"
"""Read first where nothing else is: the text starts on a new line."""
SHOWN = 60  # tokens of the sample of each epoch
LENGTH = 400  # tokens of each text that a run keeps
TEMPERATURES = (0.5, 0.8, 1.0)
MOST_LISTED = 60  # tokens in a message


@dataclass(frozen=True)
class TextWriter:
    """Writes texts with a network.

    Attributes:
        vocabulary: Tokens that the network knows.
        tokens: `characters` or `words`.
        reader: Reads one text.
    """

    vocabulary: Vocabulary
    tokens: Tokens
    reader: TokenReader

    def write(self, prompt: str, sampling: Sampling, seed: int) -> Iterator[str]:
        """Yield token after token, without an end.

        Args:
            prompt: Read first. Empty: a line end.
            sampling: How tokens are drawn.
            seed: The same seed gives the same text.

        Raises:
            UserError: If the prompt has tokens that the network does not know.
        """
        ids = self.encode(prompt or self._find_start())
        random = np.random.default_rng([seed, 0x3717])
        logits = np.empty(0)
        for token in ids:
            logits = self.reader.read(np.array([token]))
        while True:
            logits = np.array(logits[:, : self.vocabulary.size])
            logits[:, :FIRST_TOKEN] = -np.inf  # ids that are no tokens
            drawn = draw_tokens(logits, sampling, random)
            yield self.vocabulary.tokens[int(drawn[0]) - FIRST_TOKEN]
            logits = self.reader.read(drawn)

    def write_text(
        self, prompt: str, length: int, sampling: Sampling, seed: int
    ) -> str:
        """Return a text of some tokens, without the prompt."""
        written = self.write(prompt, sampling, seed)
        return "".join(next(written) for _ in range(length))

    def encode(self, prompt: str, flag: str = "--prompt") -> list[int]:
        """Return ids of a text.

        Args:
            prompt: The text.
            flag: That passed it.

        Raises:
            UserError: If some of its tokens are not known.
        """
        pieces = split_text(prompt, self.tokens)
        known = set(self.vocabulary.tokens)
        if self.tokens == "words" and pieces[0] not in known:
            spaced = f" {pieces[0]}"  # as it stands within a line
            pieces[0] = spaced if spaced in known else pieces[0]
        if unknown := list(dict.fromkeys(p for p in pieces if p not in known)):
            named = ", ".join(repr(piece) for piece in unknown[:10])
            unit = "characters" if self.tokens == "characters" else "words"
            raise UserError(
                f"{flag} {shorten(prompt, 40)!r}: the network does not know the "
                f"{unit} {named}; it knows {self._list_known()}."
            )
        return [self.vocabulary.find(piece) for piece in pieces]

    def _find_start(self) -> str:
        tokens = self.vocabulary.tokens
        return START if START in tokens else tokens[0]

    def _list_known(self) -> str:
        tokens = [t for t in self.vocabulary.tokens if not t.isspace()]
        shown = tokens[:MOST_LISTED]
        joined = ("" if self.tokens == "characters" else " ").join(shown)
        more = len(tokens) - len(shown)
        return shorten(joined, 400) + (f" and {more:,} more" if more else "")


def show_sample(data: WritingSplits, seed: int) -> keras.callbacks.Callback:
    """Return a callback that prints a line written by the network after each epoch.

    Args:
        data: The text that the network learns.
        seed: Of the run. Each epoch draws other numbers.
    """
    import keras

    kept: dict[str, Any] = {}

    def write(epoch: int, logs: dict | None = None) -> None:
        if "reader" not in kept:
            kept["reader"] = StateReader(callback.model)
        kept["reader"].restart()
        writer = TextWriter(data.vocabulary, _find_unit(data), kept["reader"])
        text = writer.write_text("", SHOWN, Sampling(0.8), seed + epoch)
        print(f"  writes: {' '.join(text.split())}", flush=True)

    callback = keras.callbacks.LambdaCallback(on_epoch_end=write)
    return callback


def write_samples(model: keras.Model, data: WritingSplits, folder: RunFolder) -> None:
    """Write `samples.txt`, three texts with what they copied, and `vocabulary.txt`.

    Args:
        model: With the weights of the best epoch.
        data: The text that it learnt.
        folder: Still open.
    """
    reader = StateReader(model)
    training = take_start(data.text, _find_unit(data), data.stops[0])
    parts = []
    for temperature in TEMPERATURES:
        reader.restart()
        writer = TextWriter(data.vocabulary, _find_unit(data), reader)
        text = writer.write_text("", LENGTH, Sampling(temperature), seed=0)
        copied = find_longest_copy(text, training)
        parts.append(
            f"--- temperature {temperature:g}; {describe_copy(copied)}\n{text}\n"
        )
    folder.write_text("samples", "\n".join(parts))
    folder.write_text("vocabulary", data.vocabulary.to_text())


def describe_copy(copied: str) -> str:
    """Return in words how much of a text stands in the training text."""
    return (
        "the longest run that stands in the training text word for word has "
        f"{len(copied):,} characters: {copied[:60]!r}"
    )


def _find_unit(data: WritingSplits) -> Tokens:
    return "characters" if data.task.unit == "character" else "words"
