"""Bad texts: left out with a remark, or refused in one line with place and remedy.

`TABLE` is a list, so that a page of the documentation can show it.
"""

from __future__ import annotations

import codecs
import gzip
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shared.core.errors import UserError
from shared.data.text.config import TextConfig
from shared.data.text.dataset import load_text

GOOD, BAD = "good food number", "bad service number"
NAMES = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta")
ROWS = [f"{text} {name},{label}" for name in NAMES
        for text, label in ((GOOD, "yes"), (BAD, "no"))]  # fmt: skip


def lines(*rows: str) -> bytes:
    return ("\n".join(rows) + "\n").encode()


def table(*extra: str, header: str = "review,label") -> bytes:
    """Sixteen different rows of two classes, and more."""
    return lines(header, *ROWS, *extra)


def json_lines(*extra: str) -> bytes:
    """The same rows as JSON lines, and more."""
    cells = [
        dict(zip(("review", "label"), row.split(","), strict=True)) for row in ROWS
    ]
    return lines(*map(json.dumps, cells), *extra)


def chinese(encoding: str) -> bytes:
    rows = [f"{mark}{'很好吃' if k % 2 else '太难吃了'}，{k},{k % 2}"
            for k, mark in enumerate("甲乙丙丁戊己庚辛")]  # fmt: skip
    return ("text,label\n" + "\n".join(rows).replace("，", "。") + "\n").encode(
        encoding
    )


@dataclass(frozen=True)
class BadText:
    """A source of texts with one fault.

    Attributes:
        name: What is wrong.
        files: Name -> content. One file is passed as `--file`, several as `--folder`.
        outcome: Pattern of the error, or of what the run prints if it goes on.
        flags: Fields of `TextConfig`.
        count: Texts that the run uses; None: it ends in an error.
    """

    name: str
    files: dict[str, bytes]
    outcome: str
    flags: dict[str, Any] = field(default_factory=dict)
    count: int | None = None


def one(name: str, content: bytes, outcome: str, **more: Any) -> BadText:
    file = more.pop("file", "reviews.csv")
    count = more.pop("count", None)
    return BadText(name, {file: content}, outcome, more, count)


TABLE = [
    # Files
    one("an empty file", b"", r"is empty \(0 bytes\)"),
    one("blank lines only", b"\n\n\n", "holds blank lines and comments only"),
    one("a header only", lines("review,label"), "no row below its header"),
    one("a single column", lines("review", "good", "bad"), "one column only"),
    one("an Excel workbook", b"PK\x03\x04xl\x00", "an Excel workbook; save"),
    one("a picture", b"\x89PNG\r\n\x1a\n\x00\x00", "holds a zero byte|is no text"),
    one("gzip without its name", gzip.compress(table()), "its name must end in .gz"),
    one("a cut gzip", gzip.compress(table())[:-20], "cannot be read",
        file="reviews.csv.gz"),
    one("an open quote", table('"never closed,yes'), "line 18: a quote is not closed"),
    one("a comma without quotes", table("well, well,yes"), "line 18 has 3 cells"),
    one("a row cut short", table("cut"), "line 18 has 1 cells"),
    one("two headers of one name", table(header="label,label"), "names column 'label'"),
    one("windows-1252", "review,label\ncafé é à,yes\n".encode("cp1252"),
        "line 2 is no text in utf-8; .*--encoding"),
    one("an unknown encoding", table(), "is no encoding; take utf-8", encoding="utf9"),
    one("another encoding named", "review,label\né,yes\n".encode(), "no text in ascii",
        encoding="ascii"),
    one("mixed encodings", chinese("utf-8") + "乱码测试,1\n".encode("gb18030"),
        "is no text in utf-8"),
    one("a byte order mark", codecs.BOM_UTF8 + table(), "no 8, yes 8", count=16),
    one("UTF-16", table().decode().encode("utf-16"), "no 8, yes 8", count=16),
    one("GBK", chinese("gbk"), "characters", count=8),
    one("GB18030", chinese("gb18030"), "characters", count=8),
    one("Windows line ends", table().replace(b"\n", b"\r\n"), "no 8, yes 8", count=16),
    one("line ends of old Macs", table().replace(b"\n", b"\r"), "no 8, yes 8",
        count=16),
    # Columns
    one("no such text column", table(), "--text 'text': .* it has 'review', 'label'",
        text="text"),
    one("no such label column", table(), "--label 'stars': .* has no such column",
        label="stars"),
    one("one column for both", table(), "--text and --label both name 'label'",
        text="label", label="label"),
    one("two columns of labels",
        lines("review,a,b", *(row + ",x" for row in ROWS)),
        "--label with one of 'a', 'b'"),
    one("two columns of texts",
        lines("first,second,label", *(f"{r.split(',')[0]},{r}" for r in ROWS)),
        "--text with one of 'first', 'second'"),
    one("texts as labels", table(), "different labels for", text="label",
        label="review"),
    # Rows
    one("an empty text", table(",yes"), "1 text empty, left out .*line 18", count=16),
    one("texts of spaces", table("  ,yes", "   ,no"), "2 texts empty", count=16),
    one("a missing label", table("fine,"), "1 text without a label, left out",
        count=16),
    one("no label at all",
        lines("review,label", *(row.split(",")[0] + "," for row in ROWS)),
        "no text is left: 0 are empty, 16 have no label"),
    one("one class", lines("review,label", *(r for r in ROWS if "yes" in r)),
        "all texts have the label 'yes'"),
    one("a class of one text", table("odd,maybe"), "'maybe' has 1 different texts"),
    one("a class of copies",
        table("odd,maybe", "ODD!,maybe", "odd ,maybe", "odd,maybe"),
        "'maybe' has 1 different texts; it needs 3"),
    one("copies of a text", table("Good food, number alpha".replace(",", ""), "x,yes")
        .replace(b"Good food number alpha", b"Good food number ALPHA!,yes"),
        "copies of other texts .*: 1;", count=18),
    one("a copy with another label", table("good food number alpha,no"),
        "texts with several labels: 1", count=17),
    one("a text of two megabytes", table("x" * 2_000_000 + ",yes"),
        "line 18: a text of 2,000,000 characters"),
    one("a zero byte", table("a\0b,yes"), "line 18 holds a zero byte"),
    one("signs only", table("!!!,yes", "???,no"), "no 9, yes 9", count=18),
    one("rows that begin with a hash", table("#good stuff,yes", "# bad,no"),
        "no 9, yes 9", count=18),
    one("words that elsewhere mean a missing value",
        lines("review,label", *(r.replace("yes", "NA").replace(",no", ",None")
                                for r in ROWS), "null,NA"),
        "NA 9, None 8", count=17),
    # JSON lines
    one("no JSON", b'{"a": 1}\nhello\n', "line 2 is no JSON", file="r.jsonl"),
    one("a JSON list", b"[1, 2]\n", "line 1 is no JSON object", file="r.jsonl"),
    one("empty JSON lines", b"\n\n", "holds no line with a JSON object",
        file="r.jsonl"),
    one("a missing key", json_lines('{"review": "fine"}'),
        "1 text without a label", file="r.jsonl", count=16),
    one("half a character in JSON",
        json_lines('{"review": "cut \\ud83d", "label": "no"}'),
        "1 lines with half a character, read as \ufffd .*line 17", file="r.jsonl",
        count=17),
    one("nested JSON", b'{"a": ' + b"[" * 100_000, "line 1 is no JSON", file="r.jsonl"),
    # Folders
    BadText("one folder", {"yes/a.txt": b"good", "readme.md": b""},
            "holds 1 folders and 0 .txt files"),
    BadText("train and test", {"train/a.txt": b"x", "test/b.txt": b"y"},
            "pass --folder .*train --test-file"),
    BadText("no text files", {"yes/a.md": b"good", "no/a.md": b"bad"},
            "hold no .txt file"),
    BadText("a column of a folder", {"yes/a.txt": b"good", "no/a.txt": b"bad"},
            "--label 'stars': names a column of a table", {"label": "stars"}),
    BadText("binary in a folder", {"yes/a.txt": b"\x00\x01", "no/a.txt": b"bad"},
            "a.txt: line 1 holds a zero byte"),
    BadText("other files in a folder",
            {f"{label}/{k}.{end}": f"{label} text {k}".encode()
             for label in ("yes", "no") for k in range(4) for end in ("txt", "md")},
            "does not end in .txt: 8, not read", count=8),
    BadText("a file per class with blank lines",
            {"yes.txt": b"a good one\n\nb good one\nc good one\n",
             "no.txt": b"a bad one\nb bad one\nc bad one\n"}, "no 3, yes 3", count=6),
    # Flags
    one("a vocabulary of 0", table(), "--vocabulary 0: .*at least 5", vocabulary=0),
    one("a length of 0", table(), "--length 0", length=0),
    one("a share of 1", table(), "--test-share 1", test_share=1.0),
    one("an example file as folder", table(), "is a file; name it by --file",
        folder=Path("reviews.csv")),
    BadText("a limit of a folder", {"yes/a.txt": b"good", "no/a.txt": b"bad"},
            "--limit 2: reads the first rows of a table", {"limit": 2}),
]  # fmt: skip


def make(case: BadText, folder: Path) -> TextConfig:
    """Write the files of a case, and return its settings."""
    for name, content in case.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    flags = dict(case.flags)
    if "folder" in flags:
        flags["folder"] = folder / flags["folder"]
    elif len(case.files) > 1:
        flags["folder"] = folder
    else:
        flags["file"] = folder / next(iter(case.files))
    return TextConfig(**flags)


@pytest.mark.parametrize("case", TABLE, ids=lambda case: case.name)
def test_a_bad_text_is_mended_or_refused(case, tmp_path, capsys):
    config = make(case, tmp_path)
    if case.count is None:
        with pytest.raises(UserError, match=f"(?s){case.outcome}") as caught:
            config.validate()
            load_text(config, 0)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 1000
        return
    config.validate()
    data = load_text(config, 0)
    found = sum(len(part) for part in (data.train, data.validation, data.test))
    assert found == case.count
    assert re.search(case.outcome, capsys.readouterr().out)


def test_at_least_forty_kinds_are_tried():
    assert len({case.name for case in TABLE}) == len(TABLE) >= 40


def test_a_line_of_100_megabytes_is_refused_with_its_number(tmp_path):
    path = tmp_path / "reviews.csv"
    path.write_bytes(table("word " * 20_000_000 + ",yes"))
    with pytest.raises(UserError, match="line 18: a text of 100,000,000 characters"):
        load_text(TextConfig(file=path), 0)


def test_a_sign_of_any_kind_is_the_same_token_when_it_comes_from_the_cache(tmp_path):
    """JSON can hold a zero byte. The second time, the tokens are those of the cache."""
    path = tmp_path / "r.jsonl"
    odd = [f'{{"review": "zero \\u0000 {name} end", "label": "yes"}}' for name in NAMES]
    path.write_bytes(json_lines(*odd))
    first, again = (load_text(TextConfig(file=path), 0) for _ in range(2))
    assert "\0" in first.vocabulary.tokens
    assert first.vocabulary == again.vocabulary
    assert np.array_equal(first.test.inputs, again.test.inputs)


def test_a_limit_is_of_the_generated_reviews_too():
    data = load_text(TextConfig(limit=30), 0)
    sizes = [len(part) for part in (data.train, data.validation, data.test)]
    assert (sum(sizes), sizes[2]) == (60, 30)
    assert data.data == "text-sample-limit-30"
