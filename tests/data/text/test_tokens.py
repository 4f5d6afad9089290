"""Tokens, vocabulary and copies of texts, worked by hand."""

import numpy as np
import pytest

from shared.core.errors import UserError
from shared.data.text.grouping import draw_part, group_copies
from shared.data.text.tokens import Tokenizer, choose_tokens, needs_segments
from shared.data.text.vocabulary import (
    Vocabulary,
    index_tokens,
    learn_vocabulary,
    number_tokens,
)


def test_words_are_lower_case_and_punctuation_is_apart():
    split = Tokenizer("words").split
    assert split("It's GOOD, isn’t it?") == ["it's", "good", ",", "isn’t", "it", "?"]
    assert split("ＧＯＯＤ １００％") == ["good", "100", "%"]
    assert split("naïve café 3.5") == ["naïve", "café", "3", ".", "5"]
    assert split("  ") == []


def test_characters_keep_one_space():
    assert Tokenizer("characters").split(" 好吃，  OK\n!") == list("好吃, ok !")


@pytest.mark.parametrize(
    ("text", "tokens", "segments"),
    [
        ("很好吃 OK", "characters", True),
        ("とてもおいしい", "characters", True),
        ("아주 맛있어요", "characters", False),
        ("very good 好", "words", False),
        ("очень вкусно", "words", False),
        ("123 !?", "words", False),
    ],
)
def test_the_script_decides_what_is_read(text, tokens, segments):
    assert choose_tokens([text]) == tokens
    assert needs_segments([text]) == segments


def test_words_of_chinese_need_a_package(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "rjieba", None)
    with pytest.raises(UserError, match=r"rjieba.*--tokens characters"):
        Tokenizer("words", segments=True)


def test_the_vocabulary_is_that_of_the_training_texts():
    texts = [["b", "a", "b"], ["c"], ["a", "d", "d", "d"]]
    indexed, tokens = index_tokens(texts)
    assert tokens == ["b", "a", "c", "d"]
    vocabulary = learn_vocabulary(indexed, tokens, np.array([0, 1]), 6)
    assert vocabulary == Vocabulary(("b", "a"))  # c is as rare as a, and after it
    assert vocabulary.size == 6
    numbered = number_tokens(indexed, tokens, vocabulary)
    assert [numbered[k].tolist() for k in range(3)] == [
        [1, 4, 5, 4], [1, 2], [1, 5, 2, 2, 2],
    ]  # fmt: skip
    encoded = vocabulary.encode(texts)
    assert encoded.tokens.tolist() == numbered.tokens.tolist()
    assert encoded.offsets.tolist() == numbered.offsets.tolist()
    assert vocabulary.decode(np.array([0, 1, 2, 3, 4, 5])) == [
        "<pad>", "<start>", "<unknown>", "<unused>", "b", "a",
    ]  # fmt: skip


def test_no_text_at_all_has_no_tokens():
    indexed, tokens = index_tokens([[], []])
    vocabulary = learn_vocabulary(indexed, tokens, np.array([0]), 10)
    assert number_tokens(indexed, tokens, vocabulary).tokens.tolist() == [1, 1]


def test_copies_have_one_number():
    texts = ["Good!", "good", "ＧＯＯＤ ", "bad", "!!", "??", "!!"]
    assert group_copies(texts).tolist() == [0, 0, 0, 1, 2, 3, 2]


def test_a_part_has_its_share_of_every_class_and_no_copy_outside():
    random = np.random.default_rng(0)
    labels = np.array([0] * 100 + [1] * 10 + [2] * 2)
    groups = np.arange(112)
    groups[:50] = np.arange(50) // 2  # 25 pairs of copies
    drawn = draw_part(labels, groups, 0.2, random)
    counts = np.bincount(labels[drawn], minlength=3)
    assert abs(counts[0] - 20) <= 1
    assert counts[1:].tolist() == [2, 1]
    assert not set(groups[drawn]) & set(groups[~drawn])
