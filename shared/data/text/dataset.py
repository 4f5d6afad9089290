"""Texts of any file: read them, split them, and turn them into token ids."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from shared.core.cache import FORMAT, read_cached, write_cached
from shared.core.text import shorten
from shared.data.buckets import Buckets, choose_edges
from shared.data.padding import pad_sequences
from shared.data.splits import Examples, Sequences, Splits
from shared.data.text import sample
from shared.data.text.config import TextConfig
from shared.data.text.labelled import LabelledTexts, list_classes
from shared.data.text.parts import check_classes, split_texts
from shared.data.text.read_texts import read_texts
from shared.data.text.tokens import Tokenizer, choose_tokens, needs_segments
from shared.data.text.vocabulary import (
    Vocabulary,
    index_tokens,
    learn_vocabulary,
    number_tokens,
)
from shared.data.unpack import name_data
from shared.tasks.text_classification import TextClassification

__all__ = ["TextConfig", "TextSplits", "load_text"]

WHOLE = 0.99  # share of the training texts that are read whole
MOST_LENGTH = 500  # tokens of a text that nobody asked for


@dataclass(frozen=True)
class TextSplits(Splits):
    """Texts, split and turned into token ids.

    Attributes:
        vocabulary: Tokens of the training part, by id.
        tokenizer: How texts are cut.
        length: Tokens of a text that the network reads.
    """

    vocabulary: Vocabulary = field(kw_only=True)
    tokenizer: Tokenizer = field(kw_only=True)
    length: int = field(kw_only=True)

    @property
    def steps(self) -> int | None:
        """Steps of every batch; None if batches differ."""
        return None if self.train.buckets is not None else self.length

    def describe_reading(self) -> dict[str, Any]:
        """Return how a new text becomes token ids, as the base class says."""
        return {"text": self.facts["text"], "vocabulary": list(self.vocabulary.tokens)}


def load_text(config: TextConfig, seed: int) -> TextSplits:
    """Return token ids of labelled texts, split into train, validation and test.

    The test part is the same for every seed. The seed decides which other texts only
    choose the epoch. All parts hold the classes in the same proportion. Copies of a
    text are in one part. The vocabulary comes from the training part alone.

    Inputs are int32, (num_texts, length). Targets are float32, (num_texts,): the number
    of the class.

    Raises:
        UserError: If the file is missing or has another form, or a class has too few
            texts.
    """
    texts, apart = _read(config)
    classes = list_classes(texts.labels)
    check_classes(texts, classes, apart)
    rows, labels = split_texts(config, texts, apart, classes, seed)
    whole = texts.texts + (apart.texts if apart else [])
    tokenizer = _choose_tokenizer(config, whole)
    indexed, tokens = _index(texts, apart, tokenizer)
    vocabulary = learn_vocabulary(indexed, tokens, rows["train"], config.vocabulary)
    numbered = number_tokens(indexed, tokens, vocabulary)
    lengths = numbered.lengths[rows["train"]]
    length = config.length
    if length is None:
        length = min(int(np.quantile(lengths, WHOLE, method="higher")), MOST_LENGTH)
    edges: tuple[int, ...] = ()
    if config.batching == "bucketed":
        edges = choose_edges(np.minimum(lengths, length), length)
    parts = {
        name: _pad(numbered, labels, chosen, config, vocabulary, length, edges)
        for name, chosen in rows.items()
    }
    for sentence in texts.remarks:
        print(f"  {sentence}")
    print(
        f"  {len(classes)} classes: {_count_classes(labels, classes)}; "
        f"{tokenizer.tokens}, {vocabulary.size:,} ids, at most {length} a text; texts: "
        + ", ".join(f"{len(part):,} {name}" for name, part in parts.items())
    )
    return TextSplits(
        data=_name_data(config, texts),
        **parts,
        facts=_describe(config, texts, apart, tokenizer, length, vocabulary),
        task=TextClassification.choose(config.score, classes),
        is_sample=config.file is None and config.folder is None,
        mask_side=config.mask_side,
        vocabulary=vocabulary,
        tokenizer=tokenizer,
        length=length,
        class_weights=_weigh(config, parts["train"].targets, len(classes)),
    )


def _read(config: TextConfig) -> tuple[LabelledTexts, LabelledTexts | None]:
    """Return the texts, and those of a test part that is apart."""
    path = config.file or config.folder
    if path is None:
        print(
            "Texts: generated reviews (data set text-sample). Their scores say nothing "
            "about real texts. For your own: --file reviews.csv --text review --label "
            "stars."
        )
        return sample.make_sample(config.limit)
    print(f"Texts: {path}")
    texts = read_texts(config.options(path))
    if config.test_file is None:
        return texts, None
    return texts, read_texts(config.options(config.test_file))


def _choose_tokenizer(config: TextConfig, texts: list[str]) -> Tokenizer:
    tokens = config.tokens
    found = choose_tokens(texts)
    if tokens == "auto":
        tokens = found
    return Tokenizer(tokens, tokens == "words" and needs_segments(texts))


def _index(
    texts: LabelledTexts, apart: LabelledTexts | None, tokenizer: Tokenizer
) -> tuple[Sequences, list[str]]:
    """Return the tokens of all texts as numbers. They are cached."""
    digest = hashlib.sha256(tokenizer.name.encode())
    every = texts.texts + (apart.texts if apart else [])
    for text in every:
        digest.update(text.encode("utf-8", "surrogatepass") + b"\0")
    name = f"texts-{digest.hexdigest()[:16]}-v{FORMAT}.npz"
    stored = read_cached(name, lambda arrays: arrays)
    if stored is not None:
        tokens = bytes(stored["tokens"]).decode().split("\n")
        return Sequences(stored["numbers"], stored["offsets"]), tokens
    found, tokens = index_tokens(tokenizer.split_all(every))
    packed = np.frombuffer("\n".join(tokens).encode(), np.uint8)
    write_cached(
        name, {"numbers": found.tokens, "offsets": found.offsets, "tokens": packed}
    )
    return found, tokens


def _pad(
    numbered: Sequences,
    labels: np.ndarray,
    rows: np.ndarray,
    config: TextConfig,
    vocabulary: Vocabulary,
    length: int,
    edges: tuple[int, ...],
) -> Examples:
    inputs = pad_sequences(
        numbered,
        rows,
        vocabulary=vocabulary.size,
        length=length,
        keep=config.keep,
        padding=config.padding,
    )
    buckets = None
    if edges:
        lengths = np.minimum(numbered.lengths[rows], length)
        buckets = Buckets(lengths, edges, config.padding)
    return Examples(inputs, labels[rows].astype(np.float32), buckets=buckets)


def _weigh(
    config: TextConfig, targets: np.ndarray, num_classes: int
) -> dict[int, float] | None:
    """Return the weight of each class: the mean count over its own count."""
    if config.class_weights == "none":
        return None
    counts = np.bincount(targets.astype(np.int64), minlength=num_classes)
    return {k: float(counts.mean() / count) for k, count in enumerate(counts)}


def _count_classes(labels: np.ndarray, classes: tuple[str, ...]) -> str:
    counts = np.bincount(labels, minlength=len(classes))
    parts = [
        f"{shorten(name, 30)} {count:,}"
        for name, count in zip(classes, counts, strict=True)
    ]
    return shorten(", ".join(parts), 200)


def _describe(
    config: TextConfig,
    texts: LabelledTexts,
    apart: LabelledTexts | None,
    tokenizer: Tokenizer,
    length: int,
    vocabulary: Vocabulary,
) -> dict[str, Any]:
    """Return the facts of the run folder: all that a later prediction needs."""
    path = config.file or config.folder
    facts: dict[str, Any] = {
        "origin": "generated" if path is None else "file",
        "sha256": texts.sha256,
        "repairs": list(texts.remarks),
        "text": {
            "column": texts.column,
            "tokens": tokenizer.tokens,
            "segments": tokenizer.segments,
            "length": length,
            "keep": config.keep,
            "padding": config.padding,
            "vocabulary_sha256": vocabulary.sha256,
        },
    }
    if path is not None:
        facts["file"] = str(path.absolute())
    if apart is not None:
        facts["test_sha256"] = apart.sha256
    return facts


def _name_data(config: TextConfig, texts: LabelledTexts) -> str:
    limited = "" if config.limit is None else f"-limit-{config.limit}"
    if config.file is None and config.folder is None:
        return f"{sample.NAME}{limited}"
    return f"{name_data(texts.path, 'texts')}{limited}"
