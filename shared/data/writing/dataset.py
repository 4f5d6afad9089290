"""One text, cut in order into train, validation and test, as token ids."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from shared.core.errors import UserError
from shared.data.padding import UNKNOWN
from shared.data.splits import Examples, Splits
from shared.data.text.vocabulary import Vocabulary
from shared.data.windows import FutureSteps, Streams, Windows
from shared.data.writing.config import WritingConfig
from shared.data.writing.pieces import choose_tokens, number_text
from shared.data.writing.source import Source, read_source
from shared.tasks.next_tokens import NextTokens

__all__ = ["WritingConfig", "WritingSplits", "load_writing"]

SCORED = 256
"""Tokens of a window that are scored, in validation and test."""
CONTEXT = 256
"""Tokens that the network reads before them."""
FEWEST = 100
"""Tokens of the shortest text."""


@dataclass(frozen=True)
class WritingSplits(Splits):
    """One text, cut in order.

    Attributes:
        vocabulary: Tokens of the training part, by id.
        tokens: int32, (num_tokens,): ids of the whole text.
        text: As it was read.
        stops: Tokens before the end of the training, validation and test part.
    """

    vocabulary: Vocabulary = field(kw_only=True)
    tokens: np.ndarray = field(kw_only=True)
    text: str = field(kw_only=True)
    stops: tuple[int, int, int] = field(kw_only=True)


def load_writing(config: WritingConfig, streams: int) -> WritingSplits:
    """Return a text as token ids: its start to train on, its end for the test.

    Inputs are windows of the text, (num_windows, steps), and targets the token after
    each step. In the training, `streams` places of the text are read side by side, each
    on and on, so that a state can be carried from one update to the next. In validation
    and test, each window reads some tokens before the first scored one. They may belong
    to the part before.

    Args:
        config: The flags.
        streams: Batch size.

    Raises:
        UserError: If the file is missing, or no text, or too short.
    """
    source = read_source(config)
    text = source.text[: config.limit]
    numbers, names = number_text(text, config.tokens)
    stops = _cut(config, numbers, streams)
    vocabulary = choose_tokens(numbers[: stops[0]], names, config.vocabulary)
    if not vocabulary.tokens:
        raise UserError(
            f"{source.facts.get('file', source.name)}: no token of the text occurs "
            "twice, so there is nothing to learn; take a longer text."
        )
    ids = np.array([vocabulary.find(name) for name in names], np.int32)[numbers]
    parts = {
        "train": _stream(ids[: stops[0]], config.steps),
        "validation": _window(ids, stops[0], stops[1]),
        "test": _window(ids, stops[1], stops[2]),
    }
    unit = config.tokens[:-1]
    unknown = int((ids == UNKNOWN).sum())
    print(
        f"  {len(ids):,} {config.tokens}, {len(vocabulary.tokens):,} different ones; "
        f"{stops[0]:,} train, {stops[1] - stops[0]:,} validation, "
        f"{stops[2] - stops[1]:,} test"
    )
    if unknown:
        print(
            f"  Unknown {config.tokens}: {unknown:,}. They do not occur twice in the "
            "training part, or --vocabulary leaves them out. Each costs "
            f"{NextTokens.spelling(unit)}."
        )
    return WritingSplits(
        data=_name_data(config, source),
        **parts,
        facts=source.facts | _describe(config, stops, vocabulary),
        task=NextTokens.choose(unit, UNKNOWN),
        is_sample=source.is_sample,
        vocabulary=vocabulary,
        tokens=ids,
        text=text,
        stops=stops,
    )


def _cut(
    config: WritingConfig, numbers: np.ndarray, streams: int
) -> tuple[int, int, int]:
    """Return where the parts end. Validation and test are whole scored windows."""
    total = len(numbers)
    if total < FEWEST:
        where = config.file or config.data
        raise UserError(
            f"{where}: the text has {total:,} {config.tokens}; take one of at least "
            f"{FEWEST}."
        )
    scored = {
        name: round(total * getattr(config, f"{name}_share"))
        for name in ("validation", "test")
    }
    for name, count in scored.items():
        if count < 1:
            raise UserError(
                f"--{name}-share {getattr(config, f'{name}_share')}: gives no token of "
                f"{total:,}; take a longer text, or a larger share."
            )
        if count >= SCORED:
            scored[name] = count // SCORED * SCORED
    first = total - scored["validation"] - scored["test"]
    needed = streams * config.steps + 1
    if first < needed:
        raise UserError(
            f"--batch-size {streams} --steps {config.steps}: one update reads "
            f"{needed:,} {config.tokens}, and the training part has {max(first, 0):,}; "
            "take smaller ones, or a longer text."
        )
    return first, first + scored["validation"], total


def _stream(ids: np.ndarray, steps: int) -> Examples:
    starts = np.arange(0, len(ids) - steps, steps)
    return Examples(Streams(ids, starts, steps), FutureSteps(ids, starts + 1, steps))


def _window(ids: np.ndarray, first: int, stop: int) -> Examples:
    """Return windows whose last tokens are scored, each token of the part once."""
    scored = min(SCORED, stop - first)
    context = min(CONTEXT, first - 1)
    targets = np.arange(first, stop - scored + 1, scored)
    return Examples(
        Windows(ids, targets - 1 - context, context + scored),
        FutureSteps(ids, targets, scored),
    )


def _name_data(config: WritingConfig, source: Source) -> str:
    words = "-words" if config.tokens == "words" else ""
    limit = f"-limit-{config.limit}" if config.limit else ""
    return f"{source.name}{words}{limit}"


def _describe(
    config: WritingConfig, stops: tuple[int, int, int], vocabulary: Vocabulary
) -> dict[str, Any]:
    return {
        "writing": {
            "tokens": config.tokens,
            "stops": list(stops),
            "vocabulary_sha256": vocabulary.sha256,
        }
    }
