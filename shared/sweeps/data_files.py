"""The data file that a recipe will read, found without reading it as data."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.core.errors import UserError
from shared.data.sources import find_source
from shared.runs.reader import Run


@dataclass(frozen=True)
class DataFile:
    """A data file, or a folder of texts.

    Attributes:
        path: Where it is.
        sha256: Hash of its content, 64 hexadecimal digits.
        flag: Field name of the flag that names it, or its folder.
        is_folder_named: Whether the flag names the folder and not the file.
        identity: What `identify_data` returns for a run on these data.
    """

    path: Path
    sha256: str
    flag: str
    is_folder_named: bool
    identity: str


def identify_data(run: Run) -> str:
    """Return the hash of the data of a run, with that of a test file of its own."""
    return _join(run.data_hash, run.config.get("data_facts", {}).get("test_sha256"))


def _join(sha256: str, test_sha256: str | None) -> str:
    return f"{sha256}+{test_sha256}" if test_sha256 else sha256


def find_data_file(config: Any) -> DataFile | None:
    """Return the data file that a training with this config will read.

    Returns:
        None for generated data, and for a file that the first training would download.
    """
    for field in dataclasses.fields(config):
        part = getattr(config, field.name)
        for flag in ("file", "folder"):
            if getattr(part, flag, None) is not None:
                return _read_named(part, flag)
        names = _list_names(part)
        if names and getattr(part, "data", "") != "sample":
            try:
                source, _ = find_source(names, part.data_dir, None, None)
            except UserError:  # the training says it
                return None
            if source is not None:
                return DataFile(
                    source.path, source.sha256, "data_dir", True, source.sha256
                )
    return None


def _read_named(part: Any, flag: str) -> DataFile | None:
    from shared.data.text.read_texts import hash_texts

    path, test = getattr(part, flag), getattr(part, "test_file", None)
    if flag == "file" and not path.is_file():  # the training says it
        return None
    try:
        sha256 = hash_texts(path)
        identity = _join(sha256, hash_texts(test) if test is not None else None)
    except (OSError, UserError):
        return None
    return DataFile(path.absolute(), sha256, flag, False, identity)


def _list_names(part: Any) -> tuple[str, ...]:
    """Return the accepted names of the public file that a part of a config reads."""
    from shared.data.imdb.reviews import ReviewsConfig
    from shared.data.weather.config import WeatherConfig
    from shared.data.writing.config import WritingConfig

    if isinstance(part, ReviewsConfig):
        return ("imdb.npz",)
    if isinstance(part, WeatherConfig):
        from shared.data.weather.dataset import FILES

        return tuple(FILES.get(part.data) or sum(FILES.values(), ()))
    if isinstance(part, WritingConfig):
        from shared.data.writing.source import NAMES

        return NAMES
    return ()
