"""Pictures of run folders, made small enough for a page."""

from __future__ import annotations

import base64
import io
import itertools
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError

from shared.core.text import shorten
from shared.report.collect import name_key
from shared.runs.decode import DamagedError, name_file, open_regular
from shared.runs.groups import Group

PICTURES = {
    "forecast": "Forecast against truth",
    "error_by_hour": "Error by time of day",
    "free_run": "Forecast that feeds on itself",
    "error_by_step": "Error by steps ahead",
    "confusion": "Predicted class by true class",
    "keras_comparison": "NumPy and Keras, epoch by epoch",
    "beside": "NumPy and Keras, epoch by epoch",
    "gradient_flow": "Gradient by steps back",
}
"""File name -> title. The page draws the curves itself. `beside` is of version 0.1."""
WIDTH = 1000  # pixels, the width in the page
QUALITY = 70
MOST_BYTES, MOST_PIXELS = 20_000_000, 25_000_000
"""Largest picture that is read. Unpacked, it takes 100 MB."""


def embed_pictures(
    groups: Sequence[Group], room: int
) -> tuple[dict[str, list[dict[str, str]]], int]:
    """Return pictures as `data:` addresses, as many as there is room for.

    The newest run of every group comes first, then the second newest, and so on. The
    reason why a picture cannot be used is then in `problems` of its run.

    Args:
        groups: Groups whose runs may have pictures.
        room: Bytes available for all pictures together.

    Returns:
        Key of a run -> pictures (`title`, `address`), and for how many there was no
        room.
    """
    ranked = [
        sorted(group.runs, key=lambda run: run.path.name, reverse=True)
        for group in groups
    ]
    turns = itertools.chain.from_iterable(itertools.zip_longest(*ranked))
    pictures: dict[str, list[dict[str, str]]] = {}
    left_out = 0
    for run in filter(None, turns):
        for name, title in PICTURES.items():
            path = run.path / f"{name}.png"
            if not os.path.lexists(path):
                continue
            if room <= 0:
                left_out += 1
                continue
            try:
                address = _make_address(path)
            except DamagedError as error:
                run.problems[path.name] = str(error)
                continue
            if len(address) > room:
                left_out += 1
                continue
            room -= len(address)
            found = pictures.setdefault(name_key(run), [])
            found.append({"title": title, "address": address})
    return pictures, left_out


def _make_address(path: Path) -> str:
    """Return a picture as a `data:` address.

    Raises:
        DamagedError: If it cannot be used, with the reason.
    """
    with name_file(path.name):
        if path.is_symlink():  # it could show any picture of this machine
            raise ValueError("is a link")
        with open_regular(path, MOST_BYTES) as file:
            small = _shrink(file)
    return f"data:image/webp;base64,{base64.b64encode(small).decode()}"


def _shrink(file: BinaryIO) -> bytes:
    """Return a PNG picture as a small WebP picture.

    Raises:
        ValueError: With the reason.
    """
    small = io.BytesIO()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the size is checked below
            image = Image.open(file, formats=["PNG"])
        with image:
            if image.width * image.height > MOST_PIXELS:
                raise ValueError(f"{image.width:,} x {image.height:,} pixels")
            image.thumbnail((WIDTH, 2 * WIDTH))
            image.convert("RGB").save(small, "WEBP", quality=QUALITY, method=4)
    except UnidentifiedImageError:
        raise ValueError("not a PNG picture") from None
    except Exception as error:
        # Pillow raises errors of many types on a damaged picture.
        raise ValueError(f"cannot be drawn ({shorten(str(error), 80)})") from None
    return small.getvalue()
