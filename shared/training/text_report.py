"""After the training of a text classifier: its classes, and what predict needs.

Writes into the run folder

- `classes.csv`: precision, recall, F1 and number of test texts of each class;
- `confusion.csv`: how often each class was predicted for each true class;
- `vocabulary.txt`: the tokens that the network knows, one a line, by id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from shared.data.feeding import feed, restore_order
from shared.tasks.confusion import count_confusions, measure_classes

if TYPE_CHECKING:
    import keras

    from shared.data.text.dataset import TextSplits
    from shared.runs.writer import RunFolder

BATCH = 256


def write_text_report(model: keras.Model, data: TextSplits, folder: RunFolder) -> None:
    """Write the tables of the test part, and the vocabulary.

    Args:
        model: With the weights of the best epoch.
        data: The splits it was trained on.
        folder: Still open.
    """
    stream = feed(data.test, BATCH)["x"]
    predictions = np.asarray(model.predict(stream, verbose=0))
    predictions = restore_order(data.test, predictions)
    classes = data.task.classes
    counts = count_confusions(data.test.targets, predictions, len(classes))
    folder.write_table("confusion", list_confusions(counts, classes))
    folder.write_table("classes", list_measures(counts, classes))
    folder.write_text("vocabulary", data.vocabulary.to_text())


def list_confusions(counts: np.ndarray, classes: tuple[str, ...]) -> list[dict]:
    """Return a row for each true class, with a count for each predicted one."""
    return [
        {"true class": name}
        | {f"predicted {k}": n for k, n in zip(classes, row.tolist(), strict=True)}
        for name, row in zip(classes, counts, strict=True)
    ]


def list_measures(counts: np.ndarray, classes: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return a row for each class: precision, recall, F1 and its test texts."""
    measures = measure_classes(counts)
    return [
        {"class": name}
        | {column: round(float(values[k]), 4) for column, values in measures.items()}
        | {"texts": int(counts[k].sum())}
        for k, name in enumerate(classes)
    ]
