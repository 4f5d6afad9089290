"""Read any table of delimited text. Every row has the cells of the header, or none.

A row with a cell too many or too few would move all later cells into other columns. So
the number of cells is checked in every row before a cell is read.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from shared.core.errors import UserError
from shared.core.text import shorten
from shared.data.unpack import read_packed

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
COMMENT = "#"
NEWLINE, SPACE = ord("\n"), ord(" ")
MOST_COLUMNS = 10_000
BLOCK = 1 << 22  # bytes that are scanned at once
NUMBER = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
DECIMAL_COMMA = re.compile(r"\s*[+-]?\d+,\d+([eE][+-]?\d+)?\s*", re.ASCII)
WITH_UNIT = re.compile(r"[$€£¥]\s*[\d.,+-]+|[\d.,+-]+\s*[%$€£¥]")
GROUPED = re.compile(r"\s*[+-]?\d{1,3}([,.'_\s]\d{3})+([,.]\d*)?\s*")
"""A number with separators between thousands."""
LONGEST_CELL = 60  # characters of a cell that a message repeats
LONGEST_LIST = 400  # characters of a list of columns in a message


@dataclass(frozen=True)
class Table:
    """A table whose rows all have the same number of cells.

    Attributes:
        path: For messages.
        names: Of the columns, without spaces around them. No two are the same.
        lines: int64, (num_rows,): the line of the file where each row starts.
        header_line: The line of the file where the header starts; 0: it has none.
        content: UTF-8: the header and the rows, without blank lines and comments.
        width: Cells in each row. Those to the right of the header's last name are
            empty.
        delimiter: One ASCII character.
        is_unfinished: Whether the last row has no line end: the file may be cut.
        decimal: Mark between the digits of a number, a point or a comma.
        holds_prose: As in `read_table`.
    """

    path: Path
    names: tuple[str, ...]
    lines: np.ndarray
    header_line: int
    content: bytes
    width: int
    delimiter: str
    is_unfinished: bool
    decimal: str = "."
    holds_prose: bool = False

    def read(self, text: Sequence[str], numbers: Sequence[str]) -> pd.DataFrame:
        """Return columns of the table, by name.

        Args:
            text: Columns to read as text.
            numbers: Columns to read as float64. Empty cells, `NA` and `nan` are NaN.

        Returns:
            The text columns, then the numbers. The index is the line of each row. Rows
            without any cell are left out.

        Raises:
            UserError: If a cell is no number. Names line and column.
        """
        surplus = range(len(self.names), self.width)
        kinds = dict.fromkeys(text, str) | dict.fromkeys(numbers, np.float64)
        by_position = {self.names.index(name): kind for name, kind in kinds.items()}
        try:
            cells = self._parse(by_position | dict.fromkeys(surplus, str))
        except ValueError as error:
            raise self._explain(numbers, error) from None
        for position in surplus:
            filled = cells[position].notna()
            if filled.any():
                line = filled.index[filled][0]
                raise self._refuse_row(int(np.flatnonzero(self.lines == line)[0]))
        cells = cells[list(by_position)].dropna(how="all")
        cells.columns = [*text, *numbers]
        return cells

    def refuse_cell(self, name: str, line: int, problem: str) -> UserError:
        """Return the error for a cell.

        Args:
            name: Of the column.
            line: Of the file.
            problem: What is wrong and how to fix it. It follows the cell's text.
        """
        position = self.names.index(name)
        cell = self._parse({position: str})[position][line]
        text = "the cell is empty" if pd.isna(cell) else _quote(cell)
        if cell == name:
            problem = "the header again; were two files joined? Delete this line"
        for other, plural in DELIMITERS.items():
            if other != self.delimiter and other in text and not is_written(cell):
                problem = (
                    f"several cells, separated by {plural}; write {self._separator}"
                )
        return UserError(
            f"{self.path}: line {line}, column {_quote(name)}: {text}"
            f"{', ' if pd.isna(cell) else ' is '}{problem}."
        )

    def _parse(self, kinds: dict[int, type]) -> pd.DataFrame:
        """Return columns by position; ValueError if a cell is not of its kind."""
        cells = pd.read_csv(
            io.BytesIO(self.content),
            sep=self.delimiter,
            header=None,
            names=range(self.width),
            usecols=sorted(kinds),
            dtype=kinds,
            index_col=False,
            skiprows=1,
            nrows=len(self.lines),
            skip_blank_lines=False,
            skipinitialspace=True,
            decimal=self.decimal,
            na_values=[""],
            keep_default_na=not self.holds_prose,
            encoding_errors="replace",
            low_memory=False,
        )
        return cells.set_index(pd.Index(self.lines))

    def _explain(self, numbers: Sequence[str], error: ValueError) -> UserError:
        """Return the error for the first cell that is no number."""
        for name in numbers:
            position = self.names.index(name)
            cells = self._parse({position: str})[position].dropna()
            swapped = str.maketrans(",.", ".,") if self.decimal == "," else {}
            wrong = cells.str.translate(swapped).map(NUMBER.fullmatch).isna()
            if wrong.any():
                line = cells.index[wrong][0]
                return self.refuse_cell(name, line, describe_number(cells[line]))
        return UserError(f"{self.path}: cannot be read ({shorten(str(error))}).")

    def _refuse_row(self, row: int) -> UserError:
        """Return the error for a row that has not the header's number of cells."""
        cells, text = _read_record(self.content, row + 1, self.delimiter)
        expected, line = len(self.names), self.lines[row]
        what = f"the header (line {self.header_line}) has {expected}"
        if not self.header_line:
            what = f"{expected} are read ({list_names(self.names)})"
        if self.width not in (expected, len(cells)):
            what = f"line {self.lines[0]} has {self.width}"
        return UserError(
            f"{self.path}: line {line} has {len(cells)} cells, and {what}; "
            + self._describe_row(len(cells), text, row == len(self.lines) - 1)
        )

    def _describe_row(self, count: int, text: str, is_last: bool) -> str:
        """Return why a row may have the wrong number of cells, and what helps."""
        for other, name in DELIMITERS.items():
            if other != self.delimiter and text.count(other) >= len(self.names) - 1:
                return f"{name} separate its cells: write {self._separator} instead."
        if count > len(self.names):
            reason = (
                "do decimal commas or thousands separators split its numbers? Write "
                "10.5, not 10,5"
                if self.delimiter == ","
                else "it has too many separators"
            )
            return f"{reason}, and put quotes around a text with {self._separator}."
        if is_last and self.is_unfinished:
            return "the file is cut short: copy it again, or delete this line."
        return "leave a missing value empty, and keep the separator beside it."

    @property
    def _separator(self) -> str:
        return DELIMITERS.get(self.delimiter, repr(self.delimiter))


def read_table(
    path: Path,
    delimiter: str = ",",
    limit: int | None = None,
    content: bytes | None = None,
    holds_prose: bool = False,
    names: Sequence[str] | None = None,
) -> Table:
    """Read a table of text, plain or packed, and check the number of cells of each row.

    Blank lines and lines that start with # are skipped. Lines end in LF, CR LF or CR.
    Cells may have double quotes, and then hold line ends. The text is UTF-8, or UTF-16
    with a byte order mark. Other bytes become a replacement character. All rows may
    have the same number of empty cells behind the last column.

    Args:
        path: The first line that is neither blank nor a comment is the header, unless
            `names` are given.
        delimiter: Between cells, one ASCII character.
        limit: Rows to read at most.
        content: Of the file, unpacked, if it was read before.
        holds_prose: Whether its cells are texts that people wrote. Then # starts no
            comment, `NA` and `None` are words, and one column is enough.
        names: Of the columns, if the first line is a row.

    Raises:
        UserError: If the file is no such table. Names the line.
    """
    if content is None:
        content = read_packed(path)
    content, is_unfinished = _decode(content, path)
    if names is not None:
        content = _write_row(names, delimiter) + content
    content = _remove_quotes(content, delimiter)
    split = _split_quoted if b'"' in content else _split_plain
    comment = "" if holds_prose else COMMENT
    first_line = 1 if names is None else 0
    content, lines, counts = split(content, delimiter, path, comment, first_line)
    if not len(lines):
        raise UserError(f"{path}: holds blank lines and comments only.")
    least = 1 if holds_prose else 2
    found = _read_names(content, int(lines[0]), delimiter, path, least)
    stop = None if limit is None else limit + 1
    header_cells = int(counts[0])
    rows, counts = lines[1:stop], counts[1:stop]
    if not len(rows):
        raise UserError(
            f"{path}: holds no row below its header (line {lines[0]}); name another "
            "file."
        )
    table = Table(
        path=path,
        names=found,
        lines=rows,
        header_line=int(lines[0]),
        content=content,
        width=int(counts[0]),
        delimiter=delimiter,
        is_unfinished=is_unfinished and len(rows) == len(lines) - 1,
        holds_prose=holds_prose,
    )
    if header_cells > len(found) and table.width != header_cells:
        raise UserError(
            f"{path}: line {rows[0]} has {table.width} cells, and the header (line "
            f"{lines[0]}) has {header_cells}, with the empty ones at its end; leave a "
            "missing value empty, and keep the separator beside it."
        )
    first, _ = _read_record(content, 1, delimiter)
    if table.width < len(found) or any(cell.strip() for cell in first[len(found) :]):
        raise table._refuse_row(0)
    wrong = counts != table.width
    if wrong.any():
        raise table._refuse_row(int(wrong.argmax()))
    return table


def is_written(cell: str) -> bool:
    """Return whether a cell is a number in any writing, read or not."""
    forms = (NUMBER, DECIMAL_COMMA, GROUPED, WITH_UNIT)
    return any(form.fullmatch(cell) for form in forms)


def describe_number(cell: str) -> str:
    """Return why a cell is no number, and what helps."""
    if DECIMAL_COMMA.fullmatch(cell):
        return "no number: write a decimal point, not a comma"
    if WITH_UNIT.fullmatch(cell.strip()):
        return "no number: write it without % and signs of money"
    if GROUPED.fullmatch(cell):
        return "no number: write it without separators between thousands"
    return "no number; correct it, or leave the cell empty if the value is missing"


def list_names(names: Sequence[str]) -> str:
    """Return names for a message, at most about 400 characters."""
    return shorten(", ".join(map(_quote, names)), LONGEST_LIST)


def _decode(content: bytes, path: Path) -> tuple[bytes, bool]:
    """Return UTF-8 with LF at the end of each line, and whether the last one had none.

    Raises:
        UserError: If the file is empty or no text.
    """
    if not content:
        raise UserError(f"{path}: is empty (0 bytes); name another file.")
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        content = content.decode("utf-16", errors="replace").encode()
    content = content.removeprefix(codecs.BOM_UTF8)
    if b"\r" in content:
        content = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    zero = content.find(b"\0")
    if zero >= 0:
        line = content.count(b"\n", 0, zero) + 1
        raise UserError(
            f"{path}: line {line} holds a zero byte, so this is no text in UTF-8; save "
            "it as CSV in UTF-8 (the name of a packed file must end in .gz or .zip)."
        )
    is_unfinished = not content.endswith(b"\n")
    return (content + b"\n" if is_unfinished else content), is_unfinished


def _remove_quotes(content: bytes, delimiter: str) -> bytes:
    """Remove quotes if no cell needs them: a table without quotes is read faster."""
    if b'"' not in content:
        return content
    mark = re.escape(delimiter.encode())
    # The pattern starts with the quote, so that the search skips all other bytes.
    simple = rb'"(?<![^%b\n]")([^"%b\n#]*)"(?=[%b\n])' % (mark, mark, mark)
    plain = re.sub(simple, rb"\1", content)
    return content if b'"' in plain else plain


def _write_row(cells: Sequence[str], delimiter: str) -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerow(cells)
    return text.getvalue().encode()


def _split_plain(
    content: bytes, delimiter: str, path: Path, comment: str, first_line: int
) -> tuple[bytes, np.ndarray, np.ndarray]:
    """Find the rows of a table without quotes, where each line is a row.

    Returns:
        The content without blank lines and comments, and for each row, the header
        included, its line and its number of cells, int64.
    """
    rest, keep, counts = io.BytesIO(), [], []
    start = 0
    while start < len(content):
        stop = content.find(b"\n", min(start + BLOCK, len(content)) - 1) + 1
        block = np.frombuffer(content, np.uint8, stop - start, start)
        keep.append(_scan_lines(block, delimiter, comment, rest, counts))
        start = stop
    is_row = np.concatenate(keep)
    kept = content if is_row.all() else rest.getvalue()
    return kept, np.flatnonzero(is_row) + first_line, np.concatenate(counts)


def _scan_lines(
    block: np.ndarray,
    delimiter: str,
    comment: str,
    rest: io.BytesIO,
    counts: list[np.ndarray],
) -> np.ndarray:
    """Find the rows in some whole lines.

    Args:
        block: uint8, (num_bytes,): the lines.
        delimiter: Between cells.
        comment: Starts a comment; empty: no line is one.
        rest: Gets the rows' bytes.
        counts: Gets the rows' numbers of cells, int64.

    Returns:
        bool, (num_lines,): whether a line is neither blank nor a comment.
    """
    ends = np.flatnonzero(block == NEWLINE)
    lengths = np.diff(ends, prepend=-1)
    delimiters = np.flatnonzero(block == ord(delimiter))
    cells = 1 + np.diff(np.searchsorted(delimiters, ends), prepend=0)
    is_row = np.ones(len(ends), bool)
    if comment:
        is_row = block[ends + 1 - lengths] != ord(comment)
    single = cells == 1
    if single.any():
        visible = np.flatnonzero(block[np.repeat(single, lengths)] > SPACE)
        last = np.searchsorted(visible, np.cumsum(lengths[single]))
        is_row[single] &= np.diff(last, prepend=0) > 0
    rest.write(block if is_row.all() else block[np.repeat(is_row, lengths)])
    counts.append(cells[is_row])
    return is_row


def _split_quoted(
    content: bytes, delimiter: str, path: Path, comment: str, first_line: int
) -> tuple[bytes, np.ndarray, np.ndarray]:
    """Do the work of `_split_plain` for a table with quotes, slower.

    Raises:
        UserError: If a quote is not closed, or text follows a closing quote.
    """
    lines: list[int] = []
    counts: list[int] = []

    def give_lines() -> Iterator[str]:
        """Yield lines, but not those between rows that are blank or comments."""
        for number, line in enumerate(_open_text(content), first_line):
            if len(lines) == len(counts):  # the last row is complete
                if (comment and line.startswith(comment)) or not line.strip():
                    continue
                lines.append(number)
            yield line

    packed = io.BytesIO()
    rewritten = io.TextIOWrapper(packed, encoding="utf-8", newline="")
    writer = csv.writer(rewritten, delimiter=delimiter, lineterminator="\n")
    reader = csv.reader(
        give_lines(), delimiter=delimiter, skipinitialspace=True, strict=True
    )
    try:
        for row in reader:
            writer.writerow(row)
            counts.append(len(row))
    except csv.Error as error:
        raise UserError(
            f"{path}: line {lines[-1]}: a quote is not closed, or text follows a "
            f"closing quote ({error}); a quote inside a cell is written twice."
        ) from None
    rewritten.flush()
    return packed.getvalue(), np.array(lines, np.int64), np.array(counts, np.int64)


def _read_names(
    content: bytes, line: int, delimiter: str, path: Path, least: int
) -> tuple[str, ...]:
    """Return the names in the header; empty ones at its end are no columns."""
    names, text = _read_record(content, 0, delimiter)
    names = [name.strip() for name in names]
    while names and not names[-1]:
        names.pop()
    wanted = DELIMITERS.get(delimiter, repr(delimiter))
    other = max(DELIMITERS, key=text.count)
    if text.count(other) > text.count(delimiter):
        raise UserError(
            f"{path}: line {line} separates columns by {DELIMITERS[other]}; write "
            f"{wanted} instead (and decimal points, not decimal commas)."
        )
    if len(names) < least:
        raise UserError(
            f"{path}: line {line}, the header, has one column only; columns are "
            f"separated by {wanted}."
        )
    if len(names) > MOST_COLUMNS:
        raise UserError(
            f"{path}: line {line}, the header, has {len(names):,} columns; at most "
            f"{MOST_COLUMNS:,} are read."
        )
    seen: dict[str, int] = {}
    for k, name in enumerate(names, 1):
        if not name:
            raise UserError(f"{path}: line {line}: column {k} has no name.")
        if name in seen:
            raise UserError(
                f"{path}: line {line} names column {_quote(name)} twice (columns "
                f"{seen[name]} and {k}); rename one."
            )
        seen[name] = k
    return tuple(names)


def _read_record(content: bytes, index: int, delimiter: str) -> tuple[list[str], str]:
    """Return the cells and the text of a record; the header has the index 0."""
    text = _open_text(content)
    if b'"' not in content:
        line = next(line for k, line in enumerate(text) if k == index).rstrip("\n")
        return line.split(delimiter), line
    rows = csv.reader(text, delimiter=delimiter, skipinitialspace=True)
    cells = next(row for k, row in enumerate(rows) if k == index)
    return cells, delimiter.join(cells)


def _open_text(content: bytes) -> io.TextIOWrapper:
    return io.TextIOWrapper(
        io.BytesIO(content), encoding="utf-8", errors="replace", newline="\n"
    )


def _quote(text: str) -> str:
    return repr(shorten(text, LONGEST_CELL))
