"""A table in a Parquet file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from shared.core.errors import UserError
from shared.core.text import shorten


@dataclass(frozen=True)
class ParquetTable:
    """A table in a Parquet file. Its lines are the numbers of its rows, from 1."""

    path: Path
    names: tuple[str, ...]
    cells: pd.DataFrame
    header_line: int = 0
    is_unfinished: bool = False
    decimal: str = "."

    @property
    def lines(self) -> np.ndarray:
        """The number of each row, int64."""
        return self.cells.index.to_numpy()

    def read(self, text: Sequence[str], numbers: Sequence[str]) -> pd.DataFrame:
        """Return columns by name: times and text as they are, then float64.

        Raises:
            UserError: If a cell is no number. Names row and column.
        """
        columns: dict[str, Any] = {}
        for name in text:
            cells = self.cells[name]
            is_time = cells.dtype.kind == "M" or isinstance(
                cells.dtype, pd.DatetimeTZDtype
            )
            columns[name] = cells if is_time else cells.astype(str).where(cells.notna())
        for name in numbers:
            cells = self.cells[name]
            values = pd.to_numeric(cells, errors="coerce").astype(np.float64)
            wrong = (values.isna() & cells.notna()) | (cells.dtype.kind in "mM")
            if wrong.any():
                raise self.refuse_cell(name, cells.index[wrong][0], "no number")
            columns[name] = values
        return pd.DataFrame(columns).dropna(how="all")

    def refuse_cell(self, name: str, line: int, problem: str) -> UserError:
        """Return the error for a cell; `line` is the number of its row."""
        cell = self.cells[name].loc[line]
        text = (
            "the cell is empty, "
            if pd.isna(cell)
            else f"{shorten(str(cell), 60)!r} is "
        )
        return UserError(
            f"{self.path}: row {line}, column {shorten(name, 60)!r}: {text}{problem}."
        )


def open_parquet(path: Path, limit: int | None) -> ParquetTable:
    """Return a table of a Parquet file.

    Args:
        path: Of the file.
        limit: Rows to read at most.

    Raises:
        UserError: If the file cannot be read, is empty, or names a column twice.
    """
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        raise UserError(
            f"{path}: reading Parquet needs one more package: pip install pyarrow."
        ) from None
    try:
        cells = parquet.read_table(path).to_pandas(ignore_metadata=True)
    except (OSError, ArrowException) as error:
        raise UserError(
            f"{path}: cannot be read ({shorten(str(error), 100)})."
        ) from None
    cells = cells.iloc[:limit]
    cells.columns = cells.columns.astype(str)
    if not len(cells):
        raise UserError(f"{path}: holds no row; name another file.")
    if cells.columns.has_duplicates:
        name = cells.columns[cells.columns.duplicated()][0]
        raise UserError(f"{path}: two columns are named {shorten(name)!r}; rename one.")
    cells.index = pd.RangeIndex(1, len(cells) + 1)
    return ParquetTable(path, tuple(cells.columns), cells)
