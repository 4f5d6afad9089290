"""Labelled texts, as they are in a file or folder."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from shared.core.errors import UserError
from shared.core.text import shorten

LONGEST = 1_000_000  # characters of a text
MOST_NAMES = 20  # of classes in a message


@dataclass(frozen=True)
class Origin:
    """Where a text stands: a file, and a line of it if the file holds several."""

    path: Path
    line: int | None = None

    def __str__(self) -> str:
        return f"{self.path}" + ("" if self.line is None else f": line {self.line}")


@dataclass(frozen=True)
class LabelledTexts:
    """Texts with their labels.

    Attributes:
        path: File or folder.
        sha256: Of the content, 64 hexadecimal digits.
        texts: As they are in the file.
        labels: Of each text, as text; empty where texts without labels are read.
        origins: Where each text stands.
        remarks: What the reader chose or left out, one sentence each.
        column: Of the table, that holds the texts; None if they are in no table.
    """

    path: Path
    sha256: str
    texts: list[str]
    labels: list[str]
    origins: list[Origin]
    remarks: list[str] = field(default_factory=list)
    column: str | None = None

    def keep(self, rows: list[int]) -> LabelledTexts:
        """Return some of the texts."""
        return LabelledTexts(
            self.path,
            self.sha256,
            [self.texts[k] for k in rows],
            [self.labels[k] for k in rows] if self.labels else [],
            [self.origins[k] for k in rows],
            self.remarks,
            self.column,
        )


def drop_unusable(found: LabelledTexts) -> LabelledTexts:
    """Leave out texts that are empty or have no label, and tell it.

    Raises:
        UserError: If none is left, or a text is far too long.
    """
    for text, origin in zip(found.texts, found.origins, strict=True):
        if len(text) > LONGEST:
            raise UserError(
                f"{origin}: a text of {len(text):,} characters; at most {LONGEST:,} "
                "are read. Is a line end or a quote missing? Cut the text, or leave "
                "it out."
            )
    empty = {k for k, text in enumerate(found.texts) if not text.strip()}
    bare = {k for k, label in enumerate(found.labels) if not label} - empty
    for rows, problem in ((empty, "empty"), (bare, "without a label")):
        if rows:
            count = "1 text" if len(rows) == 1 else f"{len(rows):,} texts"
            found.remarks.append(
                f"{count} {problem}, left out (first: {found.origins[min(rows)]})"
            )
    left = [k for k in range(len(found.texts)) if k not in empty and k not in bare]
    if not left:
        raise UserError(
            f"{found.path}: no text is left: "
            f"{len(empty):,} are empty, {len(bare):,} have no label."
        )
    return found if len(left) == len(found.texts) else found.keep(left)


def list_classes(labels: list[str]) -> tuple[str, ...]:
    """Return the classes in order: numbers by value, else by letters."""
    names = sorted(set(labels))
    try:
        return tuple(sorted(names, key=float))
    except ValueError:
        return tuple(names)


def format_names(names: list[str] | tuple[str, ...]) -> str:
    """Return names for a message."""
    listed = ", ".join(repr(shorten(name, 40)) for name in names[:MOST_NAMES])
    more = len(names) - MOST_NAMES
    return f"{listed} and {more:,} more" if more > 0 else listed
