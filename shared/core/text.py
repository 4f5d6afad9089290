"""Text from files, made safe and short enough for a terminal."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

WIDTH = 80  # columns of a terminal
UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""Control codes, marks that reverse the order of letters, and bytes that are not UTF-8.
Line ends and tabs are not among them."""
LONGEST = 200
"""Characters of a value that a message repeats."""


def escape_controls(text: str) -> str:
    r"""Return a text whose control characters are visible: `\x1b` for an escape."""
    return UNSAFE.sub(lambda found: ascii(found[0])[1:-1], text)


def shorten(text: str, longest: int = LONGEST) -> str:
    """Return a text on one line; a long one loses its middle."""
    text = " ".join(escape_controls(text).split())
    if len(text) <= longest:
        return text
    half = (longest - 5) // 2
    return f"{text[:half]} ... {text[-half:]}"


def wrap(text: str, indent: str = "") -> str:
    """Return a text in lines of at most `WIDTH` columns; a longer word stays whole.

    Args:
        text: Any.
        indent: Before the first line. The others are indented by two more columns.
    """
    return textwrap.fill(
        text, WIDTH, initial_indent=indent, subsequent_indent=f"{indent}  ",
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def shorten_path(path: Path) -> Path:
    """Return a path as it is called from the current folder, if it lies inside."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def format_duration(seconds: float) -> str:
    """Return a duration as text: `45 s`, `3 min 20 s`, `1 h 05 min`."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    minutes, seconds = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes} min {seconds:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
