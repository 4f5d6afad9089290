"""The data file that a recipe will read, found without reading it as data."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.core.errors import UserError
from shared.core.files import hash_file
from shared.data.sources import find_source


@dataclass(frozen=True)
class DataFile:
    """A data file.

    Attributes:
        path: Where it is.
        sha256: Hash of its content, 64 hexadecimal digits.
        flag: Field name of the flag that names it, or its folder.
        is_folder_named: Whether the flag names the folder and not the file.
        identity: The hash that a run on this file records; None if a run hashes
            something else than the file, as for texts.
    """

    path: Path
    sha256: str
    flag: str
    is_folder_named: bool
    identity: str | None


def find_data_file(config: Any) -> DataFile | None:
    """Return the data file that a training with this config will read.

    Returns:
        None for generated data, for a folder of texts, and for a file that the first
        training would download.
    """
    for field in dataclasses.fields(config):
        part = getattr(config, field.name)
        if getattr(part, "file", None) is not None:
            return _read_named(part.file, type(part).__name__)
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


def _read_named(path: Path, config_name: str) -> DataFile | None:
    if not path.is_file():
        return None
    sha256 = hash_file(path)
    identity = None if config_name == "TextConfig" else sha256
    return DataFile(path.absolute(), sha256, "file", False, identity)


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
