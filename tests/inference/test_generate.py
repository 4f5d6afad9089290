"""`make generate`: what is drawn, what is refused, and what is copied."""

import itertools
import shutil

import numpy as np
import pytest

from shared.core.backend import import_keras
from shared.core.errors import UserError
from shared.data.writing.config import WritingConfig
from shared.data.writing.dataset import load_writing
from shared.inference.copies import find_longest_copy
from shared.inference.generate import main as generate
from shared.inference.generate import stop_before
from shared.inference.load_model import load_model
from shared.inference.sampling import Sampling, draw_tokens
from shared.inference.token_readers import StateReader
from tests.inference.forecasts import copy_run
from tests.recipes.own_writings import PLAY, train_writer
from tests.recipes.training_runs import train_series

pytestmark = [
    pytest.mark.xdist_group("inference"),
    pytest.mark.usefixtures("undrawn"),
]


@pytest.fixture
def gru(train_once):
    return train_once(train_writer, "writer_gru", "--layers", "2").run


@pytest.fixture
def lstm(train_once):
    """Words."""
    return train_once(train_writer, "writer_lstm", "--tokens", "words").run


@pytest.fixture
def vowels(train_once):
    return train_once(train_series, "vowel_gru", "--epochs", "1").run


def write(capsys, run, *flags):
    """Return the text, and the line about copies."""
    capsys.readouterr()
    generate([str(run.path), *flags])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"Run: {run.path}" and not lines[1]
    return "\n".join(lines[2:-2]), lines[-1]


def refuse(capsys, run, *flags):
    with pytest.raises(SystemExit) as ended:
        generate([str(run.path), *flags])
    assert ended.value.code == 2
    printed = capsys.readouterr()
    assert not printed.out.replace(f"Run: {run.path}\n", "").strip()
    (line,) = printed.err.strip().splitlines()
    return line


@pytest.mark.parametrize("name", ["gru", "lstm"])
def test_step_by_step_the_network_expects_the_same(name, request):
    import_keras()
    model = load_model(request.getfixturevalue(name).path)
    ids = np.random.default_rng(0).integers(0, model.output_shape[2], (2, 9))
    whole = model.predict(ids, verbose=0)
    reader = StateReader(model, batch=2)
    for _ in range(2):  # after a restart, all is as before
        steps = [reader.read(ids[:, k]) for k in range(9)]
        assert np.stack(steps, axis=1) == pytest.approx(whole, abs=1e-5)
        reader.restart()


def test_tokens_are_drawn_as_often_as_the_network_expects():
    random = np.random.default_rng(0)
    shares = np.array([0.5, 0.3, 0.15, 0.05, 0.0])
    with np.errstate(divide="ignore"):
        logits = np.tile(np.log(shares), (20_000, 1)) + 7

    def count(sampling):
        drawn = draw_tokens(logits, sampling, random)
        return np.bincount(drawn, minlength=5) / len(drawn)

    assert count(Sampling()) == pytest.approx(shares, abs=0.01)
    colder = shares**2 / (shares**2).sum()
    assert count(Sampling(temperature=0.5)) == pytest.approx(colder, abs=0.01)
    assert count(Sampling(temperature=0)).tolist() == [1, 0, 0, 0, 0]
    # 0.5 and 0.3 reach 0.75 together; the others are never drawn
    likeliest = np.array([0.5, 0.3, 0, 0, 0]) / 0.8
    assert count(Sampling(top_p=0.75)) == pytest.approx(likeliest, abs=0.01)
    assert count(Sampling(top_p=1e-9)).tolist() == [1, 0, 0, 0, 0]


def test_the_same_seed_gives_the_same_text(gru, capsys):
    first, _ = write(capsys, gru, "--length", "80")
    again, _ = write(capsys, gru, "--length", "80")
    other, _ = write(capsys, gru, "--length", "80", "--seed", "1")
    assert first == again != other
    likeliest = [
        write(capsys, gru, "--length", "20", "--temperature", "0", "--seed", str(k))
        for k in (0, 1)
    ]
    assert likeliest[0] == likeliest[1]


def test_the_text_goes_on_after_the_prompt(gru, lstm, capsys):
    text, _ = write(capsys, gru, "--prompt", "to be", "--length", "7")
    assert text.startswith("to be")
    assert len(text.rstrip("\n")) <= 5 + 7
    words, _ = write(capsys, lstm, "--prompt", "that is", "--length", "4")
    assert words.startswith("that is")


def test_the_text_is_that_of_the_model(gru, capsys):
    """The likeliest token, found by reading the whole text again each time."""
    import_keras()
    model = load_model(gru.path)
    data = load_writing(WritingConfig(file=_file(gru), steps=7), 3)
    ids = [data.vocabulary.find(letter) for letter in "to be"]
    for _ in range(12):
        logits = model.predict(np.array([ids]), verbose=0)[0, -1]
        ids.append(4 + int(np.argmax(logits[4:])))
    flags = ["--prompt", "to be", "--temperature", "0", "--length", "12"]
    text, _ = write(capsys, gru, *flags)
    assert text == "".join(data.vocabulary.decode(np.array(ids)))


def test_vowels_are_written_by_the_same_command(vowels, capsys):
    text, copies = write(capsys, vowels, "--length", "30")
    assert len(text) == 4 + 30 and set(text) <= set("aeiou")
    assert "no copies are looked for" in copies
    text, _ = write(capsys, vowels, "--prompt", "aeioua", "--length", "3")
    assert text.startswith("aeioua") and len(text) == 9
    assert "reads 4 vowels" in refuse(capsys, vowels, "--prompt", "aei")
    assert "the characters 'x'" in refuse(capsys, vowels, "--prompt", "aeiox")


@pytest.mark.parametrize(
    ("text", "stop", "expected"),
    [
        ("abcabd", "abd", "abc"),
        ("ababac", "abac", "ab"),
        ("aaab", "aab", "a"),
        ("abc", "x", "abc"),
        ("abab", "abc", "abab"),
        ("stop", "stop", ""),
    ],
)
def test_nothing_from_the_stop_on_is_written(text, stop, expected):
    for size in (1, 2, 5):
        pieces = (text[k : k + size] for k in range(0, len(text), size))
        assert "".join(stop_before(pieces, stop)) == expected
    assert "".join(stop_before(iter(text), None)) == text


def test_stop_and_to(gru, tmp_path, capsys):
    path = tmp_path / "new" / "text.txt"
    flags = ["--length", "300", "--stop", "e", "--prompt", "to b", "--to", str(path)]
    text, _ = write(capsys, gru, *flags)
    assert "e" not in text.split("\n\n")[0]
    assert path.read_text().startswith("to b")
    assert "e" not in path.read_text()


def test_the_longest_copy_is_that_of_a_slow_search():
    random = np.random.default_rng(0)
    for _ in range(300):
        text, source = (
            "".join(random.choice(list("ab界 "), random.integers(0, 30)))
            for _ in range(2)
        )
        runs = (
            text[k:end] for k, end in itertools.combinations(range(len(text) + 1), 2)
        )
        longest = max((len(run) for run in runs if run in source), default=0)
        found = find_longest_copy(text, source)
        assert len(found) == longest
        assert found in text and found in source


def test_copies_of_the_training_text_are_told(gru, tmp_path, capsys, monkeypatch):
    from shared.inference import generate as command

    training = PLAY[: gru.config["data_facts"]["writing"]["stops"][0]]
    assert command.check_copies(gru, training[5:25]).startswith(
        "Copies: the longest run that stands in the training text word for word has 20 "
        "characters"
    )
    assert "has 0 characters" in command.check_copies(gru, "#§")

    def forget(config):
        config["settings"]["file"] = str(tmp_path / "gone.txt")

    gone = copy_run(gru, tmp_path, forget)
    assert "the training text is missing" in command.check_copies(gone, "to be")
    changed = tmp_path / "gone.txt"
    changed.write_text(PLAY + "x")
    assert "has changed since" in command.check_copies(gone, "to be")


BAD = {
    "unknown character": (["--prompt", "to b€"], "does not know the characters '€'"),
    "unknown letters": (["--prompt", "ROMEO"], "'R', 'O', 'M', 'E'"),
    "length of 0": (["--length", "0"], "--length 0"),
    "length in words": (["--length", "long"], "--length"),
    "negative temperature": (["--temperature", "-1"], "--temperature -1"),
    "no temperature": (["--temperature", "nan"], "--temperature nan"),
    "hot": (["--temperature", "1e9"], "--temperature"),
    "top-p of 0": (["--top-p", "0"], "--top-p 0"),
    "top-p above 1": (["--top-p", "1.1"], "--top-p 1.1"),
    "negative seed": (["--seed", "-1"], "--seed -1"),
    "empty stop": (["--stop", ""], "--stop"),
    "folder": (["--to", "/"], "--to /: is a folder"),
    "unknown flag": (["--prompts", "a"], "--prompts"),
}


@pytest.mark.parametrize(("flags", "message"), BAD.values(), ids=BAD)
def test_a_bad_flag_is_one_line(gru, capsys, flags, message):
    assert message in refuse(capsys, gru, *flags)


def test_unknown_words_of_a_prompt(lstm, capsys):
    line = refuse(capsys, lstm, "--prompt", "to sleep")
    assert "does not know the words ' sleep'" in line


def test_runs_that_write_nothing(sales, capsys):
    assert "writes no text; generate works with" in refuse(capsys, sales)


@pytest.mark.parametrize("change", ["lost", "other", "binary"])
def test_a_run_without_its_vocabulary(gru, tmp_path, capsys, change):
    run = copy_run(gru, tmp_path)
    path = run.path / "vocabulary.txt"
    if change == "lost":
        path.unlink()
    else:
        path.write_bytes(b"x\n" if change == "other" else b"\xff\xfe\n")
    assert str(path) in refuse(capsys, run)


def test_a_run_without_its_model(gru, tmp_path, capsys):
    run = copy_run(gru, tmp_path)
    shutil.copy(run.path / "config.json", run.path / "best.keras")
    assert "not the model of a run" in refuse(capsys, run)


def test_a_model_that_is_no_chain_is_refused():
    import_keras()
    from keras import Input, Model, layers

    ids = Input((None,))
    with pytest.raises(UserError, match="carries no state"):
        StateReader(Model(ids, layers.Embedding(5, 5)(ids)))
    both = layers.Add()([layers.Embedding(5, 5)(ids), layers.Embedding(5, 5)(ids)])
    with pytest.raises(UserError, match="several inputs"):
        StateReader(Model(ids, both))


def _file(run):
    from pathlib import Path

    return Path(run.settings["file"])
