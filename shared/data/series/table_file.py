"""Open a table of any usual kind: delimited text, packed or not, or Parquet."""

from __future__ import annotations

import codecs
import csv
import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd

from shared.core.errors import UserError
from shared.core.text import shorten
from shared.data.delimited import (
    COMMENT,
    DECIMAL_COMMA,
    DELIMITERS,
    Table,
    is_written,
    list_names,
    read_table,
)
from shared.data.encodings import find_encoding
from shared.data.series.messages import (
    TableError,
    advise,
    format_count,
    refuse_cell,
)
from shared.data.series.parquet_table import ParquetTable, open_parquet
from shared.data.unpack import read_packed

HEAD_BYTES = 1 << 16
HEAD_LINES = 20
MOST = 0.5  # share of cells
HEAD_ROWS = 1_000  # rows that decide what a column holds
SIGNATURES = {
    b"PK\x03\x04": "a zip archive or an Excel workbook; save the sheet as CSV in UTF-8",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook; save the sheet as CSV in UTF-8",
    b"\x1f\x8b": "packed by gzip; its name must end in .gz",
    b"\xfd7zXZ": "packed by xz; its name must end in .xz",
    b"\x89HDF": "an HDF5 file; save the table as CSV in UTF-8",
    b"%PDF": "a PDF; save the table as CSV in UTF-8",
}
PARQUET = b"PAR1"
QUOTED = re.compile(rb'"[^"]*"')
DATA = re.compile(r"[\d\s.,:/TZ+-]*\d[\d\s.,:/TZ+-]*", re.ASCII)
"""A number or a time, which is no name of a column."""
DATE = re.compile(r"\d{4}-\d\d-\d\d|\d\d?[./]\d\d?[./]\d{2,4}", re.ASCII)
THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}([.,]\d{3})+", re.ASCII)
"""A number whose mark may stand between thousands, or before decimals."""


class TableFile(Protocol):
    """A table, whatever its file is. `Table` of delimited text is one.

    Attributes:
        path: For messages.
        names: Of the columns.
        lines: int64, (num_rows,): where each row starts; in Parquet, its number.
        header_line: Line of the names; 0 in Parquet.
        is_unfinished: Whether the file may be cut.
        decimal: Mark between the digits of a number.
    """

    path: Path
    names: tuple[str, ...]
    lines: np.ndarray
    header_line: int
    is_unfinished: bool
    decimal: str

    def read(self, text: Sequence[str], numbers: Sequence[str]) -> pd.DataFrame:
        """Return columns as text and as float64; see `Table.read`."""
        ...

    def refuse_cell(self, name: str, line: int, problem: str) -> UserError:
        """Return the error for a cell; see `Table.refuse_cell`."""
        ...


def open_table(
    path: Path,
    encoding: str | None = "auto",
    limit: int | None = None,
    delimiter: str | None = None,
    holds_prose: bool = False,
    headers: Sequence[Sequence[str]] = (),
) -> TableFile:
    """Return a table.

    Args:
        path: Text, plain or packed (.gz, .zip, .xz), or Parquet.
        encoding: Of text. auto: UTF-8, UTF-16 with a byte order mark, or GB18030. None:
            the first two, and other bytes become a replacement character.
        limit: Rows to read at most.
        delimiter: Between cells of text. None: commas, semicolons, tabs or vertical
            bars, as the header and the first rows show.
        holds_prose: As in `read_table`.
        headers: Names of columns. Where the text has none, the first of these names
            them that are as many as its cells. Empty: a text without a header is
            refused.

    Raises:
        UserError: If the file is missing, has another form, or is no text in this
            encoding.
    """
    if path.is_dir():
        raise UserError(f"{path}: is a folder; name a file in it.")
    if not path.exists():
        raise UserError(f"{path}: there is no such file.")
    start = _read_start(path)
    if start.startswith(PARQUET):
        return open_parquet(path, limit)
    content = read_packed(path)
    for signature, kind in SIGNATURES.items():
        if content.startswith(signature):
            raise UserError(f"{path}: is no text but {kind}.")
    if encoding is not None:
        content = _recode(content, encoding, path)
    if delimiter is None:
        delimiter = _find_delimiter(content)
    names = None
    if headers:
        names = _find_names(content, delimiter, path, headers)
    table = read_table(path, delimiter, limit, content, holds_prose, names)
    if names is None:
        _check_header(table)
    return table


def take_head(table: TableFile) -> pd.DataFrame:
    """Return the first rows of all columns, as text.

    Raises:
        UserError: If all rows are empty.
    """
    if isinstance(table, ParquetTable):
        first = dataclasses.replace(table, cells=table.cells.iloc[:HEAD_ROWS])
    else:
        first = dataclasses.replace(table, lines=table.lines[:HEAD_ROWS])
    head = first.read(table.names, [])
    if not len(head):
        head = table.read(table.names, []).iloc[:HEAD_ROWS]
    if not len(head):
        raise UserError(f"{table.path}: all rows below its header are empty.")
    return head


def is_number(cells: pd.Series) -> bool:
    """Return whether most cells that are not empty are numbers."""
    filled = cells.dropna().astype(str)
    numbers = filled.map(is_written)
    return len(filled) > 0 and bool(numbers.mean() > MOST)


def set_decimal(
    table: TableFile, names: Sequence[str], head: pd.DataFrame, decimal: str
) -> TableFile:
    """Return the table with the decimal mark of its numbers.

    A decimal comma is found where commas do not separate the cells, and where every
    number agrees.

    Args:
        table: Of text or Parquet.
        names: Columns of numbers.
        head: Its first rows, as text. Where they have no mark, all rows decide.
        decimal: `.` or `,`; `auto`: found.

    Raises:
        UserError: If a mark may be that of decimals or of thousands, or if it is not
            the one that was asked for.
    """
    if isinstance(table, ParquetTable):
        return table
    if decimal != "auto":
        _check_decimal(table, _find_marked(head, names), decimal)
        return dataclasses.replace(table, decimal=decimal)
    if table.delimiter == ",":
        return table
    marked = _find_marked(head, names)
    if not marked and len(table.lines) > HEAD_ROWS:
        marked = _find_marked(table.read(names, []), names)
    if not marked:
        return table
    comma = any(cells.map(DECIMAL_COMMA.fullmatch).notna().any() for cells in marked)
    alike = [cells.str.strip().map(THOUSANDS.fullmatch).notna() for cells in marked]
    if all(cells.all() for cells in alike):
        problem = "a number with decimals, or with a mark between thousands"
        raise refuse_cell(
            table,
            str(marked[0].name),
            marked[0].index[0],
            f"{problem}; pass --decimal . or --decimal , (a mark between thousands is "
            "not read)",
            f"{problem}; write no mark between thousands, and not three decimals in "
            "all rows",
        )
    return dataclasses.replace(table, decimal="," if comma else ".")


def _check_decimal(table: Table, marked: list[pd.Series], decimal: str) -> None:
    """Refuse a column whose numbers all have the other decimal mark."""
    other = "," if decimal == "." else "."
    for cells in marked:
        has_other = cells.str.contains(other, regex=False)
        has_asked = cells.str.contains(decimal, regex=False)
        if has_other.all() and not has_asked.any():
            problem = f"no number with the decimal mark {decimal!r}"
            raise refuse_cell(
                table,
                str(cells.name),
                cells.index[0],
                f"{problem}, as all of its column; pass --decimal {other}",
                f"{problem}, as all of its column; write it so",
            )


def _find_marked(cells: pd.DataFrame, names: Sequence[str]) -> list[pd.Series]:
    """Return the cells with a point or a comma, of each column that has some."""
    filled = [cells[name].dropna() for name in names]
    marked = [column[column.str.contains("[.,]", regex=True)] for column in filled]
    return [column for column in marked if len(column)]


def _read_start(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(8)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UserError(f"{path}: cannot be read ({shorten(reason)}).") from None


def _recode(content: bytes, encoding: str, path: Path) -> bytes:
    """Return text in UTF-8, or in UTF-16 with a byte order mark."""
    if encoding == "auto":
        if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return content
        if content.isascii():
            return content
        encoding = find_encoding(content)
    try:
        codecs.lookup(encoding)
        text = content.decode(encoding)
    except LookupError:
        problem = f"{shorten(encoding)!r}: is no encoding"
        raise TableError(
            f"--encoding {problem}; take utf-8, cp1252, latin-1 or utf-16.",
            f"{path}: {problem}.",
        ) from None
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise advise(
            f"{path}: line {line} is no text in {encoding}",
            "save the file in UTF-8, or pass its --encoding, e.g. cp1252 (Western "
            "Windows) or latin-1",
            f"save the file in {encoding.upper()}",
        ) from None
    return content if encoding == "utf-8" else text.encode()


def _find_delimiter(content: bytes) -> str:
    """Return what separates the names of the header, and the cells of most rows."""
    start = content[:HEAD_BYTES]
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        start = start[: len(start) // 2 * 2].decode("utf-16", errors="replace").encode()
    lines = [
        QUOTED.sub(b"", line)
        for line in start.splitlines()
        if line.strip() and not line.startswith(COMMENT.encode())
    ][:HEAD_LINES]
    if not lines:
        return ","

    def rate(delimiter: str) -> tuple[bool, int]:
        counts = [line.count(delimiter.encode()) for line in lines]
        return counts[0] > 0 and len(set(counts[:-1] or counts)) == 1, counts[0]

    return max(DELIMITERS, key=rate)


def _find_names(
    content: bytes, delimiter: str, path: Path, headers: Sequence[Sequence[str]]
) -> Sequence[str] | None:
    """Return the names of the columns of a text without a header.

    Returns:
        None if it has a header, or no row at all.

    Raises:
        UserError: If no header has as many names as the first row has cells.
    """
    lines = content.decode(errors="replace").splitlines()
    rows = [
        (number, line)
        for number, line in enumerate(lines, 1)
        if line.strip() and not line.startswith(COMMENT)
    ]
    if not rows:
        return None
    number, line = rows[0]
    try:
        cells = next(csv.reader([line], delimiter=delimiter))
    except csv.Error:
        return None  # `read_table` says what is wrong
    if not _is_row([cell.strip() for cell in cells]):
        return None
    for names in headers:
        if len(names) == len(cells):
            return names
    raise UserError(
        f"{path}: line {number} has {format_count(len(cells), 'cell')}, and no header "
        f"is above it; without a header, write {format_count(len(headers[-1]), 'cell')}"
        f" ({list_names(headers[-1])}), or write the names in the first line."
    )


def _is_row(cells: Sequence[str]) -> bool:
    """Return whether a first line holds numbers and times, as rows do."""
    are_data = [bool(DATA.fullmatch(cell)) for cell in cells]
    has_date = any(DATE.match(cell) for cell in cells)
    return all(are_data) or (has_date and sum(are_data) > 1)


def _check_header(table: Table) -> None:
    """Refuse a first line that holds numbers and times, as rows do."""
    if _is_row(table.names):
        raise UserError(
            f"{table.path}: line {table.header_line} holds numbers, so the header is "
            "missing; write the names of the columns in the first line."
        )
