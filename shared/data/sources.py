"""Find a data file: the user's own, the Keras cache, or the public download."""

from __future__ import annotations

import os
import re
import stat
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from shared.core.errors import UserError
from shared.core.files import hash_file
from shared.core.text import shorten
from shared.core.waiting import say_while

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
    """Return where `keras.utils.get_file` keeps data sets (`KERAS_HOME`).

    Raises:
        RuntimeError: If the user has no home folder.
    """
    home = os.environ.get("KERAS_HOME", "~/.keras")
    return Path(home).expanduser() / "datasets"


def find_source(
    names: Sequence[str], data_dir: Path | None, url: str | None, sha256: str | None
) -> tuple[Source | None, list[str]]:
    """Look for a file in the user's folder, else in the Keras cache and on the network.

    A folder that the user names must hold the file: no other place replaces it. A local
    file is used unchanged, whatever its hash, and without the network. A download must
    have the published hash. It appears in the Keras cache whole or not at all.

    Args:
        names: Accepted file names, e.g. `["imdb.npz"]`. The first one found is taken.
        data_dir: The user's folder, from `--data-dir`. None takes the folder in
            `RNN_RECIPES_DATA`.
        url: Public address of the file; None if it has none.
        sha256: Its published hash; None if none is published.

    Returns:
        The file, or None, and a sentence for every place that does not have it.

    Raises:
        UserError: If the user named a folder that does not hold the file.
    """
    chosen = data_dir or os.environ.get(DATA_VARIABLE)
    if chosen:
        flag = "--data-dir" if data_dir else DATA_VARIABLE
        return _find_in_named(names, Path(chosen), flag), []
    wanted = " or ".join(names)
    try:
        cache = keras_cache_dir()
        found = next(
            (cache / name for name in names if _is_regular(cache / name)), None
        )
    except (OSError, RuntimeError, ValueError) as error:
        return None, [f"the Keras cache cannot be used ({shorten(str(error))})"]
    if found is not None:
        return _read(found, KERAS_CACHE), []
    missed = [f"no {wanted} in the Keras cache ({cache})"]
    if url is None:
        missed.append("no public address to download it from")
        return None, missed
    path = cache / url.rpartition("/")[2]
    try:
        _download(url, sha256, path)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        if cause := re.search(r"\[Errno -?\d+\] ([\w ]+)", reason):
            reason = cause[1]  # without the objects of the library around it
        missed.append(f"no download from {url}: {shorten(reason, 100)}")
        return None, missed
    return Source(path, "download", sha256 or hash_file(path)), missed


def refuse_named_folder(data_dir: Path | None) -> None:
    """Refuse `--data-dir` for generated data, which no folder holds.

    Args:
        data_dir: From the flag; None if it was not given.

    Raises:
        UserError: If the flag was given.
    """
    if data_dir is not None:
        raise UserError(
            f"--data sample --data-dir {shorten(str(data_dir))}: the sample is "
            "generated and reads no folder; omit one of the two flags."
        )


def _find_in_named(names: Sequence[str], folder: Path, flag: str) -> Source:
    """Return the file in a folder that the user named; UserError without one."""
    wanted = " or ".join(names)
    place = f"{flag} {shorten(str(folder))}"
    verb = "omit it" if flag != DATA_VARIABLE else f"unset {DATA_VARIABLE}"
    remedy = f"or {verb} (then the Keras cache and the download are tried)"
    other = f"name the folder that holds {wanted}, {remedy}"
    try:
        folder = folder.expanduser()
        if not stat.S_ISDIR(folder.stat().st_mode):
            raise UserError(f"{place}: is no folder; {other}.")
        for name in names:
            if _is_regular(folder / name):
                return _read(folder / name, flag)
    except FileNotFoundError:
        raise UserError(f"{place}: no such folder; {other}.") from None
    except OSError as error:
        raise UserError(f"{place}: cannot be read ({error.strerror}).") from None
    except (RuntimeError, ValueError) as error:  # no such home folder; a device
        raise UserError(f"{place}: {error}; {other}.") from None
    raise UserError(f"{place}: holds no {wanted}; name another folder, {remedy}.")


def _is_regular(path: Path) -> bool:
    """Return whether a file is there.

    Raises:
        ValueError: If something else has its name, such as a folder or a pipe.
        OSError: If its folder cannot be searched.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        if path.is_symlink():
            raise ValueError(f"{path} is a link to nothing") from None
        return False
    if not stat.S_ISREG(mode):
        raise ValueError(f"{path} is not a regular file")
    return True


def _read(path: Path, origin: str) -> Source:
    try:
        return Source(path, origin, hash_file(path))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}).") from None


def _download(url: str, sha256: str | None, path: Path) -> None:
    """Download a file and check its hash; OSError or ValueError if that fails."""
    import pooch

    pooch.get_logger().setLevel("WARNING")
    with say_while(f"Downloading {url}", after=0):
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
