"""How a file of new data is written, where it is not as the file of the run was."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

from shared.core.errors import UserError, format_flag


@dataclass(frozen=True)
class FileForm:
    """How the file is written. Omit these flags where it is as the one of the run."""

    encoding: str | None = None
    """Encoding of a text file: a name that Python knows, or `auto`."""
    decimal: Literal["auto", ".", ","] | None = None
    """Decimal mark of the numbers."""
    time_format: str | None = None
    """Form of the times: iso, day-first, month-first, epoch-s, epoch-ms, or one such as
    `%d.%m.%y %H:%M`."""

    def check(self, taken: tuple[str, ...], recipe: str) -> None:
        """Refuse what the runs of a recipe do not take.

        Args:
            taken: Names of the fields that they take.
            recipe: Its name.

        Raises:
            UserError: With the flag.
        """
        for name in self.list_given():
            if name not in taken:
                raise UserError(
                    f"{format_flag(name)}: {recipe} does not take it; omit the flag."
                )

    def refuse_without_file(self, read: str) -> None:
        """Refuse these flags where no file is read.

        Args:
            read: What is read instead.

        Raises:
            UserError: With the flag.
        """
        for name in self.list_given():
            raise UserError(
                f"{format_flag(name)}: describes a file, and this reads {read}; name a "
                "file with --file, or omit the flag."
            )

    def list_given(self) -> list[str]:
        """Return the names of the fields that are set."""
        names = [field.name for field in fields(self)]
        return [name for name in names if getattr(self, name) is not None]


AS_TRAINED = FileForm()
"""The file is written as that of the run."""
