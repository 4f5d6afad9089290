"""The verdicts that were computed when runs were published, as rows of a CSV file."""

from __future__ import annotations

import math
import os
from pathlib import Path

from shared.core.errors import UserError
from shared.core.text import shorten
from shared.runs.decode import DamagedError, name_file, read_table

VERDICTS = "verdicts.csv"
NUMBERS = ("corrected_low", "corrected_high", "corrected_p")
COLUMNS = {"data", "first", "second", "second_is_baseline", "sentence", "differs",
           *NUMBERS}  # fmt: skip


def read_verdicts(folder: Path, name: str = VERDICTS) -> list[dict[str, str]]:
    """Return the rows of `verdicts.csv` in a folder; none if there is no such file.

    Version 0.1 called one column `second_is_bar`.

    Args:
        folder: Folder of the published runs.
        name: Name of the file, if it is another table of verdicts.

    Returns:
        Rows with `COLUMNS`. The `NUMBERS` of a row are finite, or its `corrected_low`
        is empty.

    Raises:
        UserError: If the file is damaged.
    """
    path = folder / name
    if not os.path.lexists(path):
        return []
    try:
        columns = read_table(path)
        known = ["second_is_baseline" if k == "second_is_bar" else k for k in columns]
        cells = zip(*columns.values(), strict=True)
        rows = [dict(zip(known, row, strict=True)) for row in cells]
        with name_file(name):
            _check_rows(known, rows)
    except DamagedError as error:
        raise UserError(
            f"{shorten(str(folder))}: {error}. Restore the file, or name another "
            "folder."
        ) from None
    return rows


def _check_rows(names: list[str], rows: list[dict[str, str]]) -> None:
    if missing := COLUMNS - set(names):
        raise ValueError(f"no column {', '.join(sorted(missing))}")
    for row in rows:
        numbers = [float(row[name] or "nan") for name in NUMBERS]
        if row["corrected_low"] and not all(map(math.isfinite, numbers)):
            raise ValueError("an interval without its numbers")
