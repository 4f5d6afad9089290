"""The verdicts that were computed when runs were published, as rows of a CSV file."""

from __future__ import annotations

import csv
from pathlib import Path

VERDICTS = "verdicts.csv"


def read_verdicts(folder: Path) -> list[dict[str, str]]:
    """Return the rows of `verdicts.csv` in a folder; none if there is no such file.

    Version 0.1 called one column `second_is_bar`.
    """
    if not (folder / VERDICTS).is_file():
        return []
    with (folder / VERDICTS).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [
        {"second_is_baseline" if k == "second_is_bar" else k: v for k, v in row.items()}
        for row in rows
    ]
