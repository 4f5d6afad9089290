"""Precision and recall by class, from the run folder of a text recipe."""

from __future__ import annotations

import os
from typing import Any

from shared.core.text import shorten
from shared.runs.decode import DamagedError, name_file, read_table
from shared.runs.reader import Run

TABLE = "classes.csv"
COLUMNS = ("class", "precision", "recall", "f1", "texts")
MOST_ROWS = 40  # of a run; the file has all
LONGEST = 60  # characters of a cell


def read_classes(run: Run) -> dict[str, Any]:
    """Return the scores of each class on the test part.

    The reason why the table cannot be used is then in `problems` of the run.

    Returns:
        `rows` (a tuple of `COLUMNS` for each class, as text) and `more` (classes left
        out). No rows for a run without classes.
    """
    path = run.path / TABLE
    if not os.path.lexists(path):
        return {"rows": [], "more": 0}
    try:
        columns = read_table(path)
        with name_file(path.name):
            if tuple(columns) != COLUMNS:
                raise ValueError(f"its columns are not {', '.join(COLUMNS)}")
    except DamagedError as error:
        run.problems[path.name] = str(error)
        return {"rows": [], "more": 0}
    rows = [
        tuple(shorten(cell, LONGEST) for cell in row)
        for row in zip(*columns.values(), strict=True)
    ]
    return {"rows": rows[:MOST_ROWS], "more": max(0, len(rows) - MOST_ROWS)}
