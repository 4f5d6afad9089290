"""A saved model that takes texts, for Python.

    from shared.inference.classifier import load_classifier

    classifier = load_classifier("results/runs/text-gru/FOLDER/best.keras")
    found = classifier.predict(["I expected more.", "Lovely!"])

`found.classes` has a name for each text, and `found.probabilities` a row for each text
with a column for each of `classifier.classes`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from shared.core.backend import import_keras
from shared.core.errors import UserError
from shared.core.text import shorten
from shared.data.padding import PAD, START, UNKNOWN
from shared.data.text.vocabulary import Vocabulary
from shared.inference.load_model import load_model
from shared.inference.text_run import (
    TextFacts,
    TextReader,
    make_reader,
    read_text_reader,
)
from shared.runs.reader import MODEL, MODEL_TEXTS, read_run

if TYPE_CHECKING:
    import keras

BATCH = 256


class Kept(msgspec.Struct, frozen=True):
    """What `best.keras` keeps to read texts.

    Attributes:
        classes: Their names, in the order of the outputs.
        text: How a text is read.
        vocabulary: The tokens that the network knows, by id.
    """

    classes: tuple[str, ...]
    text: TextFacts
    vocabulary: tuple[str, ...]


@dataclass(frozen=True)
class Classified:
    """The classes of some texts.

    Attributes:
        classes: Name of the likeliest class of each text.
        probabilities: float32, (num_texts, num_classes).
        known: int, (num_texts,): tokens of each text that the network knows. At 0, the
            class is a guess.
    """

    classes: list[str]
    probabilities: np.ndarray
    known: np.ndarray


@dataclass(frozen=True)
class TextClassifier:
    """A trained model with what turns texts into its inputs.

    Attributes:
        model: Token ids -> probabilities of the classes, or of the second one of two.
        reader: Turns texts into token ids.
        classes: Names of the classes.
    """

    model: keras.Model
    reader: TextReader
    classes: tuple[str, ...]

    def predict(self, texts: Iterable[str]) -> Classified:
        """Return the classes of some texts.

        Args:
            texts: A list, an array or anything else that yields texts.

        Raises:
            UserError: If it is a text, or holds anything but texts.
        """
        is_text = isinstance(texts, str)
        listed = [] if is_text else list(texts)
        if is_text or not all(isinstance(text, str) for text in listed):
            raise UserError(
                f"predict({shorten(repr(texts), 60)}): takes a list of texts, e.g. "
                'predict(["I expected more."]).'
            )
        if not listed:
            empty = np.empty((0, len(self.classes)), np.float32)
            return Classified([], empty, np.empty(0, int))
        ids = self.reader.read(listed)
        shares = np.asarray(self.model.predict(ids, batch_size=BATCH, verbose=0))
        if shares.shape[1] == 1:  # the probability of the second class
            shares = np.concatenate([1 - shares, shares], axis=1)
        known = ((ids != PAD) & (ids != START) & (ids != UNKNOWN)).sum(axis=1)
        names = [self.classes[k] for k in shares.argmax(axis=1)]
        return Classified(names, shares, known)


def load_classifier(path: str | Path) -> TextClassifier:
    """Load a model with its vocabulary and the names of its classes.

    Args:
        path: A `best.keras` of a text or IMDB recipe, wherever it is now; or a run
            folder.

    Raises:
        UserError: If there is no such model, it is damaged, or it keeps no vocabulary.
    """
    import_keras()
    from shared.inference.model_file import read_texts_part

    model = load_model(path)
    is_folder = Path(path).is_dir()
    content = read_texts_part(Path(path, MODEL) if is_folder else Path(path))
    if content is not None:
        return _make_classifier(model, content, path)
    if is_folder:  # of an older version, or without the index of the words
        run = read_run(Path(path))
        if hasattr(run.task, "classes"):
            return TextClassifier(model, read_text_reader(run), run.task.classes)
    raise UserError(
        f"{shorten(str(path))}: keeps no vocabulary, so it reads no texts. Name the "
        "model of a text or IMDB recipe, or its run folder. An IMDB recipe keeps its "
        "words if imdb_word_index.json is beside imdb.npz in training."
    )


def _make_classifier(
    model: keras.Model, content: bytes, path: str | Path
) -> TextClassifier:
    try:
        kept = msgspec.json.decode(content, type=Kept)
        reader = make_reader(kept.text, Vocabulary(kept.vocabulary))
        check_outputs(model, kept.classes)
    except ValueError as error:
        raise UserError(
            f"{shorten(str(path))}: its {MODEL_TEXTS} cannot be used "
            f"({shorten(str(error), 120)}); train the run again."
        ) from None
    return TextClassifier(model, reader, kept.classes)


def check_outputs(model: keras.Model, classes: Sequence[str]) -> None:
    """Refuse names of classes that are not those of the outputs.

    Raises:
        ValueError: With both numbers.
    """
    outputs = {1: 2}.get(model.output_shape[-1], model.output_shape[-1])
    if outputs != len(classes):
        raise ValueError(f"{len(classes)} names of classes, {outputs} in the model")
