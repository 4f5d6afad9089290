"""Why a network gave a text its class: word by word."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.core.errors import UserError
from shared.data.padding import PAD, START, UNKNOWN
from shared.inference.explain.attribution import Attribution, attribute_tokens
from shared.inference.explain.gates import Gates, read_gates

if TYPE_CHECKING:
    import keras

    from shared.inference.text_run import TextReader

BATCH = 128
REMOVED = 0.2  # share of the words that the deletion check removes


@dataclass(frozen=True)
class TextExplanation:
    """What the words of one text do.

    Attributes:
        words: As the network reads them, without start and padding.
        known: bool, (num_words,): whether the network knows the word.
        classes: Names.
        after: Probabilities after each word, (num_words, num_classes), as if the text
            ended there.
        chosen: Number of the class that the whole text gets.
        attribution: Of the probability of that class to the words, (num_words,).
        gates: Of the first recurrent layer, with the steps of the words only.
    """

    words: list[str]
    known: np.ndarray
    classes: tuple[str, ...]
    after: np.ndarray
    chosen: int
    attribution: Attribution
    gates: Gates | None

    def to_rows(self) -> list[dict[str, Any]]:
        """Return a row for each word."""
        rows = []
        for k, word in enumerate(self.words):
            row: dict[str, Any] = {"number": k + 1, "word": word}
            row["known"] = bool(self.known[k])
            for name, share in zip(self.classes, self.after[k], strict=True):
                row[f"p({name}) after it"] = round(float(share), 4)
            row["gradient_times_input"] = float(self.attribution.gradient[k])
            row["integrated_gradients"] = float(self.attribution.integrated[k])
            if self.gates is not None:
                for name, values in self.gates.means.items():
                    row[name] = round(float(values[k]), 4)
                units = " ".join(map(str, self.gates.active[k]))
                row["most_active_units"] = units
            rows.append(row)
        return rows


def explain_text(
    model: keras.Model, reader: TextReader, classes: tuple[str, ...], text: str
) -> TextExplanation:
    """Explain the class of one text.

    Args:
        model: Of the run, with Keras' own kernels.
        reader: Turns a text into ids.
        classes: Names.
        text: Any.

    Raises:
        UserError: If the network knows none of the words.
    """
    ids = reader.read([text])[0]
    steps = np.flatnonzero((ids != PAD) & (ids != START))
    words = reader.split(text)
    kept = words[-len(steps) :] if reader.facts.keep == "end" else words[: len(steps)]
    known = np.array([reader.vocabulary.find(word) != UNKNOWN for word in kept])
    if not known.any():
        raise UserError(
            "--text: the network knows none of its words, so there is nothing to "
            "explain; write words that are in vocabulary.txt of the run."
        )
    after = predict_classes(model, _cut_prefixes(ids, steps, reader.facts.padding))
    chosen = int(after[-1].argmax())
    attribution = _attribute(model, ids, chosen)
    gates = read_gates(model, [ids])
    return TextExplanation(
        kept,
        known,
        classes,
        after,
        chosen,
        Attribution(
            attribution.gradient[steps],
            attribution.integrated[steps],
            attribution.output,
            attribution.baseline,
        ),
        None if gates is None else _take(gates, steps),
    )


def predict_classes(model: keras.Model, ids: np.ndarray) -> np.ndarray:
    """Return probabilities, float32, (num_texts, num_classes), of padded ids."""
    shares = np.concatenate(
        [
            np.asarray(model.predict_on_batch(ids[k : k + BATCH]))
            for k in range(0, len(ids), BATCH)
        ]
    )
    if shares.shape[1] == 1:
        shares = np.concatenate([1 - shares, shares], axis=1)
    return shares


@dataclass(frozen=True)
class DeletionCheck:
    """What happens to the chosen class if words are removed.

    Attributes:
        texts: Number of test texts.
        important: Mean fall of its probability if the words with the largest integrated
            gradients are removed.
        random: Mean fall if as many other words are removed at random.
    """

    texts: int
    important: float
    random: float

    def describe(self) -> str:
        """Return one sentence."""
        return (
            f"Removing the {REMOVED:.0%} most important words of {self.texts:,} test "
            f"texts lowers the probability of the chosen class by {self.important:.3f} "
            f"on average; removing as many random words, by {self.random:.3f}."
        )


def check_by_deletion(
    model: keras.Model, texts: np.ndarray, padding: str, seed: int = 0
) -> DeletionCheck:
    """Remove the words called important, and as many random ones.

    Args:
        model: Of the run, with Keras' own kernels.
        texts: Padded ids, int32, (num_texts, steps).
        padding: On which side they are padded.
        seed: Of the random words.
    """
    random = np.random.default_rng(seed)
    chosen = predict_classes(model, texts).argmax(axis=1)
    without, without_random, used = [], [], []
    for k, ids in enumerate(texts):
        steps = np.flatnonzero((ids != PAD) & (ids != START))
        count = round(REMOVED * len(steps))
        if not count:
            continue
        integrated = _attribute(model, ids, int(chosen[k])).integrated[steps]
        important = steps[np.argsort(-integrated)[:count]]
        drawn = random.choice(steps, count, replace=False)
        without.append(_remove(ids, important, padding))
        without_random.append(_remove(ids, drawn, padding))
        used.append(k)
    rows, which = np.array(used), chosen[used]
    before = predict_classes(model, texts[rows])[np.arange(len(rows)), which]
    falls = [
        float((before - predict_classes(model, np.stack(changed))[
            np.arange(len(rows)), which]).mean())
        for changed in (without, without_random)
    ]  # fmt: skip
    return DeletionCheck(len(rows), *falls)


def _attribute(model: keras.Model, ids: np.ndarray, chosen: int) -> Attribution:
    """Attribute the probability of a class; a network with one output gives p(1)."""
    if model.output_shape[-1] > 1:
        return attribute_tokens(model, ids, chosen)
    found = attribute_tokens(model, ids, 0)
    if chosen == 1:
        return found
    return Attribution(
        -found.gradient, -found.integrated, 1 - found.output, 1 - found.baseline
    )


def _cut_prefixes(ids: np.ndarray, steps: np.ndarray, padding: str) -> np.ndarray:
    """Return the text up to each of its words, padded on the same side."""
    rows = np.full((len(steps), len(ids)), PAD, ids.dtype)
    first = int(np.flatnonzero(ids != PAD)[0])
    for k, step in enumerate(steps):
        part = ids[first : step + 1]
        if padding == "left":
            rows[k, len(ids) - len(part) :] = part
        else:
            rows[k, : len(part)] = part
    return rows


def _remove(ids: np.ndarray, steps: np.ndarray, padding: str) -> np.ndarray:
    """Return a text without some of its words."""
    kept = np.delete(ids, steps)
    gap = np.full(len(ids) - len(kept), PAD, ids.dtype)
    return np.concatenate([gap, kept] if padding == "left" else [kept, gap])


def _take(gates: Gates, steps: np.ndarray) -> Gates:
    means = {name: values[steps] for name, values in gates.means.items()}
    return Gates(gates.layer, means, gates.active[steps], gates.moved[steps])
