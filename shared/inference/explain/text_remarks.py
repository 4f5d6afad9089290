"""What the reader of an explanation should know about a text and a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.inference.explain.texts import TokenizedText

if TYPE_CHECKING:
    import keras

    from shared.inference.text_run import TextReader


def list_remarks(text: TokenizedText, reader: TextReader) -> list[str]:
    """Return sentences about what the network does not read of a text."""
    remarks = []
    facts = reader.facts
    if text.left_out:
        which = "last" if facts.keep == "end" else "first"
        remarks.append(
            f"The text has {text.left_out + len(text.words):,} {facts.tokens}. The "
            f"network reads the {which} {len(text.words):,} only, and only these are "
            "shown."
        )
    if unknown := int((~text.known).sum()):
        remarks.append(
            f"The network does not know {unknown:,} of the {len(text.words):,} "
            f"{facts.tokens}."
        )
    return remarks


def remark_on_model(model: keras.Model) -> list[str]:
    """Return sentences about what of a network is not attributed to words."""
    from shared.layers.ngrams import NgramModel

    if any(isinstance(layer, NgramModel) for layer in model.layers):
        return [
            "The answer is a mean of networks and a linear model on n-grams. What each "
            "word adds is that of the networks only."
        ]
    return []
