"""Letters of every language in pictures, as far as this machine has fonts for them."""

from __future__ import annotations

from functools import cache

from matplotlib import rcParams
from matplotlib.font_manager import FontProperties, findfont, fontManager
from matplotlib.ft2font import FT2Font

MISSING = "\N{WHITE SQUARE}"
"""Stands for a letter that no font has."""
FALLBACKS = (
    "Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "Microsoft YaHei",
    "SimHei", "PingFang SC", "Hiragino Sans GB", "Heiti SC", "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei", "Noto Sans CJK JP", "Yu Gothic", "Hiragino Sans",
    "Noto Sans CJK KR", "Malgun Gothic", "Apple SD Gothic Neo", "Arial Unicode MS",
)  # fmt: skip
"""Fonts with Chinese, Japanese or Korean letters on Linux, macOS and Windows."""


def mark_missing(text: str) -> str:
    """Return a text in which `MISSING` replaces each letter that no font has.

    Pictures take letters from the fallbacks that this machine has.
    """
    if text.isascii():
        return text
    fonts = _use_fonts()
    return "".join(
        char if char.isspace() or any(ord(char) in font for font in fonts) else MISSING
        for char in text
    )


@cache
def _use_fonts() -> list[frozenset[int]]:
    """Let pictures use the fallbacks, and return the letters of each font."""
    there = {font.name for font in fontManager.ttflist}
    families = [*rcParams["font.family"], *(k for k in FALLBACKS if k in there)]
    rcParams["font.family"] = families
    files = [findfont(FontProperties(family=[name])) for name in families]
    return [frozenset(FT2Font(file).get_charmap()) for file in files]
