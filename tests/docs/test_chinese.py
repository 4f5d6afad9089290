"""The Chinese pages have the commands, figures, pictures and links of the English."""

import re
from collections import Counter

import pytest

from shared.commands.recipe_table import insert_chinese_table
from tests.helpers import PROJECT

LESSONS = PROJECT / "docs" / "lessons"
PAIRS = [
    (PROJECT / "README.md", PROJECT / "README.zh-CN.md"),
    *((page, page.parent / "zh-CN" / page.name) for page in LESSONS.glob("*.md")),
]
IDS = [english.name for english, _ in PAIRS]
BLOCK = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)
LANGUAGES = re.compile(r"^.*\bEnglish\b.*中文.*$", re.MULTILINE)


def list_commands(text):
    """Return the lines of code blocks without their comments, and inline commands."""
    blocks = "".join(BLOCK.findall(text)).splitlines()
    lines = [re.sub(r"(^|\s+)#.*$", "", line).strip() for line in blocks]
    inline = re.findall(
        r"`((?:make|python|pip|diff|\.venv)[^`]*)`", BLOCK.sub("", text)
    )
    return Counter([*filter(None, lines), *(" ".join(one.split()) for one in inline)])


def list_figures(text):
    """Return every number of the prose: no code, no address, no table of recipes."""
    prose = BLOCK.sub("", text)
    prose = re.sub(r"<!-- recipes: begin.*recipes: end -->", "", prose, flags=re.DOTALL)
    prose = re.sub(r"`[^`]*`|\]\([^)]*\)", " ", prose)
    return Counter(re.findall(r"(?<![\w.-])-?\d+(?:,\d{3})*(?:\.\d+)?", prose))


def list_targets(text):
    """Return the files that a page shows or links to, by their names."""
    found = re.findall(r"\]\(([^)#\s]+)", LANGUAGES.sub("", text))
    return Counter(name.rpartition("/")[2] for name in found)


def list_pictures(text):
    return Counter(
        name.rpartition("/")[2] for name in re.findall(r"!\[.*?\]\((\S+?)\)", text)
    )


def test_there_is_a_chinese_page_for_each():
    assert len(PAIRS) >= 1
    for _, chinese in PAIRS:
        assert chinese.exists(), chinese


@pytest.mark.parametrize(("english", "chinese"), PAIRS, ids=IDS)
@pytest.mark.parametrize(
    "listed", [list_commands, list_figures, list_targets, list_pictures]
)
def test_both_languages_say_the_same(english, chinese, listed):
    ours, theirs = (listed(p.read_text(encoding="utf-8")) for p in (english, chinese))
    assert (ours - theirs, theirs - ours) == (Counter(), Counter())


@pytest.mark.parametrize(("english", "chinese"), PAIRS, ids=IDS)
def test_each_links_to_the_other(english, chinese):
    assert f"{chinese.name})" in english.read_text(encoding="utf-8")
    assert f"{english.name})" in chinese.read_text(encoding="utf-8")


def test_a_difference_is_found():
    english = "It takes 62 s.\n\n```sh\nmake test   # runs\n```\n![x](a/b.png)"
    assert list_commands(english) == Counter({"make test": 1})
    assert list_figures(english) == Counter({"62": 1})
    assert list_pictures(english) == Counter({"b.png": 1})
    assert list_figures("是 61 s。") != list_figures(english)
    assert list_commands("```sh\nmake tests\n```") != list_commands(english)


def test_every_recipe_has_its_row_in_the_chinese_table():
    """Else: make recipe-table, then translate the new question."""
    text = PAIRS[0][1].read_text(encoding="utf-8")
    assert insert_chinese_table(text) == text
    rows = re.findall(r"^\| \[`[^`]+`\]\S+ \| (.*) \|$", text, re.MULTILINE)
    assert len(rows) >= 30
    assert [row for row in rows if not re.search(r"[\u4e00-\u9fff]", row)] == []
