"""Find the encoding of a text, and refuse what is no text."""

from __future__ import annotations

import codecs
from pathlib import Path

from shared.core.errors import UserError
from shared.core.text import shorten

CHINESE = "gb18030"
"""The encoding of Chinese Windows. It holds GBK and GB2312."""
LEADS, TRAILS = range(0xA1, 0xD8), range(0xA1, 0xFF)
"""First and second byte of signs and of the 3,755 usual characters in GB 2312."""
MOSTLY = 0.8  # share of the characters that are not ASCII
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

    In a Western encoding a byte above 127 is a letter with an accent. It mostly stands
    between plain letters, and is no usual first byte in Chinese.
    """
    try:
        text = content.decode(CHINESE)
    except UnicodeDecodeError:
        return False
    pairs = [char.encode(CHINESE) for char in set(text) if char > "\x7f"]
    usual = sum(pair[0] in LEADS and pair[1] in TRAILS for pair in pairs)
    return usual > MOSTLY * len(pairs)
