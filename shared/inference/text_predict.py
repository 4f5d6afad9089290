"""The classes of new texts, from a run folder alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from shared.core.errors import UserError
from shared.core.text import shorten
from shared.data.encodings import decode_text
from shared.data.text.labelled import LabelledTexts, Origin, drop_unusable
from shared.data.text.read_texts import TEXT_FILE, TextOptions, read_texts
from shared.data.unpack import read_packed
from shared.inference.classifier import TextClassifier, check_outputs
from shared.inference.file_form import AS_TRAINED, FileForm
from shared.inference.load_model import load_model
from shared.inference.text_run import TextReader, read_text_reader
from shared.runs.reader import Run


@dataclass
class TextPredictions:
    """Classes and probabilities of texts.

    Attributes:
        texts: As they were read.
        classes: Names of the classes.
        probabilities: float32, (num_texts, num_classes).
        source: What was read, in words.
        remarks: What the user should know, each in one sentence.
        places: Of each text of a file or folder: its line, or its file.
    """

    texts: list[str]
    classes: tuple[str, ...]
    probabilities: np.ndarray
    source: str
    remarks: list[str] = field(default_factory=list)
    places: list[dict[str, Any]] = field(default_factory=list)

    def to_rows(self) -> list[dict[str, Any]]:
        """Return a row for each text: its place, its likeliest class, probabilities."""
        best = self.probabilities.argmax(axis=1)
        places = self.places or [{} for _ in self.texts]
        return [
            place
            | {"text": text, "class": self.classes[k]}
            | {"probability": round(float(shares[k]), 4)}
            | {
                f"p({name})": round(float(share), 4)
                for name, share in zip(self.classes, shares, strict=True)
            }
            for place, text, k, shares in zip(
                places, self.texts, best, self.probabilities, strict=True
            )
        ]


def predict_texts(
    run: Run, file: Path | None, text: str | None, form: FileForm = AS_TRAINED
) -> TextPredictions:
    """Return the classes of the texts in a file, or of one text.

    Args:
        run: A finished run of a text recipe.
        file: A table with the column of the run, a .txt file with a text a line, or a
            folder with a text in each .txt file. Labels are not needed.
        text: One text.
        form: Its `encoding` is that of the file.

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
        form.refuse_without_file("one text")
        if not text.strip():
            raise UserError("--text: is empty; write the text between quotes.")
        return classify(run, reader, [text], "the text given", [])
    found = _read_file(file, reader, form.encoding or "auto")
    source = f"{file}: {len(found.texts):,} texts"
    predictions = classify(run, reader, found.texts, source, list(found.remarks))
    predictions.places = [
        {"file": str(origin.path.relative_to(file))}
        if origin.line is None
        else {"line": origin.line}
        for origin in found.origins
    ]
    return predictions


def classify(
    run: Run, reader: TextReader, texts: list[str], source: str, remarks: list[str]
) -> TextPredictions:
    """Return the predictions of a run's model for some texts."""
    model = load_model(run.path)
    classes = run.task.classes
    try:
        check_outputs(model, classes)
    except ValueError:
        raise UserError(
            f"{run.path}: best.keras and summary.json are not of one run; train it "
            "again."
        ) from None
    found = TextClassifier(model, reader, classes).predict(texts)
    if count := int((found.known == 0).sum()):
        which = "1 text has" if count == 1 else f"{count:,} texts have"
        remarks.append(
            f"{which} no token that the network knows: the answer is a guess"
        )
    return TextPredictions(texts, classes, found.probabilities, source, remarks)


def _read_file(path: Path, reader: TextReader, encoding: str) -> LabelledTexts:
    """Read texts without labels."""
    if path.is_dir():
        return _read_folder(path, encoding)
    if path.suffix == TEXT_FILE and path.is_file():
        lines = decode_text(read_packed(path), path, encoding).split("\n")
        numbers = [k for k, line in enumerate(lines) if line.strip()]
        if not numbers:
            raise UserError(f"{path}: holds no text.")
        origins = [Origin(path, k + 1) for k in numbers]
        found = LabelledTexts(path, "", [lines[k] for k in numbers], [], origins)
        return drop_unusable(found)
    column = reader.facts.column
    try:
        return read_texts(
            TextOptions(path, column, encoding=encoding, needs_labels=False)
        )
    except UserError as error:
        if "--text" not in str(error):
            raise
    if column is None:
        raise UserError(
            f"{path}: which column holds the texts cannot be seen; keep one column, or "
            "write a .txt file with a text in each line."
        )
    raise UserError(
        f"{path}: has no column {shorten(column)!r}, which held the texts in training; "
        "rename the column with the texts."
    )


def _read_folder(path: Path, encoding: str) -> LabelledTexts:
    """Read every .txt file below a folder as one text."""
    files = sorted(file for file in path.rglob(f"*{TEXT_FILE}") if file.is_file())
    if not files:
        raise UserError(f"{path}: holds no {TEXT_FILE} file, which would be one text.")
    texts = [decode_text(read_packed(file), file, encoding) for file in files]
    return drop_unusable(LabelledTexts(path, "", texts, [], list(map(Origin, files))))
