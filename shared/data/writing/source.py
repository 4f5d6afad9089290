"""Find and read the text: the user's file, Shakespeare, or the generated sample."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from shared.core.errors import UserError
from shared.core.files import hash_file
from shared.core.text import shorten
from shared.data.encodings import decode_text
from shared.data.imdb.sample_reviews import write_sample_texts
from shared.data.sources import find_source, refuse_named_folder
from shared.data.unpack import name_data, read_packed
from shared.data.writing.config import WritingConfig

URL = "https://storage.googleapis.com/download.tensorflow.org/data/shakespeare.txt"
SHA256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"
NAMES = ("shakespeare.txt", "tiny_shakespeare.txt", "tiny_shakespeare.txt.xz")
SAMPLE_REVIEWS = 500  # 640,000 characters
BYTE_ORDER_MARK = "\ufeff"


@dataclass(frozen=True)
class Source:
    """A text and where it came from.

    Attributes:
        name: Of the data set.
        text: With LF at the end of each line.
        facts: Origin and hash.
        is_sample: Whether the text is generated.
    """

    name: str
    text: str
    facts: dict[str, str]
    is_sample: bool = False


def read_source(config: WritingConfig) -> Source:
    """Return the text, and print where it came from.

    Raises:
        UserError: If the file is missing, damaged, or no text.
    """
    if config.file is not None:
        return _read_file(config.file, config, name_data(config.file, "text"))
    if config.data == "sample":
        refuse_named_folder(config.data_dir)
        print("Text: generated reviews (data set writing-sample).")
        return _write_sample()
    found, missed = find_source(NAMES, config.data_dir, URL, SHA256)
    if found is None:
        print(
            f"Text: no Shakespeare: {'; '.join(missed)}. Generated reviews replace it "
            "(data set writing-sample). For your own text: --file book.txt."
        )
        return _write_sample()
    return _read_file(found.path, config, "shakespeare", found.origin)


def _read_file(
    path: Path, config: WritingConfig, name: str, origin: str = "file"
) -> Source:
    print(f"Text: {path}")
    if not path.exists():
        raise UserError(f"--file {shorten(str(path))}: there is no such file.")
    text = decode_text(read_packed(path), path, config.encoding)
    facts = {"origin": origin, "file": str(path), "sha256": hash_file(path)}
    return Source(name, text.removeprefix(BYTE_ORDER_MARK), facts)


def _write_sample() -> Source:
    written = write_sample_texts("train")[0][:SAMPLE_REVIEWS]
    texts = [" ".join(words) for words in written]
    text = "\n".join(texts) + "\n"
    digest = hashlib.sha256(text.encode()).hexdigest()
    facts = {"origin": "generated", "sha256": digest}
    return Source("writing-sample", text, facts, is_sample=True)
