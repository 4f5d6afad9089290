"""Find the encoding of a text, and refuse what is no text."""

from __future__ import annotations

import codecs
from pathlib import Path

from shared.core.errors import UserError
from shared.core.text import shorten

CHINESE = "gb18030"
"""The encoding of Chinese Windows. It holds GBK and GB2312."""
HIGH = 0xA1  # both bytes of usual characters in GBK are at least this
MOSTLY = 0.9  # share of the characters that are not ASCII
MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def decode_text(content: bytes, path: Path, encoding: str = "auto") -> str:
    """Return a text, with LF at the end of each line.

    Args:
        content: Of the file.
        path: For messages.
        encoding: A name that Python knows. auto: UTF-8; UTF-16 with a byte order mark;
            GB18030 where the bytes look like Chinese.

    Raises:
        UserError: If it is no text in this encoding. Names the line.
    """
    if encoding == "auto":
        encoding = find_encoding(content)
    try:
        codecs.lookup(encoding)
        text = content.decode(encoding)
    except LookupError:
        raise UserError(
            f"--encoding {shorten(encoding)!r}: is no encoding; take utf-8, gb18030, "
            "cp1252 or utf-16."
        ) from None
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UserError(
            f"{path}: line {line} is no text in {encoding}; save the file in UTF-8, or "
            "pass its --encoding, e.g. gb18030 (Chinese Windows) or cp1252 (Western "
            "Windows)."
        ) from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise UserError(
            f"{path}: line {line} holds a zero byte, so this is no text; name a text "
            "file (the name of a packed one must end in .gz, .xz or .zip)."
        )
    return text.replace("\r\n", "\n").replace("\r", "\n")


def find_encoding(content: bytes) -> str:
    """Return the encoding of a text: UTF-8, unless its bytes show another one."""
    for mark, name in MARKS.items():
        if content.startswith(mark):
            return name
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return CHINESE if _is_chinese(content) else "utf-8"
    return "utf-8"


def _is_chinese(content: bytes) -> bool:
    """Return whether bytes that are no UTF-8 are a text in GB18030.

    In a Western encoding single bytes above 127 stand between letters. In Chinese they
    come in pairs, of which both are high.
    """
    try:
        text = content.decode(CHINESE)
    except UnicodeDecodeError:
        return False
    others = [char for char in text if char > "\x7f"]
    usual = sum(min(char.encode(CHINESE)) >= HIGH for char in set(others))
    return bool(others) and usual > MOSTLY * len(set(others))
