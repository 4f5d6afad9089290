"""The writer of a run, and the ids of the text that it explains."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shared.data.generated.vowels import VowelsConfig
from shared.data.text.vocabulary import FIRST_TOKEN
from shared.inference.explain.gates import Gates, read_gates
from shared.inference.generate import Options as GenerateOptions
from shared.inference.generate import find_preparation
from shared.inference.parts import list_parts, restore_part
from shared.inference.writing import START, TextWriter
from shared.runs.reader import Run

if TYPE_CHECKING:
    from shared.inference.explain.answers import Question

EXAMPLE_VOWELS = 60  # after the first window


def prepare_writing(
    question: Question,
) -> tuple[TextWriter, list[int], int, list[str]]:
    """Load the writer of a run.

    Returns:
        The writer; ids of the text; how many at the start are only read; and what the
        user should know, each in a sentence.

    Raises:
        UserError: If the text has tokens that the network does not know.
    """
    run = question.run
    options = GenerateOptions(str(run.path))
    writer, _ = find_preparation(run)(run, options)
    if VowelsConfig in list_parts(run):
        lookback = restore_part(run, VowelsConfig).lookback
        remark = f"The first {lookback} vowels are only read."
        return writer, _take_vowels(question, writer), lookback, [remark]
    if question.text is not None:
        ids = writer.encode(question.text, "--text")
        tokens = writer.vocabulary.tokens
        start = START if START in tokens else tokens[0]
        return writer, [writer.vocabulary.find(start), *ids], 1, []
    windows = question.data.test.inputs
    number = question.choose_example(len(windows))
    ids = windows.cut(slice(number, number + 1))[0].tolist()
    return writer, ids, 1, ["The first token is only read."]


def read_writer_gates(run: Run, ids: list[int], first: int) -> Gates | None:
    """Return the gates while a writer reads the tokens of a text.

    Args:
        run: Finished.
        ids: Of the text.
        first: Tokens at the start that are not shown.

    Returns:
        None for a network that reads a window of its own for each token, or that has no
        gates that can be read.
    """
    if VowelsConfig in list_parts(run):
        return None
    from shared.inference.load_model import load_model

    model = load_model(run.path, restore=False)
    gates = read_gates(model, [np.array(ids, np.int32)])
    return None if gates is None else gates.take(np.arange(first, len(ids)))


def _take_vowels(question: Question, writer: TextWriter) -> list[int]:
    if question.text is not None:
        return writer.encode(question.text.strip(), "--text")
    test = question.data.test
    number = question.choose_example(len(test))
    window = test.inputs[number].argmax(axis=-1)
    after = test.targets[number : number + EXAMPLE_VOWELS]
    return (np.concatenate([window, after]) + FIRST_TOKEN).tolist()
