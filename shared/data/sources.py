"""Find a data file: the user's own, the Keras cache, or the public download."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from shared.core.errors import UserError
from shared.core.files import hash_file

DATA_VARIABLE = "RNN_RECIPES_DATA"
KERAS_CACHE = "Keras cache"
DOWNLOAD_TIMEOUT = 30  # seconds without an answer


@dataclass(frozen=True)
class Source:
    """A file to read.

    Attributes:
        path: Where it is.
        origin: How it was found, in words.
        sha256: Hash of its content, 64 hexadecimal digits.
    """

    path: Path
    origin: str
    sha256: str


def keras_cache_dir() -> Path:
    """Return where `keras.utils.get_file` keeps data sets (`KERAS_HOME`)."""
    home = os.environ.get("KERAS_HOME", "~/.keras")
    return Path(home).expanduser() / "datasets"


def find_source(
    names: Sequence[str], data_dir: Path | None, url: str | None, sha256: str | None
) -> tuple[Source | None, list[str]]:
    """Look for a file in the user's folder, in the Keras cache, then on the network.

    A local file is used unchanged, whatever its hash, and without the network. A
    download must have the published hash. It appears in the Keras cache whole or not at
    all.

    Args:
        names: Accepted file names, e.g. `["imdb.npz"]`. The first one found is taken.
        data_dir: The user's folder, from `--data-dir`. None takes the folder in
            `RNN_RECIPES_DATA`.
        url: Public address of the file; None if it has none.
        sha256: Its published hash; None if none is published.

    Returns:
        The file, or None, and a sentence for every place that does not have it.

    Raises:
        UserError: If the user named a folder that does not exist.
    """
    missed = []
    wanted = " or ".join(names)
    chosen = data_dir or os.environ.get(DATA_VARIABLE)
    if chosen:
        flag = "--data-dir" if data_dir else DATA_VARIABLE
        folder = Path(chosen).expanduser()
        if not folder.is_dir():
            raise UserError(
                f"{flag} {folder}: no such folder; name the folder that holds "
                f"{wanted}, or omit it."
            )
        for name in names:
            if (folder / name).is_file():
                return _read(folder / name, flag), missed
        missed.append(f"no {wanted} in {folder} ({flag})")
    cache = keras_cache_dir()
    for name in names:
        if (cache / name).is_file():
            return _read(cache / name, KERAS_CACHE), missed
    missed.append(f"no {wanted} in the Keras cache ({cache})")
    if url is None:
        missed.append("no public address to download it from")
        return None, missed
    path = cache / url.rpartition("/")[2]
    try:
        _download(url, sha256, path)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        missed.append(f"no download from {url}: {_shorten(reason)}")
        return None, missed
    return Source(path, "download", sha256 or hash_file(path)), missed


def _read(path: Path, origin: str) -> Source:
    try:
        return Source(path, origin, hash_file(path))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}).") from None


def _download(url: str, sha256: str | None, path: Path) -> None:
    """Download a file and check its hash; OSError or ValueError if that fails."""
    import pooch

    pooch.get_logger().setLevel("WARNING")
    print(f"Downloading {url}", flush=True)
    pooch.retrieve(
        url,
        known_hash=sha256 and f"sha256:{sha256}",
        fname=path.name,
        path=path.parent,
        downloader=pooch.HTTPDownloader(timeout=DOWNLOAD_TIMEOUT),
    )
    if path.suffix == ".zip" and not zipfile.is_zipfile(path):
        path.unlink()  # for example, a login page instead of the file
        raise ValueError("the downloaded file is not a zip archive")


def _shorten(text: str, width: int = 100) -> str:
    return text if len(text) <= width else text[: width - 3] + "..."
