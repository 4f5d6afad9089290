"""Which texts are read, and how they become arrays: the flags."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from shared.core.errors import UserError, check_at_least
from shared.core.roles import Resolved, Role
from shared.core.text import shorten
from shared.data.text.read_texts import TextOptions
from shared.data.text.vocabulary import check_sizes


@dataclass(frozen=True)
class TextConfig:
    """Which texts are read, and how they become arrays of token ids."""

    file: Annotated[Path | None, Role.SOURCE] = None
    """Table with a text and a label in each row: CSV, TSV, JSON lines (also gz, zip,
    xz) or Parquet. Without --file and --folder: generated reviews."""
    folder: Annotated[Path | None, Role.SOURCE] = None
    """Folder with a folder per class and a text in each .txt file, or with a .txt file
    per class and a text in each line."""
    test_file: Annotated[Path | None, Role.SOURCE] = None
    """File or folder of the same form with the test texts. Omit it to split off
    --test-share."""
    text: Annotated[str | None, Role.DATA] = None
    """Column with the texts. Omit it if only one column holds texts."""
    label: Annotated[str | None, Role.SPLIT] = None
    """Column with the labels. Omit it if only one column holds labels."""
    tokens: Annotated[Literal["auto", "words", "characters"], Role.DATA] = "auto"
    """What the network reads one after the other. auto: characters if most of the text
    is Chinese, Japanese or Korean, else words."""
    vocabulary: Annotated[int, Role.DATA] = 20_000
    """Token ids that the network knows, 5 or more: the most frequent tokens of the
    training texts."""
    length: Annotated[int | None, Role.DATA] = None
    """Tokens of a text that the network reads, 1 or more. Omit it to read 99 of 100
    training texts whole, but at most 500 tokens."""
    keep: Annotated[Literal["start", "end"], Role.DATA] = "start"
    """Which end of a longer text is read."""
    embedding_size: Annotated[int, Role.MODEL] = 64
    """Size of a token's vector, 1 or more."""
    class_weights: Annotated[Literal["none", "balanced"], Role.TRAINING] = "none"
    """balanced: a text of a rare class counts more in the loss, so that all classes
    count the same."""
    score: Annotated[Literal["accuracy", "macro_f1", "cross_entropy"], Role.SPLIT] = (
        "accuracy"
    )
    """Score that picks the epoch and ranks runs."""
    test_share: Annotated[float, Role.SPLIT] = 0.2
    """Share of the texts for the test, above 0 and below 1, the same for every seed."""
    validation_share: Annotated[float, Role.SPLIT] = 0.2
    """Share of the other texts that only choose the epoch, above 0 and below 1."""
    padding: Annotated[Literal["left", "right"], Role.MODEL] = "left"
    """On which side a shorter text is padded."""
    mask: Annotated[bool, Role.MODEL, Resolved(by="batching")] = False
    """Skip the padding instead of reading it (bucketed batches always do)."""
    embedding_gradient: Annotated[Literal["sparse", "dense"], Role.TRAINING] = "dense"
    """dense: sum the gradients of a token before the optimizer squares them, as
    published; faster. sparse: square once per occurrence, as Keras does on TensorFlow.
    The choice changes the numbers."""
    batching: Annotated[Literal["fixed", "bucketed"], Role.TRAINING] = "bucketed"
    """fixed: pad every batch to --length. bucketed: texts of similar length share a
    batch, padded to the longest and masked. The choice changes the numbers."""
    encoding: Annotated[str, Role.SOURCE] = "auto"
    """Encoding of the file. auto: UTF-8, UTF-16 with a byte order mark, or GB18030
    (Chinese Windows)."""
    data: Annotated[Literal["auto", "sample"], Role.SOURCE] = "auto"
    """sample: generated reviews. auto: the file or folder, or the sample where none is
    named."""
    limit: Annotated[int | None, Role.SOURCE] = None
    """Read only this many rows from the start of the table, or generated reviews of
    each part, for a quick look."""

    @property
    def mask_side(self) -> Literal["left", "right"] | None:
        """On which side masked padding is, if any."""
        masks = self.mask or self.batching == "bucketed"
        return self.padding if masks else None

    def context(self) -> dict[str, Any]:
        """Return what other parts of the recipe must know about these settings."""
        return {
            "mask_side": self.mask_side,
            "can_mask": True,
            "even": self.batching == "fixed",
            "sparse": self.embedding_gradient == "sparse",
        }

    def resolve_defaults(self, context: Any) -> tuple[TextConfig, list[str]]:
        """Return the settings with those that follow from others, and no remarks."""
        return replace(self, mask=self.mask_side is not None), []

    def validate(self) -> None:
        """Refuse settings that no texts can satisfy.

        Raises:
            UserError: With the flag, what it accepts and how to fix it.
        """
        check_sizes(self, 0.2)
        check_at_least(self, {"length": 1, "limit": 2})
        self._check_source()

    def _check_source(self) -> None:
        """Refuse flags for a source that is not named, or for two sources."""
        named = [name for name in ("file", "folder") if getattr(self, name) is not None]
        if len(named) == 2:
            raise UserError("--file and --folder: name one of the two.")
        if self.data == "sample" and named:
            value = shorten(str(getattr(self, named[0])))
            raise UserError(
                f"--data sample --{named[0]} {value}: omit one of the two flags."
            )
        if not named:
            for name in ("test_file", "text", "label"):
                if getattr(self, name) is not None:
                    raise UserError(
                        f"--{name.replace('_', '-')}: describes a file, but neither "
                        "--file nor --folder is named. Name one, or omit the flag to "
                        "train on generated reviews."
                    )
        if self.folder is not None and self.limit is not None:
            raise UserError(
                f"--limit {self.limit}: reads the first rows of a table, and --folder "
                "names none; omit the flag."
            )
        if self.folder is not None and not self.folder.is_dir():
            problem = (
                "is a file; name it by --file"
                if self.folder.exists()
                else ("there is no such folder")
            )
            raise UserError(f"--folder {shorten(str(self.folder))}: {problem}.")
        if self.file is not None and self.file.is_dir():
            raise UserError(
                f"--file {shorten(str(self.file))}: is a folder; name it by --folder."
            )

    def options(self, path: Path) -> TextOptions:
        """Return what the reader needs."""
        return TextOptions(path, self.text, self.label, self.encoding, self.limit)
