"""The classes of new texts, from a run folder alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from shared.core.errors import UserError
from shared.core.text import shorten
from shared.data.encodings import decode_text
from shared.data.padding import PAD, START, UNKNOWN
from shared.data.text.labelled import LabelledTexts, Origin, drop_unusable
from shared.data.text.read_texts import TextOptions, read_texts
from shared.data.unpack import read_packed
from shared.inference.text_run import TextReader, read_text_reader
from shared.runs.reader import Run

BATCH = 256


@dataclass
class TextPredictions:
    """Classes and probabilities of texts.

    Attributes:
        texts: As they were read.
        classes: Names of the classes.
        probabilities: float32, (num_texts, num_classes).
        source: What was read, in words.
        remarks: What the user should know, each in one sentence.
    """

    texts: list[str]
    classes: tuple[str, ...]
    probabilities: np.ndarray
    source: str
    remarks: list[str] = field(default_factory=list)

    def to_rows(self) -> list[dict[str, Any]]:
        """Return a row for each text: the likeliest class, then all probabilities."""
        best = self.probabilities.argmax(axis=1)
        return [
            {"text": text, "class": self.classes[k]}
            | {
                f"p({name})": round(float(share), 4)
                for name, share in zip(self.classes, shares, strict=True)
            }
            for text, k, shares in zip(
                self.texts, best, self.probabilities, strict=True
            )
        ]


def predict_texts(run: Run, file: Path | None, text: str | None) -> TextPredictions:
    """Return the classes of the texts in a file, or of one text.

    Args:
        run: A finished run of a text recipe.
        file: A table with the column of the run, a .txt file with a text a line, or a
            folder. Labels are not needed.
        text: One text.

    Raises:
        UserError: If both or none are given, or the file has another form.
    """
    if (file is None) == (text is None):
        raise UserError(
            f'{run.recipe} reads texts: pass either TEXT="..." (--text) or FILE=... '
            "(--file)."
        )
    reader = read_text_reader(run)
    if text is not None:
        if not text.strip():
            raise UserError("--text: is empty; write the text between quotes.")
        texts, source, remarks = [text], "the text given", []
    else:
        found = _read_file(file, reader)
        texts, remarks = found.texts, list(found.remarks)
        source = f"{file}: {len(texts):,} texts"
    return classify(run, reader, texts, source, remarks)


def classify(
    run: Run, reader: TextReader, texts: list[str], source: str, remarks: list[str]
) -> TextPredictions:
    """Return the predictions of a run's model for some texts."""
    from shared.inference.load_model import load_model

    model = load_model(run.path)
    ids = reader.read(texts)
    classes = run.task.classes
    outputs = {1: 2}.get(model.output_shape[-1], model.output_shape[-1])
    if outputs != len(classes):
        raise UserError(
            f"{run.path}: best.keras and summary.json are not of one run; train it "
            "again."
        )
    known = ((ids != PAD) & (ids != START) & (ids != UNKNOWN)).sum(axis=1)
    if (known == 0).any():
        count = int((known == 0).sum())
        which = "the text has" if len(texts) == 1 else f"{count:,} texts have"
        remarks.append(
            f"{which} no token that the network knows: its answer is a guess"
        )
    probabilities = np.asarray(model.predict(ids, batch_size=BATCH, verbose=0))
    if probabilities.shape[1] == 1:  # the probability of the second class
        probabilities = np.concatenate([1 - probabilities, probabilities], axis=1)
    return TextPredictions(texts, classes, probabilities, source, remarks)


def _read_file(path: Path, reader: TextReader) -> LabelledTexts:
    if path.suffix == ".txt" and path.is_file():
        content = decode_text(read_packed(path), path)
        lines = content.split("\n")
        numbers = [k for k, line in enumerate(lines) if line.strip()]
        if not numbers:
            raise UserError(f"{path}: holds no text.")
        origins = [Origin(path, k + 1) for k in numbers]
        found = LabelledTexts(path, "", [lines[k] for k in numbers], [], origins)
        return drop_unusable(found)
    column = None if path.is_dir() else reader.facts.column
    options = TextOptions(path, column, needs_labels=False)
    try:
        return read_texts(options)
    except UserError as error:
        if column is not None and "--text" in str(error):
            raise UserError(
                f"{path}: has no column {shorten(column)!r}, which held the texts in "
                "training; rename the column with the texts."
            ) from None
        raise
