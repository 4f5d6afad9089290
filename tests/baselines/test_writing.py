"""n-grams of a text by hand, and compressors."""

import bz2
import math
from collections import Counter

import numpy as np
import pytest

from shared.baselines.writing import score_ngrams, writing_baselines
from shared.data.writing.dataset import WritingConfig, load_writing


def smooth_slowly(text, history, size):
    """Return the probability of each id after a history, by the definition.

    Interpolated Kneser-Ney with one discount per count, without any array.
    """
    order = len(history) + 1

    def count(length, is_longest):
        grams = Counter(
            tuple(text[k : k + length]) for k in range(len(text) - length + 1)
        )
        if is_longest:
            return grams
        longer = {tuple(text[k : k + length + 1]) for k in range(len(text) - length)}
        return Counter(gram[1:] for gram in longer)

    shares = np.full(size, 1 / size)
    for length in range(1, order + 1):
        counts = count(length, length == order)
        seen = {tuple(text[k : k + length]) for k in range(len(text) - length + 1)}
        of = Counter(min(counts[gram], 5) for gram in seen)
        if of[1] and of[2]:
            y = of[1] / (of[1] + 2 * of[2])
            one, two = 1 - 2 * y * of[2] / of[1], 2 - 3 * y * of[3] / of[2]
            three = 3 - 4 * y * of[4] / of[3] if of[3] else two
            discounts = [0, *np.clip([one, two, three], 0.05, [1, 2, 3])]
        else:
            discounts = [0, 0.5, 0.5, 0.5]
        context = tuple(history[len(history) - length + 1 :])
        own = {g: counts[g] for g in seen if g[:-1] == context}
        total = sum(own.values())
        if not total:
            continue
        taken = {g: min(discounts[min(n, 3)], n) for g, n in own.items()}
        shares = sum(taken.values()) / total * shares
        for gram, number in own.items():
            shares[gram[-1]] += (number - taken[gram]) / total
    return shares


@pytest.mark.parametrize("length", [1, 2, 3, 4])
def test_ngrams_are_those_of_the_definition(length):
    random = np.random.default_rng(length)
    text = random.choice(5, 400, p=[0.4, 0.3, 0.15, 0.1, 0.05])
    scored = random.integers(0, 6, 12)  # id 5 is never in the training text
    found = score_ngrams(np.concatenate([text, scored]), 400, 6, 4)[length - 1]
    whole = np.concatenate([text, scored]).tolist()
    for k, token in enumerate(scored):
        history = whole[400 + k - length + 1 : 400 + k]
        expected = smooth_slowly(text.tolist(), history, 6)
        assert expected.sum() == pytest.approx(1)
        assert found[k] == pytest.approx(expected[token], rel=1e-9)


def load(tmp_path, text):
    (tmp_path / "t.txt").write_text(text, encoding="utf-8")
    return load_writing(WritingConfig(file=tmp_path / "t.txt", steps=8), 4)


def test_the_baselines_of_a_text(tmp_path, capsys):
    random = np.random.default_rng(0)
    text = "".join(random.choice(list("abcd \n"), 20_000)) + "é"  # an unknown character
    data = load(tmp_path, text)
    frequencies, ngrams, xz, bzip2 = writing_baselines(data)
    assert frequencies.name == "character frequencies"
    bits = "bits_per_character"
    # six equally likely characters; the é costs more, one of 1,024
    rare = -math.log2(1 / (data.stops[0] + data.vocabulary.size) / 149_813)
    count = data.stops[2] - data.stops[1]
    expected = math.log2(6) + (rare - math.log2(6)) / count
    assert frequencies.test[bits] == pytest.approx(expected, abs=0.01)
    assert ngrams.test[bits] == pytest.approx(expected, abs=0.02)  # no memory helps
    assert xz.test[bits] > math.log2(6)
    sizes = [len(bz2.compress(text[:stop].encode(), 9)) for stop in data.stops[1:]]
    assert bzip2.test[bits] == 8 * (sizes[1] - sizes[0]) / count
    for one in (frequencies, ngrams, xz, bzip2):
        assert one.test["loss"] == pytest.approx(one.test[bits] * math.log(2))
    assert capsys.readouterr().out.count("Counting") == 1
    again = writing_baselines(data)
    assert "Counting" not in capsys.readouterr().out
    assert [one.test for one in again] == [
        one.test for one in (frequencies, ngrams, xz, bzip2)
    ]


def test_words_have_no_compressor(tmp_path):
    (tmp_path / "t.txt").write_text("it is what it is\n" * 200)
    config = WritingConfig(file=tmp_path / "t.txt", steps=8, tokens="words")
    names = [one.name for one in writing_baselines(load_writing(config, 4))]
    assert names[0] == "word frequencies"
    assert len(names) == 2
