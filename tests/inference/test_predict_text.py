"""`make predict` with text and review runs: classes, probabilities, and bad inputs."""

import csv
import json

import numpy as np
import pytest

from shared.core.backend import import_keras
from shared.data.imdb.word_index import NAME, read_word_index
from shared.inference.load_model import load_model
from shared.inference.predict import _show
from shared.inference.predict import main as predict
from shared.inference.text_predict import TextPredictions
from shared.inference.text_run import TextFacts, TextReader, read_text_reader
from shared.runs.reader import read_run
from tests.helpers import REAL_DATA
from tests.inference.forecasts import copy_run, refuse
from tests.recipes.own_texts import (
    make_rows,
    read_vocabulary,
    train_texts,
    write_folder,
)
from tests.recipes.training_runs import train_reviews

pytestmark = [
    pytest.mark.xdist_group("inference"),
    pytest.mark.usefixtures("undrawn"),
]

TEXTS = ["The food was GREAT!", "Rude and slow", "plain"]


@pytest.fixture
def table_run(train_once):
    return train_once(train_texts, "text_gru").run


@pytest.fixture
def folder_run(train_once):
    """Characters of two classes; padding on the right and read."""
    return train_once(train_characters, "characters").run


@pytest.fixture
def reviews_run(train_once):
    """Generated reviews."""
    flags = ["--data", "sample", "--limit", "40", "--epochs", "1"]
    return train_once(train_reviews, "imdb_gru", *flags).run


def train_characters(_, folder):
    source = write_folder(folder / "in", make_rows({"bad": 12, "good": 12}))
    return train_texts(
        "text_gru", folder, "--folder", str(source),
        "--tokens", "characters", "--padding", "right", "--batching", "fixed",
        "--length", "11", "--keep", "end",
    )  # fmt: skip


def classify(run, folder, *flags):
    """Return the rows of the predictions."""
    predict([str(run.path), "--to", str(folder / "found"), *flags])
    path = folder / "found" / "predictions.csv"
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def compare_with_model(run, rows, ids):
    """Compare rows of the predictions with the model on token ids made by hand."""
    expected = load_model(run.path).predict(np.array(ids, np.int32), verbose=0)
    if expected.shape[1] == 1:
        expected = np.concatenate([1 - expected, expected], axis=1)
    names = run.task.classes
    found = [[float(row[f"p({name})"]) for name in names] for row in rows]
    assert np.array(found) == pytest.approx(expected, abs=6e-5)
    best = [names[k] for k in expected.argmax(axis=1)]
    assert [row["class"] for row in rows] == best
    assert [float(row["probability"]) for row in rows] == [max(one) for one in found]


def test_the_probabilities_are_those_of_the_model_on_the_ids_of_the_words(
    table_run, tmp_path
):
    import_keras()
    ids = {word: k for k, word in enumerate(read_vocabulary(table_run), 4)}
    words = [["the", "food", "was", "great", "!"], ["rude", "and", "slow"], ["plain"]]
    length = table_run.config["data_facts"]["text"]["length"]
    padded = []
    for tokens in words:
        known = [1, *(ids.get(token, 2) for token in tokens)]
        padded.append([0] * (length - len(known)) + known)
    (tmp_path / "new.txt").write_text("\n".join(TEXTS) + "\n")
    rows = classify(table_run, tmp_path, "--file", str(tmp_path / "new.txt"))
    assert [row["text"] for row in rows] == TEXTS
    compare_with_model(table_run, rows, padded)


def test_a_long_text_is_cut_and_padded_as_in_training(folder_run, tmp_path):
    """Of more than eleven characters the end is read, without the start token."""
    import_keras()
    ids = {sign: k for k, sign in enumerate(read_vocabulary(folder_run), 4)}
    texts = ["The food was great!", "okay"]
    known = [[ids.get(sign, 2) for sign in text.lower()] for text in texts]
    expected = [known[0][-11:], [1, *known[1]] + [0] * 6]
    (tmp_path / "new.txt").write_text("\n".join(texts))
    rows = classify(folder_run, tmp_path, "--file", str(tmp_path / "new.txt"))
    compare_with_model(folder_run, rows, expected)


def test_one_text_is_printed_and_nothing_is_written(table_run, tmp_path, capsys):
    run = copy_run(table_run, tmp_path)
    predict([str(run.path), "--text", "Great and lovely"])
    printed = capsys.readouterr().out
    assert "Read: the text given\n" in printed
    assert "Great and lovely" in printed and "p(good)" in printed
    assert not (run.path / "predictions").exists()
    (row,) = classify(run, tmp_path, "--text", "Great and lovely")
    assert row["class"] in run.task.classes


def test_a_table_a_text_file_and_a_folder_give_the_same_classes(
    table_run, tmp_path, capsys
):
    """Each names the place of a text. A table needs no label and no other column."""
    (tmp_path / "new.csv").write_text("\n".join(["review", *TEXTS]))
    lines = [json.dumps({"id": 1, "review": text}) for text in TEXTS]
    (tmp_path / "new.jsonl").write_text("\n".join(lines))
    (tmp_path / "new.txt").write_text("\n\n".join(TEXTS))
    for k, text in enumerate(TEXTS):
        (tmp_path / "texts" / f"{k}").mkdir(parents=True)
        (tmp_path / "texts" / f"{k}" / "new.txt").write_text(text)
    places = {
        "new.csv": ("line", ["2", "3", "4"]),
        "new.jsonl": ("line", ["1", "2", "3"]),
        "new.txt": ("line", ["1", "3", "5"]),
        "texts": ("file", ["0/new.txt", "1/new.txt", "2/new.txt"]),
    }
    found = []
    for name, (column, expected) in places.items():
        rows = classify(table_run, tmp_path, "--file", str(tmp_path / name))
        assert f"{name}: 3 texts\n" in capsys.readouterr().out
        assert [row.pop(column) for row in rows] == expected
        assert [row["text"] for row in rows] == TEXTS
        found.append(rows)
    assert all(rows == found[0] for rows in found)


def test_empty_texts_and_unknown_tokens_are_told(table_run, tmp_path, capsys):
    (tmp_path / "new.csv").write_text("id,review\n1,great\n2,\n3,qqq zzz\n")
    rows = classify(table_run, tmp_path, "--file", str(tmp_path / "new.csv"))
    assert [row["text"] for row in rows] == ["great", "qqq zzz"]
    printed = capsys.readouterr().out
    assert "1 text empty, left out (first: " in printed and "new.csv: line 3" in printed
    assert (
        "1 text has no token that the network knows: the answer is a guess" in printed
    )
    classify(table_run, tmp_path, "--text", "great")
    assert "no token" not in capsys.readouterr().out


def test_every_file_of_texts_has_a_folder_of_its_own(table_run, tmp_path):
    run = copy_run(table_run, tmp_path)
    (tmp_path / "new.txt").write_text("great\n")
    for _ in range(2):
        predict([str(run.path), "--file", str(tmp_path / "new.txt")])
    folders = sorted((run.path / "predictions").iterdir())
    assert len(folders) == 2
    for folder in folders:
        assert [file.name for file in folder.iterdir()] == ["predictions.csv"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"new.csv": "text,id\ngreat,1\n"}, "has no column 'review', which held the"),
        ({"new.csv": "review,id\n,1\n ,2\n"}, "no text is left: 2 are empty"),
        ({"new.csv": ""}, "is empty (0 bytes)"),
        ({"new.txt": "\n \n"}, "holds no text"),
        ({"texts/readme.md": "great"}, "holds no .txt file, which would be one text"),
        ({}, "there is no such file or folder"),
    ],
)
def test_a_file_that_does_not_fit_is_one_line(
    table_run, tmp_path, capsys, content, message
):
    for name, text in content.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    path = tmp_path / next(iter(content), "nowhere.csv").split("/")[0]
    line = refuse(capsys, table_run, tmp_path, "--file", str(path))
    assert message in line and path.name in line


def test_a_run_without_a_table_says_when_no_column_can_be_seen(
    folder_run, tmp_path, capsys
):
    rows = [f"name of person {k},a remark of length {k}" for k in range(9)]
    (tmp_path / "new.csv").write_text("\n".join(["who,what", *rows]))
    line = refuse(capsys, folder_run, tmp_path, "--file", str(tmp_path / "new.csv"))
    assert "which column holds the texts cannot be seen; keep one column" in line


def test_a_text_run_needs_a_text_or_a_file(table_run, tmp_path, capsys):
    message = 'text-gru reads texts: pass either TEXT="..." (--text) or FILE=...'
    assert message in refuse(capsys, table_run, tmp_path)
    (tmp_path / "new.txt").write_text("great")
    both = ["--text", "great", "--file", str(tmp_path / "new.txt")]
    assert message in refuse(capsys, table_run, tmp_path, *both)
    assert "--text: is empty" in refuse(capsys, table_run, tmp_path, "--text", " ")


def test_a_file_of_texts_may_have_another_encoding(table_run, tmp_path, capsys):
    texts = ["The café was great", "rude and slow"]
    table = "review\n" + "\n".join(texts)
    contents = {"new.csv": table, "new.txt": "\n".join(texts), "texts/a.txt": texts[0]}
    for name, text in contents.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(text.encode("cp1252"))
    for name in ("new.csv", "new.txt", "texts"):
        flags = ["--file", str(tmp_path / name)]
        line = refuse(capsys, table_run, tmp_path, *flags)
        assert "is no text in utf-8" in line and "--encoding" in line
        rows = classify(table_run, tmp_path, *flags, "--encoding", "cp1252")
        assert [row["text"] for row in rows] == texts[: len(rows)]
    line = refuse(capsys, table_run, tmp_path, "--text", "x", "--encoding", "cp1252")
    assert "--encoding: describes a file, and this reads one text" in line
    line = refuse(capsys, table_run, tmp_path, *flags, "--decimal", ",")
    assert "--decimal: text-gru does not take it; omit the flag" in line


def test_a_series_reads_no_text(sales, tmp_path, capsys):
    line = refuse(capsys, sales, tmp_path, "--text", "great")
    assert "--text: series-linear reads no texts; omit the flag." in line


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("length", 0, "its length is 0"),
        ("length", "ten", "length"),
        ("tokens", "syllables", "tokens"),
        ("padding", None, "padding"),
    ],
)
def test_a_damaged_description_is_one_line(
    table_run, tmp_path, capsys, name, value, message
):
    def damage(config):
        config["data_facts"]["text"][name] = value

    run = copy_run(table_run, tmp_path, damage)
    line = refuse(capsys, run, tmp_path, "--text", "great")
    assert "what the run keeps of its texts cannot be used" in line
    assert message in line and line.endswith("train it again.")


def test_a_run_that_keeps_no_description_is_one_line(table_run, tmp_path, capsys):
    run = copy_run(table_run, tmp_path, lambda config: config["data_facts"].pop("text"))
    line = refuse(capsys, run, tmp_path, "--text", "great")
    assert "what the run keeps of its texts cannot be used" in line


@pytest.mark.parametrize("damage", ["missing", "cut", "shorter", "longer", "no text"])
def test_a_damaged_vocabulary_is_one_line(table_run, tmp_path, capsys, damage):
    run = copy_run(table_run, tmp_path)
    path = run.path / "vocabulary.txt"
    whole = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        contents = {
            "cut": whole[:-3],
            "shorter": whole[whole.index(b"\n") + 1 :],
            "longer": whole + b"more\n",
            "no text": b"\xff\xfe\xfd\n",
        }
        path.write_bytes(contents[damage])
    line = refuse(capsys, run, tmp_path, "--text", "great")
    assert "train it again" in line and str(run.path.name) in line


def test_a_review_run_classifies_a_text(reviews_run, tmp_path, capsys):
    """Its vocabulary of 31 ids has the 27 most frequent words."""
    import_keras()
    words = [""] * 27
    from shared.data.imdb.sample_reviews import rank_sample_words

    for word, rank in rank_sample_words().items():
        if rank <= len(words):
            words[rank - 1] = word
    text = f"{words[0].upper()}, {words[5]} qqq <br /> {words[26]}!"
    known = [1, 1 + 3, 6 + 3, 2, 2, 27 + 3]
    ids = [0] * (7 - len(known)) + known
    (row,) = classify(reviews_run, tmp_path, "--text", text)
    assert set(row) == {"text", "class", "probability", "p(negative)", "p(positive)"}
    compare_with_model(reviews_run, [row], [ids])
    classify(reviews_run, tmp_path, "--text", "qqq")
    assert "no token that the network knows" in capsys.readouterr().out


def test_the_ids_of_real_words_are_those_of_keras(reviews_run, tmp_path, monkeypatch):
    """A word of rank r has the id r + 3, and a review starts with 1."""
    if not (REAL_DATA / NAME).is_file():
        pytest.skip(f"needs the word index: no {REAL_DATA / NAME}")
    ranks = read_word_index(REAL_DATA / NAME)

    def of_real_reviews(config):
        config["data_facts"]["is_sample"] = False
        config["settings"] |= {"vocabulary": 10_000, "length": 12}
        config["settings"] |= {"data_dir": str(REAL_DATA), "data": "auto"}

    run = copy_run(reviews_run, tmp_path, of_real_reviews)
    ids = read_text_reader(run).read(["It's a GREAT film; <br />zzyzzx!"])
    words = ["it's", "a", "great", "film", "br"]
    expected = [1, *(ranks[word] + 3 for word in words), 2]
    assert ids.tolist() == [[0] * 5 + expected]
    assert isinstance(read_text_reader(run), TextReader)
    assert read_text_reader(run).facts == TextFacts(
        None, "imdb words", False, 12, "end", "left"
    )
    assert read_run(run.path).recipe == "imdb-gru"


def test_of_many_classes_the_likeliest_is_printed(capsys):
    classes = tuple(f"kind {k}" for k in range(60))
    shares = np.full((1, 60), 0.01)
    shares[0, 7] = 0.41
    _show(TextPredictions(["What is it?"], classes, shares, "the text given"))
    printed = capsys.readouterr().out
    assert "kind 7" in printed and "0.41" in printed
    assert "p(" not in printed
