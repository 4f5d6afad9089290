"""The benchmark of a million texts, with a thousand of them."""

import csv
import sys
from collections import Counter

from benchmarks import million_texts
from benchmarks.million_texts import LABELS, main, write_table


def test_the_table_has_short_texts_and_some_copies(tmp_path):
    write_table(tmp_path / "texts.csv", 1_000)
    with (tmp_path / "texts.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["text", "label"] and len(rows) == 1_000
    texts, labels = zip(*rows, strict=True)
    assert set(labels) == set(LABELS)
    assert {len(text.split()) for text in texts} == set(range(4, 21))
    copies = Counter(text.rstrip("!") for text in texts).most_common()
    assert [count for _, count in copies if count > 1] == [2] * 10


def test_both_loads_read_all_texts(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(million_texts, "GOAL_TEXTS", 1_000)
    target = tmp_path / "texts.csv"
    arguments = ["million_texts.py", "--texts", "1000", "--output", str(target)]
    monkeypatch.setattr(sys, "argv", arguments)
    main()
    with target.open(newline="") as file:
        first, again = csv.DictReader(file)
    assert [first["load"], again["load"]] == ["first", "from cache"]
    assert first["texts"] == again["texts"] == "1000"
    assert "At most 90 s and 4 GB: " in capsys.readouterr().out
