"""Why a network gave a text its class: word by word."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.core.errors import UserError
from shared.data.padding import PAD, START, UNKNOWN
from shared.inference.explain.attribution import Attribution, TokenAttributor
from shared.inference.explain.gates import Gates, read_gates

if TYPE_CHECKING:
    import keras

    from shared.inference.text_run import TextReader

BATCH = 256
MOST_WORDS = 20_000


@dataclass(frozen=True)
class TokenizedText:
    """One text as a network reads it.

    Attributes:
        ids: int32, (steps,), padded.
        steps: Where its words are in `ids`, (num_words,).
        words: Those that the network reads, without start and padding.
        left_out: Number of words that it does not read, since the text is longer.
    """

    ids: np.ndarray
    steps: np.ndarray
    words: list[str]
    left_out: int = 0

    @property
    def known(self) -> np.ndarray:
        """Whether the network knows each word, bool, (num_words,)."""
        return self.ids[self.steps] != UNKNOWN


def tokenize(reader: TextReader, text: str) -> TokenizedText:
    """Cut a text into the words that a network reads.

    Raises:
        UserError: If there are too many words, or the network knows none of them.
    """
    words = reader.split(text)
    if len(words) > MOST_WORDS:
        raise UserError(
            f"the text has {len(words):,} {reader.facts.tokens}; at most {MOST_WORDS:,}"
            " are accepted. Take a part of it."
        )
    ids = reader.read([text])[0]
    steps = np.flatnonzero((ids != PAD) & (ids != START))
    left_out = len(words) - len(steps)
    first = left_out if reader.facts.keep == "end" else 0
    return _check(
        TokenizedText(ids, steps, words[first : first + len(steps)], left_out)
    )


def take_tokens(reader: TextReader, ids: np.ndarray) -> TokenizedText:
    """Return a text of which only the ids are known, (steps,).

    Raises:
        UserError: If the network knows none of its words.
    """
    steps = np.flatnonzero((ids != PAD) & (ids != START))
    return _check(TokenizedText(ids, steps, reader.vocabulary.decode(ids[steps])))


def _check(text: TokenizedText) -> TokenizedText:
    if not text.known.any():
        raise UserError(
            "the network knows none of the words of the text, so there is nothing to "
            "explain; use words of the training texts."
        )
    return text


@dataclass(frozen=True)
class TextExplanation:
    """What the words of one text do.

    Attributes:
        text: Its words.
        classes: Names.
        after: Probabilities after each word, (num_words, num_classes), as if the text
            ended there.
        attribution: Of the probability of the class that the whole text gets to the
            words, (num_words,). None before it is computed.
        gates: Of the first recurrent layer, with the steps of the words only.
    """

    text: TokenizedText
    classes: tuple[str, ...]
    after: np.ndarray
    attribution: Attribution | None = None
    gates: Gates | None = None

    @property
    def chosen(self) -> int:
        """Number of the class that the whole text gets."""
        return int(self.after[-1].argmax())

    @property
    def answer(self) -> str:
        """The class of the whole text, in a sentence."""
        share = self.after[-1, self.chosen]
        name = self.classes[self.chosen]
        return f"The answer is {name}, with a probability of {share:.3f}."

    def to_rows(self) -> list[dict[str, Any]]:
        """Return a row for each word."""
        rows = []
        for k, word in enumerate(self.text.words):
            row: dict[str, Any] = {"number": k + 1, "word": word}
            row["known"] = bool(self.text.known[k])
            for name, share in zip(self.classes, self.after[k], strict=True):
                row[f"p({name}) after it"] = round(float(share), 4)
            if self.attribution is not None:
                row["gradient_times_input"] = float(self.attribution.gradient[k])
                row["integrated_gradients"] = float(self.attribution.integrated[k])
            if self.gates is not None:
                row |= self.gates.to_cells(k)
            rows.append(row)
        return rows


class TextExplainer:
    """Explains texts with the network of one run."""

    def __init__(
        self, model: keras.Model, padding: str, classes: tuple[str, ...]
    ) -> None:
        """Prepare.

        Args:
            model: Of the run, with Keras' own kernels.
            padding: On which side a shorter text is padded.
            classes: Names.
        """
        self._model, self._padding, self._classes = model, padding, classes
        self._attributor = TokenAttributor(model)

    def read_curve(self, text: TokenizedText) -> TextExplanation:
        """Return the probabilities after each word only: the fast part."""
        rows = cut_prefixes(text.ids, text.steps, self._padding)
        return TextExplanation(text, self._classes, self.predict(rows))

    def explain(self, text: TokenizedText) -> TextExplanation:
        """Return everything about a text."""
        found = self.read_curve(text)
        ids = self._cut_padding(text.ids[None])
        steps = np.flatnonzero((ids[0] != PAD) & (ids[0] != START))
        (whole,) = self.attribute(ids, np.array([found.chosen]))
        gates = read_gates(self._model, [ids[0]])
        attribution = Attribution(
            whole.gradient[steps], whole.integrated[steps], whole.output, whole.baseline
        )
        gates = None if gates is None else gates.take(steps)
        return TextExplanation(text, self._classes, found.after, attribution, gates)

    def predict(self, ids: np.ndarray) -> np.ndarray:
        """Return probabilities, float32, (num_texts, num_classes), of padded ids."""
        shares = [
            np.asarray(
                self._model.predict_on_batch(self._cut_padding(ids[k : k + BATCH]))
            )
            for k in range(0, len(ids), BATCH)
        ]
        found = np.concatenate(shares)
        if found.shape[1] == 1:  # the probability of the second class
            found = np.concatenate([1 - found, found], axis=1)
        return found

    def attribute(self, ids: np.ndarray, chosen: np.ndarray) -> list[Attribution]:
        """Attribute the probability of a class to the tokens of each text.

        Args:
            ids: int32, (num_texts, steps), padded.
            chosen: int, (num_texts,): numbers of the classes.
        """
        if self._model.output_shape[-1] > 1:
            return self._attributor.attribute(ids, chosen)
        found = self._attributor.attribute(ids, np.zeros_like(chosen))
        return [
            one if number == 1 else one.invert()
            for one, number in zip(found, chosen, strict=True)
        ]

    def _cut_padding(self, ids: np.ndarray) -> np.ndarray:
        """Return ids without the columns that are padding in all rows.

        A network of texts of any length skips the padding. One of a fixed length may
        read it.
        """
        if self._model.input_shape[1] is not None:
            return ids
        longest = max(1, int((ids != PAD).sum(axis=1).max()))
        return ids[:, -longest:] if self._padding == "left" else ids[:, :longest]


def cut_prefixes(ids: np.ndarray, steps: np.ndarray, padding: str) -> np.ndarray:
    """Return the text up to each of its words, padded on the same side.

    Args:
        ids: int32, (steps,), padded.
        steps: Where the words are, (num_words,).
        padding: `left` or `right`.

    Returns:
        int32, (num_words, steps).
    """
    rows = np.full((len(steps), len(ids)), PAD, ids.dtype)
    first = int(np.flatnonzero(ids != PAD)[0])
    for k, step in enumerate(steps):
        part = ids[first : step + 1]
        if padding == "left":
            rows[k, len(ids) - len(part) :] = part
        else:
            rows[k, : len(part)] = part
    return rows
