"""Pictures of run folders, made small enough for a page."""

from __future__ import annotations

import base64
import io
import itertools
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from shared.report.collect import name_key
from shared.runs.groups import Group

PICTURES = {
    "forecast": "Forecast against truth",
    "error_by_hour": "Error by time of day",
    "free_run": "Forecast that feeds on itself",
    "error_by_step": "Error by steps ahead",
    "keras_comparison": "NumPy and Keras, epoch by epoch",
    "beside": "NumPy and Keras, epoch by epoch",
    "gradient_flow": "Gradient by steps back",
}
"""File name -> title. The page draws the curves itself. `beside` is of version 0.1."""
WIDTH = 1000  # pixels, the width in the page
QUALITY = 70


def embed_pictures(
    groups: Sequence[Group], room: int
) -> tuple[dict[str, list[dict[str, str]]], int]:
    """Return pictures as `data:` addresses, as many as there is room for.

    The newest run of every group comes first, then the second newest, and so on.

    Args:
        groups: Groups whose runs may have pictures.
        room: Bytes available for all pictures together.

    Returns:
        Key of a run -> pictures (`title`, `address`), and how many were left out.
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
            if not path.is_file():
                continue
            address = _make_address(path) if room > 0 else None
            if address is None or len(address) > room:
                left_out += 1
                continue
            room -= len(address)
            found = pictures.setdefault(name_key(run), [])
            found.append({"title": title, "address": address})
    return pictures, left_out


def _make_address(path: Path) -> str | None:
    """Return a picture as a `data:` address, or None if it cannot be read."""
    try:
        with Image.open(path) as image:
            image.thumbnail((WIDTH, 2 * WIDTH))
            small = io.BytesIO()
            image.convert("RGB").save(small, "WEBP", quality=QUALITY, method=4)
    except (OSError, ValueError):
        return None
    return f"data:image/webp;base64,{base64.b64encode(small.getvalue()).decode()}"
