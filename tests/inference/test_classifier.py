"""`load_classifier`: a model file alone takes texts."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from shared.core.errors import UserError
from shared.data.imdb.sample_reviews import rank_sample_words
from shared.inference.classifier import load_classifier
from shared.inference.load_model import load_model
from shared.inference.text_predict import predict_texts
from shared.runs.reader import MODEL, MODEL_TEXTS
from tests.helpers import make_reviews, run_python, write_npz
from tests.inference.damaged_models import pack, read_members
from tests.recipes.own_texts import make_rows, train_texts, write_folder
from tests.recipes.training_runs import train_reviews, train_series

pytestmark = [
    pytest.mark.xdist_group("inference"),
    pytest.mark.usefixtures("undrawn"),
]

TEXTS = ["The food was GREAT!", "Rude and slow", "qqq zzz", ""]
WORDS = ["the", "film", "was", "great", "and", "it's"]


@pytest.fixture
def table_run(train_once):
    return train_once(train_texts, "text_gru").run


@pytest.fixture
def sample_run(train_once):
    """Generated reviews."""
    flags = ["--data", "sample", "--limit", "40", "--epochs", "1"]
    return train_once(train_reviews, "imdb_gru", *flags).run


@pytest.fixture
def indexed_run(train_once):
    """Reviews of a folder that has the index of their words."""
    return train_once(train_indexed, "indexed").run


@pytest.fixture
def bare_run(train_once):
    """Reviews of a folder without the index."""
    return train_once(train_reviews, "imdb_gru", "--epochs", "1").run


def train_indexed(_, folder):
    write_npz(folder / "imdb.npz", make_reviews(100))
    ranks = {word: k for k, word in enumerate(WORDS, 1)}
    (folder / "imdb_word_index.json").write_text(json.dumps(ranks))
    return train_reviews("imdb_gru", folder, "--epochs", "1")


def move_model(run, folder):
    """Return a copy of the model that has left its run folder and its name."""
    return Path(shutil.copy(run.path / MODEL, folder / "mine.keras"))


def change_texts(run, folder, change):
    """Return a model whose part for texts is changed, with checksums that fit."""
    members = read_members((run.path / MODEL).read_bytes())
    kept = json.loads(members.pop(MODEL_TEXTS))
    changed = change(kept)
    if changed is not None:
        members[MODEL_TEXTS] = changed
    (folder / "changed.keras").write_bytes(pack(members))
    return folder / "changed.keras"


def predict_as_in_the_run(run, text):
    """Return the probabilities by `make predict`, from the run folder."""
    return predict_texts(run, None, text).probabilities[0]


def test_a_model_alone_predicts_as_its_run_folder(table_run, tmp_path):
    classifier = load_classifier(move_model(table_run, tmp_path))
    assert classifier.classes == ("bad", "fair", "good")
    found = classifier.predict(TEXTS)
    for text, shares in zip(TEXTS[:3], found.probabilities, strict=False):
        expected = predict_as_in_the_run(table_run, text)
        assert shares == pytest.approx(expected, abs=1e-6)
    assert found.probabilities.shape == (4, 3)
    assert found.probabilities.sum(axis=1) == pytest.approx(np.ones(4))
    best = found.probabilities.argmax(axis=1)
    assert found.classes == [classifier.classes[k] for k in best]
    # "!" is a token of the training texts; the words of the last two are not.
    assert found.known.tolist()[0] == 5
    assert found.known.tolist()[2:] == [0, 0]


@pytest.mark.parametrize(
    "recipe", ["text_gru", pytest.param("text_best", marks=pytest.mark.slow)]
)
def test_characters_are_cut_and_padded_as_in_training(recipe, tmp_path):
    source = write_folder(tmp_path / "in", make_rows({"bad": 12, "good": 12}))
    run = train_texts(
        recipe, tmp_path, "--folder", str(source), "--tokens", "characters",
        "--length", "11", "--keep", "end", "--padding", "right",
    )  # fmt: skip
    classifier = load_classifier(str(move_model(run, tmp_path)))
    text = "It was a long evening and the food was great"
    shares = classifier.predict([text]).probabilities[0]
    assert shares == pytest.approx(predict_as_in_the_run(run, text), abs=1e-6)
    assert classifier.reader.read([text]).shape == (1, 11)


@pytest.mark.slow
def test_three_lines_in_a_new_process_need_the_file_only(table_run, tmp_path):
    path = move_model(table_run, tmp_path)
    lines = [
        "from shared.inference.classifier import load_classifier",
        f"found = load_classifier({str(path)!r}).predict(['The food was GREAT!'])",
        "print(found.classes, found.probabilities.tolist())",
    ]
    done = run_python("-c", "\n".join(lines))
    assert done.returncode == 0, done.stderr
    expected = load_classifier(path).predict(TEXTS[:1])
    name, shares = done.stdout.splitlines()[-1].split("] ", 1)
    assert name == f"['{expected.classes[0]}'"
    assert json.loads(shares)[0] == pytest.approx(expected.probabilities[0], abs=1e-6)


def test_generated_reviews_keep_their_words(sample_run, tmp_path):
    """The vocabulary of 31 ids has the 27 most frequent words."""
    classifier = load_classifier(move_model(sample_run, tmp_path))
    by_rank = {rank: word for word, rank in rank_sample_words().items()}
    text = f"{by_rank[1].upper()}, {by_rank[6]} qqq <br /> {by_rank[27]}!"
    ids = [0, 1, 1 + 3, 6 + 3, 2, 2, 27 + 3]
    assert classifier.reader.read([text]).tolist() == [ids]
    found = classifier.predict([text])
    positive = load_model(sample_run.path).predict(np.array([ids]), verbose=0)[0, 0]
    assert found.probabilities[0] == pytest.approx([1 - positive, positive], abs=1e-6)
    assert found.classes == ["positive" if positive > 0.5 else "negative"]
    assert found.known.tolist() == [3]


def test_reviews_beside_an_index_keep_its_words(indexed_run, tmp_path):
    classifier = load_classifier(move_model(indexed_run, tmp_path))
    ids = classifier.reader.read(["It's GREAT, the best film"]).tolist()
    assert ids == [[0, 1, 6 + 3, 4 + 3, 1 + 3, 2, 2 + 3]]
    assert classifier.reader.vocabulary.size == 31  # of the flag, not of the index


def test_reviews_without_an_index_say_how_to_keep_the_words(bare_run, tmp_path):
    with pytest.raises(UserError) as error:
        load_classifier(move_model(bare_run, tmp_path))
    message = str(error.value)
    assert "keeps no vocabulary" in message and "imdb_word_index.json" in message
    assert "\n" not in message


def test_a_model_of_a_series_takes_no_texts(train_once, tmp_path):
    run = train_once(train_series, "series_linear", "--epochs", "1").run
    for path in (run.path, move_model(run, tmp_path)):
        with pytest.raises(UserError, match="keeps no vocabulary"):
            load_classifier(path)


def test_a_run_of_an_older_version_is_read_by_its_folder(table_run, tmp_path):
    older = change_texts(table_run, tmp_path, lambda kept: None)
    with pytest.raises(UserError, match="keeps no vocabulary"):
        load_classifier(older)
    folder = shutil.copytree(table_run.path, tmp_path / "run")
    older.replace(folder / MODEL)
    found = load_classifier(folder).predict(TEXTS)
    expected = load_classifier(table_run.path).predict(TEXTS)
    assert np.array_equal(found.probabilities, expected.probabilities)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda kept: b"", "truncated"),
        (lambda kept: b"[]", "Expected `object`"),
        (lambda kept: b"\xff\xfe", "malformed"),
        (lambda kept: _dump(kept, classes=["bad", "good"]), "2 names of classes, 3 in"),
        (lambda kept: _dump(kept, classes=3), "Expected `array`"),
        (lambda kept: _dump(kept, vocabulary=kept["vocabulary"][1:]), "not that of"),
        (lambda kept: _dump(kept, vocabulary=[1]), "Expected `str`"),
        (lambda kept: _dump(kept, text=kept["text"] | {"length": 0}), "length is 0"),
        (lambda kept: _dump(kept, text=kept["text"] | {"keep": "all"}), "keep"),
        (lambda kept: _dump(kept, text={}), "column"),
    ],
)
def test_damaged_texts_are_one_line(table_run, tmp_path, change, message):
    path = change_texts(table_run, tmp_path, change)
    with pytest.raises(UserError) as error:
        load_classifier(path)
    line = str(error.value)
    assert line.startswith(f"{path}: its texts.json cannot be used ("), line
    assert message in line and line.endswith("train the run again.")
    assert "\n" not in line


def test_a_changed_vocabulary_is_noticed(table_run, tmp_path):
    """Its checksum is not that of the note."""
    members = read_members((table_run.path / MODEL).read_bytes())
    content = (table_run.path / MODEL).read_bytes()
    place = content.index(members[MODEL_TEXTS])
    changed = bytearray(content)
    changed[place + 20] ^= 1
    (tmp_path / MODEL).write_bytes(bytes(changed))
    with pytest.raises(UserError, match="not the model of a run, or damaged"):
        load_classifier(tmp_path / MODEL)


def test_a_list_of_texts_is_needed(table_run):
    classifier = load_classifier(table_run.path)
    for wrong in ("great", [1], [None, "great"]):
        with pytest.raises(UserError, match="takes a list of texts"):
            classifier.predict(wrong)
    few = classifier.predict(text for text in TEXTS[:2])
    whole = classifier.predict(np.array(TEXTS[:2]))
    assert np.array_equal(few.probabilities, whole.probabilities)
    found = classifier.predict([])
    assert found.classes == [] and found.probabilities.shape == (0, 3)


def test_a_place_without_a_model_is_one_line(tmp_path):
    with pytest.raises(UserError, match="not the model of a run"):
        load_classifier(tmp_path / "none.keras")


def _dump(kept, **changes):
    return json.dumps(kept | changes).encode()
