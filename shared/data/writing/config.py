"""Which text a writer learns from, and how it is cut: the flags."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from shared.core.errors import UserError, check_at_least
from shared.core.roles import Role
from shared.core.text import shorten
from shared.data.text.vocabulary import check_sizes


@dataclass(frozen=True)
class WritingConfig:
    """Which text is read, and how it is cut."""

    file: Annotated[Path | None, Role.SOURCE] = None
    """Text file to learn from (also gz, zip, xz). Omit it for Shakespeare's plays, 1.1
    million characters, as in TensorFlow's tutorial."""
    tokens: Annotated[Literal["characters", "words"], Role.DATA] = "characters"
    """What is read and written one after the other."""
    vocabulary: Annotated[int, Role.DATA] = 10_000
    """Token ids that the network knows, 5 or more: the most frequent tokens of the
    training part that occur at least twice."""
    steps: Annotated[int, Role.TRAINING] = 64
    """Tokens that one update reads, 1 or more. The gradient goes back over them
    (truncated back-propagation). The state goes on to the next update."""
    embedding_size: Annotated[int, Role.MODEL] = 64
    """Size of a token's vector, 1 or more."""
    validation_share: Annotated[float, Role.SPLIT] = 0.05
    """Share of the text that only chooses the epoch, before the test part."""
    test_share: Annotated[float, Role.SPLIT] = 0.05
    """Share of the text for the test, at its end."""
    encoding: Annotated[str, Role.SOURCE] = "auto"
    """Encoding of the file. auto: UTF-8, UTF-16 with a byte order mark, or GB18030
    (Chinese Windows)."""
    data: Annotated[Literal["auto", "sample"], Role.SOURCE] = "auto"
    """sample: generated reviews as one text. auto: the file, or Shakespeare, or the
    sample where neither a file nor the network is there."""
    data_dir: Annotated[Path | None, Role.SOURCE] = None
    """Folder that holds shakespeare.txt. Omit it for the Keras cache or a download."""
    limit: Annotated[int | None, Role.SOURCE] = None
    """Read only this many characters from the start of the text, for a quick look."""

    def validate(self) -> None:
        """Refuse settings that no text can satisfy.

        Raises:
            UserError: With the flag, what it accepts and how to fix it.
        """
        check_sizes(self, 0.05)
        check_at_least(self, {"steps": 1, "limit": 100})
        if self.test_share + self.validation_share >= 1:
            raise UserError(
                f"--validation-share {self.validation_share} --test-share "
                f"{self.test_share}: leave no text to train on; take smaller ones, "
                "e.g. 0.05 each."
            )
        self._check_source()

    def _check_source(self) -> None:
        """Refuse flags that name two sources."""
        for other in ("data_dir", "file"):
            value = getattr(self, other)
            if value is not None and self.data == "sample":
                raise UserError(
                    f"--data sample --{other.replace('_', '-')} {shorten(str(value))}: "
                    "omit one of the two flags."
                )
        if self.file is not None and self.data_dir is not None:
            raise UserError(
                "--file and --data-dir: --data-dir is for Shakespeare; omit one of the "
                "two flags."
            )
        if self.file is not None and self.file.is_dir():
            raise UserError(
                f"--file {shorten(str(self.file))}: is a folder; name one text file."
            )
