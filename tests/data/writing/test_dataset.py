"""A text cut in order: no part reads the targets of a later one."""

import lzma
from pathlib import Path

import numpy as np
import pytest

from shared.core.errors import UserError
from shared.data.feeding import feed
from shared.data.padding import UNKNOWN
from shared.data.text.vocabulary import Vocabulary
from shared.data.windows import Streams
from shared.data.writing import source
from shared.data.writing.dataset import CONTEXT, SCORED, WritingConfig, load_writing
from shared.data.writing.pieces import (
    choose_tokens,
    number_text,
    split_text,
    take_start,
)

TEXT = "To be, or not to be:\nthat is the question.\n" * 100  # 4,300 characters


def load(tmp_path, text=TEXT, streams=4, **settings):
    path = tmp_path / "play.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    settings = {"steps": 8} | settings
    return load_writing(WritingConfig(file=path, **settings), streams)


def decode(data, ids):
    return "".join(data.vocabulary.decode(np.asarray(ids)))


@pytest.mark.parametrize("tokens", ["characters", "words"])
@pytest.mark.parametrize(
    "text",
    ["It's  so:\n\n\tO'Neil’s 3.5 €!", "气和玉烛，睿化著鸿明。\n", " a ", "\u2028x"],
)
def test_joined_tokens_are_the_text(text, tokens):
    assert "".join(split_text(text, tokens)) == text
    numbers, names = number_text(text, tokens)
    assert "".join(names[k] for k in numbers) == text
    pieces = split_text(text, tokens)
    assert take_start(text, tokens, 2) == "".join(pieces[:2])


def test_a_token_that_occurs_once_is_unknown():
    numbers, names = number_text("abacabbd", "characters")
    assert choose_tokens(numbers, names, 20).tokens == ("a", "b")  # three times each
    assert choose_tokens(numbers, names, 5).tokens == ("a",)


def test_parts_follow_each_other_and_each_token_is_scored_once(tmp_path):
    data = load(tmp_path, test_share=0.2, validation_share=0.1)
    first, middle, end = data.stops
    assert end == len(TEXT) == len(data.tokens)
    assert (middle - first, end - middle) == (SCORED, 3 * SCORED)
    assert decode(data, data.tokens) == TEXT
    for part, start, stop in ((data.validation, first, middle),
                              (data.test, middle, end)):  # fmt: skip
        assert np.asarray(part.targets).ravel().tolist() == (
            data.tokens[start:stop].tolist()
        )
        inputs = part.inputs.cut(slice(None))
        assert inputs.shape == (len(part), CONTEXT + SCORED)
        # the input of each scored step is the token before its target
        assert (inputs[:, CONTEXT + 1 :] == np.asarray(part.targets)[:, :-1]).all()
        assert inputs[0, CONTEXT] == data.tokens[start - 1]
    assert data.train.inputs.series.tolist() == data.tokens[:first].tolist()


def test_a_short_text_has_short_windows(tmp_path):
    data = load(tmp_path, TEXT[:200], streams=2)
    assert data.stops == (180, 190, 200)
    assert np.asarray(data.test.targets).shape == (1, 10)
    assert data.test.inputs.cut(slice(None)).shape == (1, 189 + 10)


def test_streams_go_on_where_they_ended():
    streams = Streams(np.arange(103), np.arange(0, 99, 4), steps=4)
    epochs = [streams.place(3, epoch) for epoch in range(3)]
    assert epochs[0].shape == (8, 3)  # 8 batches of 3 places and 4 steps: 96 of 103
    assert epochs[0][0].tolist() == [0, 34, 68]
    starts = np.concatenate(epochs)
    assert (np.diff(starts, axis=0) % 103 == 4).all()
    assert starts.max() < 103


def test_the_training_is_fed_as_streams(tmp_path):
    data = load(tmp_path)
    first = data.stops[0]
    stream = feed(data.train, 4, shuffle_seed=0)["x"]
    batches = [[part.numpy() for part in batch] for batch in stream]
    assert len(batches) == stream.cardinality() == first // (4 * 8)
    inputs, targets = (
        np.concatenate(part, axis=1) for part in zip(*batches, strict=True)
    )
    assert (inputs[:, 1:] == targets[:, :-1]).all()
    assert inputs[0].tolist() == data.tokens[: inputs.shape[1]].tolist()
    again = next(iter(stream))[0].numpy()  # the next epoch goes on
    assert (again[:, 0] == targets[:, -1]).all()


def test_the_vocabulary_comes_from_the_training_part(tmp_path):
    data = load(tmp_path, TEXT + "ZZZZ" * 20, test_share=0.05)
    assert "Z" not in data.vocabulary.tokens
    assert (data.tokens[-80:] == UNKNOWN).all()


@pytest.mark.parametrize("tokens", [("a", "\n", "\\", "\\n"), ("\r", " x", "，")])
def test_a_vocabulary_with_line_ends_is_written_and_read(tokens):
    vocabulary = Vocabulary(tokens)
    assert Vocabulary.from_text(vocabulary.to_text()) == vocabulary
    assert len(vocabulary.to_text().split("\n")) == len(tokens) + 1


@pytest.mark.parametrize("name", ["play.txt.xz", "Play One.TXT"])
def test_files_and_their_names(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(lzma.compress(TEXT.encode()) if name.endswith("xz") else
                     b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode())  # fmt: skip
    data = load_writing(WritingConfig(file=path, steps=8, limit=1000), 4)
    assert data.data == f"{name.lower().split('.')[0].replace(' ', '-')}-limit-1000"
    assert data.text == TEXT[:1000]


def test_chinese_of_windows_is_read(tmp_path):
    poem = "缇管一阳生。\n郊盛礼燔柴毕，旋轸凤凰城。\n" * 40
    data = load(tmp_path, poem.encode("gb18030"))
    assert decode(data, data.tokens) == poem


def test_without_a_file_and_network_a_sample_is_read(offline, capsys):
    data = load_writing(WritingConfig(limit=5000, steps=8), 4)
    assert data.data == "writing-sample-limit-5000"
    assert data.is_sample
    assert "no Shakespeare" in capsys.readouterr().out


def test_shakespeare_is_found_in_the_named_folder(tmp_path):
    with lzma.open(tmp_path / source.NAMES[2], "wt") as file:
        file.write(TEXT)
    data = load_writing(WritingConfig(data_dir=tmp_path, steps=8), 4)
    assert data.data == "shakespeare"
    assert data.text == TEXT


ONCE = "".join(map(chr, range(0x4E00, 0x4F00)))
BAD = {
    "empty": (b"", {}, "the text has 0 characters"),
    "zero byte": (b"abab\0abab" * 50, {}, "line 1 holds a zero byte"),
    "png": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4, {}, "no text"),
    "mixed encodings": ("ö".encode() * 60 + b"\xf6\xf6 " * 9, {}, "no text in utf-8"),
    "too short": (b"abcabc", {}, "the text has 6 characters"),
    "short for the batch": (TEXT[:300].encode(), {"streams": 64}, "--batch-size 64"),
    "long steps": (TEXT.encode(), {"steps": 2000}, "--steps 2000"),
    "all once": (ONCE.encode(), {"streams": 1}, "no token of the text occurs"),
    "unknown encoding": (TEXT.encode(), {"encoding": "utf-99"}, "--encoding"),
    "small validation": (TEXT[:300].encode(), {"validation_share": 0.001},
                         "--validation-share 0.001"),
    "small test": (TEXT[:300].encode(), {"test_share": 0.001}, "--test-share 0.001"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "settings", "message"), BAD.values(), ids=BAD)
def test_a_bad_text_is_one_line(tmp_path, content, settings, message):
    with pytest.raises(UserError) as caught:
        load(tmp_path, content, **settings)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


FLAGS = {
    "vocabulary": ({"vocabulary": 0}, "--vocabulary 0"),
    "vocabulary of no token": ({"vocabulary": 4}, "--vocabulary 4"),
    "huge vocabulary": ({"vocabulary": 10**12}, "--vocabulary"),
    "steps": ({"steps": 0}, "--steps 0"),
    "embedding": ({"embedding_size": 0}, "--embedding-size 0"),
    "limit": ({"limit": 3}, "--limit 3"),
    "share above 1": ({"test_share": 1.5}, "--test-share 1.5"),
    "share of 0": ({"validation_share": 0.0}, "--validation-share 0.0"),
    "both shares": ({"test_share": 0.6, "validation_share": 0.5}, "no text to train"),
    "sample and file": ({"data": "sample", "file": "x.txt"}, "omit one"),
    "sample and folder": ({"data": "sample", "data_dir": "x"}, "omit one"),
    "file and folder": ({"file": "x.txt", "data_dir": "x"}, "omit one"),
    "folder as file": ({"file": "."}, "is a folder"),
}


@pytest.mark.parametrize(("settings", "message"), FLAGS.values(), ids=FLAGS)
def test_a_bad_flag_is_one_line(settings, message):
    settings = {
        name: Path(value) if name in ("file", "data_dir") else value
        for name, value in settings.items()
    }
    with pytest.raises(UserError, match=r".") as caught:
        WritingConfig(**settings).validate()
    assert message in str(caught.value)


def test_a_missing_file_is_one_line(tmp_path):
    with pytest.raises(UserError, match="there is no such file"):
        load_writing(WritingConfig(file=tmp_path / "none.txt"), 4)
