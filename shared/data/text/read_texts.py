"""Read labelled texts: a table, JSON lines, a folder per class, or a file per class."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from shared.core.errors import UserError
from shared.core.files import hash_file
from shared.core.text import shorten
from shared.data.encodings import decode_text
from shared.data.series.table_file import open_table, take_head
from shared.data.text.labelled import (
    LabelledTexts,
    Origin,
    drop_unusable,
    format_names,
)
from shared.data.unpack import read_packed

JSON_LINES = (".jsonl", ".ndjson")
PACKED = (".gz", ".xz", ".zip")
TEXT_FILE = ".txt"
HALF = re.compile("[\ud800-\udfff]")
"""Half of a character, as an escape in JSON may be where a text was cut."""
LONG = 20  # characters of a text, on average; names and dates are shorter
MOST_CLASSES = 0.2  # classes for each row, where a column holds labels


@dataclass(frozen=True)
class TextOptions:
    """Which texts are read, and how.

    Attributes:
        path: A table (CSV, TSV, Parquet, JSON lines; packed too), a folder with a
            folder per class, or a folder with a text file per class.
        text: Column with the texts. None: the only column that holds texts.
        label: Column with the labels. None: the only one that holds labels.
        encoding: Of text. auto: UTF-8, UTF-16 with a byte order mark, or GB18030.
        limit: Rows of a table to read at most.
        needs_labels: Whether texts without labels are refused.
    """

    path: Path
    text: str | None = None
    label: str | None = None
    encoding: str = "auto"
    limit: int | None = None
    needs_labels: bool = True


def read_texts(options: TextOptions) -> LabelledTexts:
    """Read labelled texts.

    Raises:
        UserError: If the file has another form. Names line and column.
    """
    path = options.path
    if path.is_dir():
        found = _read_folder(options)
    elif path.exists():
        found = _read_table(options)
    else:
        raise UserError(f"{path}: there is no such file or folder.")
    return drop_unusable(found)


def hash_texts(path: Path) -> str:
    """Return the SHA-256 that `read_texts` gives a file or folder, without its texts.

    Raises:
        UserError: If a file cannot be read.
    """
    if not path.is_dir():
        return hash_file(path)
    inside = sorted(one for one in path.iterdir() if not one.name.startswith("."))
    folders = [one for one in inside if one.is_dir()]
    if len(folders) >= 2:
        inside = [one for folder in folders for one in sorted(folder.rglob("*"))]
    digest = hashlib.sha256()
    for file in inside:
        if file.suffix == TEXT_FILE:
            _add(digest, file, read_packed(file))
    return digest.hexdigest()


def _read_table(options: TextOptions) -> LabelledTexts:
    remarks: list[str] = []
    names = [suffix for suffix in options.path.suffixes if suffix not in PACKED]
    if names and names[-1] in JSON_LINES:
        cells = _read_json_lines(options, remarks)
    else:
        table = open_table(
            options.path, options.encoding, options.limit, holds_prose=True
        )
        take_head(table)
        cells = table.read(table.names, [])
    text, label = choose_columns(cells, options)
    if text != options.text or label != options.label:
        chosen = f"text: column {text!r}"
        remarks.append(chosen + (f" · label: column {label!r}" if label else ""))
    texts = cells[text].fillna("").astype(str).tolist()
    labels = cells[label].fillna("").astype(str).str.strip().tolist() if label else []
    origins = [Origin(options.path, int(line)) for line in cells.index]
    return LabelledTexts(
        options.path, hash_file(options.path), texts, labels, origins, remarks, text
    )


def choose_columns(cells: pd.DataFrame, options: TextOptions) -> tuple[str, str | None]:
    """Return the columns with texts and labels.

    A column that is not named is found only where one alone can be meant.

    Raises:
        UserError: If a column is not there, or must be named.
    """
    names = list(cells.columns)
    for flag, name in (("text", options.text), ("label", options.label)):
        if name is not None and name not in names:
            raise UserError(
                f"--{flag} {shorten(name)!r}: {options.path} has no such column; it "
                f"has {format_names(names)}."
            )
    if options.text is not None and options.text == options.label:
        raise UserError(
            f"--text and --label both name {shorten(options.text)!r}; a text needs a "
            "label of its own."
        )
    text = options.text
    if text is None:
        others = [name for name in names if name != options.label]
        many = [name for name in others if not _holds_labels(cells[name])]
        long = [name for name in many if _measure_length(cells[name]) > LONG]
        candidates = next(
            (some for some in (many, long) if len(some) == 1), many or others
        )
        if len(candidates) != 1:
            raise UserError(
                f"{options.path}: name the column with the texts: --text with one of "
                f"{format_names(candidates)}."
            )
        (text,) = candidates
    label = options.label
    if label is None and options.needs_labels:
        others = [name for name in names if name != text]
        if not others:
            raise UserError(
                f"{options.path}: has one column only, {text!r}; the labels need a "
                "column of their own."
            )
        few = [name for name in others if _holds_labels(cells[name])]
        few = few or (others if len(others) == 1 else [])
        if len(few) != 1:
            raise UserError(
                f"{options.path}: name the labels: --label with one of "
                f"{format_names(few or others)}."
            )
        (label,) = few
    return text, label


def _measure_length(cells: pd.Series) -> float:
    filled = cells.dropna().astype(str)
    return float(filled.str.len().mean()) if len(filled) else 0.0


def _holds_labels(cells: pd.Series) -> bool:
    filled = cells.dropna()
    return 1 <= filled.nunique() <= max(2, MOST_CLASSES * len(filled))


def _read_json_lines(options: TextOptions, remarks: list[str]) -> pd.DataFrame:
    content = decode_text(read_packed(options.path), options.path, options.encoding)
    rows, lines, halves = [], [], []
    for number, line in enumerate(content.split("\n"), 1):
        if not line.strip():
            continue
        if options.limit is not None and len(rows) == options.limit:
            break
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise UserError(
                f"{options.path}: line {number} is no JSON ({shorten(str(error), 80)})."
            ) from None
        if not isinstance(row, dict):
            raise UserError(
                f"{options.path}: line {number} is no JSON object; each line must be "
                'one, such as {"text": "...", "label": "..."}.'
            )
        if "\\ud" in line.lower():
            whole, found = HALF.subn("\ufffd", json.dumps(row, ensure_ascii=False))
            row = json.loads(whole)
            halves += [number] * bool(found)
        rows.append(row)
        lines.append(number)
    if not rows:
        raise UserError(f"{options.path}: holds no line with a JSON object.")
    if halves:
        remarks.append(
            f"{len(halves):,} lines with half a character, read as \ufffd (first: "
            f"{Origin(options.path, halves[0])})"
        )
    cells = pd.DataFrame(rows, index=lines)
    return cells.map(_to_cell).rename(columns=str)


def _to_cell(value: object) -> object:
    """Return a value as the cell of a table: text, or None where it is missing."""
    if value is None or value != value:
        return None
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _read_folder(options: TextOptions) -> LabelledTexts:
    """Read a folder per class with a text per file, or a file per class."""
    path = options.path
    for flag, name in (("text", options.text), ("label", options.label)):
        if name is not None:
            raise UserError(
                f"--{flag} {shorten(name)!r}: names a column of a table, and {path} is "
                "a folder, whose folders or files are the classes; omit the flag."
            )
    inside = sorted(one for one in path.iterdir() if not one.name.startswith("."))
    folders = [one for one in inside if one.is_dir()]
    files = [one for one in inside if one.suffix == TEXT_FILE]
    remarks = []
    if {one.name for one in folders} >= {"train", "test"}:
        raise UserError(
            f"{path}: has the folders train and test; pass --folder {path / 'train'} "
            f"--test-file {path / 'test'}."
        )
    if len(folders) < 2 and len(files) < 2:
        raise UserError(
            f"{path}: holds {len(folders)} folders and {len(files)} {TEXT_FILE} files; "
            "a folder per class is needed, each with a text per file, or a file per "
            "class with a text per line."
        )
    texts: list[str] = []
    labels: list[str] = []
    origins: list[Origin] = []
    digest = hashlib.sha256()
    skipped = 0
    if len(folders) >= 2:
        for folder in folders:
            for file in sorted(folder.rglob("*")):
                if file.suffix != TEXT_FILE:
                    skipped += file.is_file()
                    continue
                text = _read_file(file, options.encoding, digest)
                texts.append(text)
                labels.append(folder.name)
                origins.append(Origin(file))
    else:
        for file in files:
            content = _read_file(file, options.encoding, digest)
            for number, line in enumerate(content.split("\n"), 1):
                if line.strip():
                    texts.append(line)
                    labels.append(file.stem)
                    origins.append(Origin(file, number))
    if skipped:
        remarks.append(f"files whose name does not end in .txt: {skipped:,}, not read")
    if not texts:
        raise UserError(f"{path}: its folders hold no {TEXT_FILE} file.")
    return LabelledTexts(path, digest.hexdigest(), texts, labels, origins, remarks)


def _read_file(path: Path, encoding: str, digest: hashlib._Hash) -> str:
    content = read_packed(path)
    _add(digest, path, content)
    return decode_text(content, path, encoding)


def _add(digest: hashlib._Hash, path: Path, content: bytes) -> None:
    digest.update(f"{path.parent.name}/{path.name} {len(content)}\n".encode())
    digest.update(content)
