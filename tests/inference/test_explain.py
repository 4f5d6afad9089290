"""`make explain`: known answers, real runs, and bad inputs."""

import csv
import itertools

import numpy as np
import pytest

from shared.core.backend import import_keras
from shared.core.errors import UserError
from shared.inference.explain.__main__ import main as explain
from shared.inference.explain.attribution import TokenAttributor
from shared.inference.explain.deletion import check_by_deletion, remove
from shared.inference.explain.gates import read_gates, trace_layer
from shared.inference.explain.texts import (
    MOST_WORDS,
    TextExplainer,
    cut_prefixes,
    take_tokens,
    tokenize,
)
from shared.inference.explain.windows import explain_window
from shared.inference.explain.writers import show_token
from shared.inference.export.interface import take_inputs
from shared.inference.load_model import load_model
from shared.inference.rebuild import rebuild_run
from shared.inference.text_predict import classify
from shared.inference.text_run import read_text_reader
from tests.inference.forecasts import copy_run
from tests.inference.test_predict_text import train_characters
from tests.recipes.own_texts import train_texts
from tests.recipes.own_writings import train_writer
from tests.recipes.training_runs import mark_slow, train_reviews, train_series

pytestmark = [
    pytest.mark.xdist_group("inference"),
    pytest.mark.usefixtures("undrawn"),
]


@pytest.fixture
def table_run(train_once):
    """Words, any length, padding on the left and skipped."""
    return train_once(train_texts, "text_gru").run


@pytest.fixture
def character_run(train_once):
    """Eleven characters, padding on the right and read."""
    return train_once(train_characters, "characters").run


@pytest.fixture
def best_run(train_once):
    return train_once(train_texts, "text_best").run


@pytest.fixture
def reviews_run(train_once):
    flags = ["--data", "sample", "--limit", "40", "--epochs", "1"]
    return train_once(train_reviews, "imdb_gru", *flags).run


@pytest.fixture
def writer_run(train_once):
    return train_once(train_writer, "writer_gru", "--layers", "2").run


@pytest.fixture
def vowel_run(train_once):
    return train_once(train_series, "vowel_gru", "--epochs", "1").run


@pytest.fixture
def sum_run(train_once):
    return train_once(train_series, "sum_gru", "--epochs", "1").run


def build_linear(vectors, weights, bias, activation="linear"):
    """Return a network of texts of some length: its output is weights @ vectors + b."""
    import_keras()
    from keras import Input, Model, layers

    steps = len(weights) // vectors.shape[1]
    ids = Input((steps,), dtype="int32")
    flat = layers.Flatten()(layers.Embedding(*vectors.shape, name="words")(ids))
    model = Model(ids, layers.Dense(1, activation=activation, name="one")(flat))
    model.get_layer("words").set_weights([vectors])
    model.get_layer("one").set_weights([weights[:, None], np.array([bias])])
    return model


def test_of_a_linear_network_a_word_adds_weight_times_vector():
    random = np.random.default_rng(0)
    vectors, weights = random.normal(size=(7, 3)), random.normal(size=12)
    model = build_linear(vectors, weights, bias=0.25)
    ids = np.array([[1, 4, 2, 6], [3, 3, 0, 5]], np.int32)
    found = TokenAttributor(model).attribute(ids, np.zeros(2, int))
    for one, row in zip(found, ids, strict=True):
        expected = (vectors[row] * weights.reshape(4, 3)).sum(axis=1)
        assert one.integrated == pytest.approx(expected, abs=1e-5)
        assert one.gradient == pytest.approx(expected, abs=1e-5)
        assert one.baseline == pytest.approx(0.25, abs=1e-6)
        assert one.output == pytest.approx(0.25 + expected.sum(), abs=1e-5)
        inverted = one.invert()
        assert inverted.output == pytest.approx(0.75 - expected.sum(), abs=1e-5)
        assert inverted.integrated == pytest.approx(-expected, abs=1e-5)


def build_reader(kind, mask, steps=None, **settings):
    """Return a small network: two embeddings, one recurrent layer, three classes."""
    import_keras()
    from keras import Input, Model, layers, utils

    utils.set_random_seed(0)
    ids = Input((steps,), dtype="int32")
    vectors = [
        layers.Embedding(9, 4, mask_zero=mask, embeddings_initializer="normal")(ids)
        for _ in range(2)
    ]
    both = layers.Add()(vectors)
    layer = getattr(layers, kind)(3, bias_initializer="normal", **settings)
    model = Model(ids, layers.Dense(3, activation="softmax")(layer(both)))
    for one in model.layers:
        if one.get_weights() and hasattr(one, "embeddings"):
            one.set_weights([weight * 20 for weight in one.get_weights()])
    return model, layer


@pytest.mark.parametrize("kind", ["GRU", "LSTM", "SimpleRNN"])
def test_integrated_gradients_are_complete(kind):
    """Their sum is the output minus that of vectors of zeros; the padding adds 0."""
    model, _ = build_reader(kind, mask=True)
    ids = np.array([[0, 0, 1, 5, 8, 2]], np.int32)
    outputs = model.predict(ids, verbose=0)[0]
    attributor = TokenAttributor(model)
    moves, sums = [], []
    for number in range(3):
        (found,) = attributor.attribute(ids, np.array([number]))
        assert found.output == pytest.approx(outputs[number], abs=1e-6)
        moves.append(found.output - found.baseline)
        sums.append(found.gradient.sum())
        assert found.integrated.sum() == pytest.approx(moves[-1], abs=1e-3)
        assert found.integrated[:2].tolist() == [0, 0]
    assert np.abs(moves).max() > 0.02
    assert np.array(sums) != pytest.approx(moves, abs=5e-3)  # only the path is complete
    # The network itself is as before.
    assert model.predict(ids, verbose=0)[0] == pytest.approx(outputs, abs=1e-6)


def test_a_network_without_an_embedding_has_no_words():
    import_keras()
    from keras import Input, Model, layers

    values = Input((3, 1))
    with pytest.raises(ValueError, match="no embedding"):
        TokenAttributor(Model(values, layers.GRU(2)(values)))


PADDED = {"left": [0, 0, 1, 5, 8, 2], "right": [1, 5, 8, 2, 0, 0]}
KINDS = ["GRU", "LSTM", "SimpleRNN"]


@pytest.mark.parametrize(
    ("kind", "side", "mask", "backwards"),
    [*itertools.product(KINDS, PADDED, [True], [False, True]),
     ("GRU", "left", False, False), ("GRU", "right", False, True)],
)  # fmt: skip
def test_the_states_are_those_of_keras(kind, side, mask, backwards):
    from keras import Model

    model, layer = build_reader(
        kind, mask, go_backwards=backwards, return_sequences=True
    )
    ids = np.array(PADDED[side], np.int32)
    trace = trace_layer(model, layer, [ids])
    outputs = Model(model.input, layer.output).predict(ids[None], verbose=0)[0]
    states = trace.states[0][0]
    assert states.shape == (7, 3)
    assert states[1:] == pytest.approx(outputs, abs=1e-5)
    gates = read_gates(model, [ids])
    order = slice(None, None, -1) if backwards else slice(None)
    moved = np.abs(np.diff(states, axis=0))[order]
    assert gates.active[:, 0].tolist() == (moved.argmax(axis=1) + 1).tolist()
    assert gates.moved[:, 0] == pytest.approx(moved.max(axis=1))
    expected = {"GRU": 2, "LSTM": 3, "SimpleRNN": 0}[kind]
    assert len(gates.means) == expected
    if mask:
        padding = slice(0, 2) if side == "left" else slice(4, 6)
        assert not gates.moved[padding].any()


@pytest.mark.parametrize("backwards", [False, True])
def test_gates_by_hand(backwards):
    """Only the update gate reads the input: it is the sigmoid of it at each step."""
    import_keras()
    from keras import Input, Model, layers

    values = Input((4, 1))
    layer = layers.GRU(2, go_backwards=backwards)
    model = Model(values, layer(values))
    layer.set_weights(
        [np.array([[1.0, 3, 0, 0, 0, 0]]), np.zeros((2, 6)), np.zeros((2, 6))]
    )
    x = np.array([[0.5], [-1], [2], [0]], np.float32)
    gates = read_gates(model, [x])
    sigmoid = 1 / (1 + np.exp(-x * [1, 3]))
    assert gates.means["update gate"] == pytest.approx(sigmoid.mean(axis=1))
    assert gates.means["reset gate"].tolist() == [0.5] * 4
    taken = gates.take(np.array([2, 0]))
    assert taken.means["update gate"] == pytest.approx(sigmoid.mean(axis=1)[[2, 0]])
    assert list(taken.to_cells(0)) == ["update_gate", "reset_gate", "most_active_units"]


def test_a_network_without_known_gates_shows_none():
    import_keras()
    from keras import Input, Model, layers

    values = Input((4, 1))
    assert read_gates(Model(values, layers.Dense(1)(values)), []) is None
    elu = Model(values, layers.GRU(2, activation="elu")(values))
    assert read_gates(elu, [np.zeros((4, 1))]) is None


def test_prefixes_are_padded_on_the_same_side():
    ids = np.array([0, 0, 1, 7, 8], np.int32)
    left = cut_prefixes(ids, np.array([3, 4]), "left")
    assert left.tolist() == [[0, 0, 0, 1, 7], [0, 0, 1, 7, 8]]
    ids = np.array([7, 8, 9, 0, 0], np.int32)  # cut: no start
    right = cut_prefixes(ids, np.array([0, 1, 2]), "right")
    assert right.tolist() == [[7, 0, 0, 0, 0], [7, 8, 0, 0, 0], [7, 8, 9, 0, 0]]


def load_explainer(run):
    import_keras()
    reader = read_text_reader(run)
    model = load_model(run.path, restore=False)
    explainer = TextExplainer(model, reader.facts.padding, tuple(run.task.classes))
    return explainer, reader


@pytest.mark.parametrize(
    "name", mark_slow(["table_run", "character_run", "reviews_run"], ["table_run"])
)
def test_the_curve_is_what_predict_says_of_each_beginning(name, request):
    run = request.getfixturevalue(name)
    explainer, reader = load_explainer(run)
    words = {
        "table_run": ["Visit", "the", "food", "was", "great", "zzz", "and", "slow"],
        "character_run": list("food great"),
        "reviews_run": [word for word in reader.vocabulary.tokens if word][:5],
    }[name]
    join = "" if name == "character_run" else " "
    found = explainer.explain(tokenize(reader, join.join(words)))
    assert found.text.words == [word.lower() for word in words]
    assert found.text.left_out == 0
    starts = [join.join(words[: k + 1]) for k in range(len(words))]
    if name == "character_run":  # a space at the end is no character
        starts = [start for start in starts if not start.endswith(" ")]
    expected = classify(run, reader, starts, "", []).probabilities
    shown = [k for k, word in enumerate(words) if word != " "]
    assert found.after[shown] == pytest.approx(expected, abs=1e-5)
    assert found.after.sum(axis=1) == pytest.approx(np.ones(len(words)), abs=1e-5)
    assert found.attribution.output == pytest.approx(
        found.after[-1, found.chosen], abs=1e-5
    )
    assert len(found.gates.means["update gate"]) == len(words)
    quick = explainer.read_curve(found.text)
    assert quick.attribution is None
    assert quick.after == pytest.approx(found.after, abs=1e-6)


def test_of_a_long_text_only_the_words_that_are_read_are_shown(character_run):
    _, reader = load_explainer(character_run)
    text = tokenize(reader, "The food was great!")  # 19 characters; keeps the end
    assert "".join(text.words) == "was great!"[-10:].rjust(11)
    assert (len(text.words), text.left_out) == (11, 8)
    assert text.known.shape == (11,)


def test_a_test_example_keeps_words_that_are_not_known(table_run):
    _, reader = load_explainer(table_run)
    ids = reader.read(["great zzz food"])[0]
    text = take_tokens(reader, ids)
    assert text.words == ["great", "<unknown>", "food"]
    assert text.known.tolist() == [True, False, True]
    with pytest.raises(UserError, match="knows none of the words"):
        take_tokens(reader, reader.read(["zzz qqq"])[0])


def test_deleting_the_word_that_decides_moves_the_answer():
    """Word 5 alone decides. Among ten words, chance removes it every fifth time."""
    vectors = np.zeros((9, 1))
    vectors[5] = 8
    model = build_linear(vectors, np.ones(10), bias=-4, activation="sigmoid")
    random = np.random.default_rng(0)
    texts = random.integers(6, 9, (60, 10)).astype(np.int32)
    texts[np.arange(60), random.integers(0, 10, 60)] = 5
    explainer = TextExplainer(model, "left", ("no", "yes"))
    check = check_by_deletion(explainer, texts, "left")
    high, low = 1 / (1 + np.exp(-4)), 1 / (1 + np.exp(4))
    assert check.important == pytest.approx(np.full(60, high - low), abs=1e-5)
    assert 0.05 < check.random.mean() < 0.4
    assert "finds words that matter" in check.describe()
    # Where no word matters, the check says so.
    model.get_layer("words").set_weights([np.zeros((9, 1))])
    check = check_by_deletion(explainer, texts, "left")
    assert check.important == pytest.approx(np.zeros(60))
    assert "no better words than chance" in check.describe()
    short = np.array([[0] * 9 + [5]], np.int32)
    none = check_by_deletion(explainer, short, "left")
    assert "no test text has two words" in none.describe()


def test_words_are_removed_without_a_gap():
    left = np.array([0, 1, 7, 8, 9])
    assert remove(left, np.array([2, 4]), "left").tolist() == [0, 0, 0, 1, 8]
    right = np.array([1, 7, 8, 9, 0])
    assert remove(right, np.array([2]), "right").tolist() == [1, 7, 9, 0, 0]


def run_explain(run, folder, *flags):
    """Return the rows of the table, and the folder."""
    to = folder / "found"
    explain([str(run.path), "--to", str(to), *flags])
    with (to / "explanation.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file)), to


def test_the_command_writes_three_files(table_run, tmp_path, capsys):
    text = "Great food <script>alert(1)</script> & slow"
    rows, to = run_explain(table_run, tmp_path, "--text", text)
    assert sorted(path.name for path in to.iterdir()) == [
        "explanation.csv", "explanation.html", "explanation.png",
    ]  # fmt: skip
    assert [row["word"] for row in rows][:4] == ["great", "food", "<", "script"]
    assert {"p(good) after it", "integrated_gradients", "update_gate"} <= set(rows[0])
    printed = capsys.readouterr().out
    assert "The answer is " in printed and "Deletion check on 9 test texts" in printed
    assert "The network does not know" in printed and "for it: " in printed


def test_an_example_of_the_test_part(reviews_run, tmp_path, capsys):
    rows, _ = run_explain(reviews_run, tmp_path, "--example", "3", "--checked", "0")
    test = rebuild_run(reviews_run).data.test
    ids = test.inputs[3]
    assert len(rows) == (ids > 1).sum()
    model = load_model(reviews_run.path)
    share = float(model.predict(ids[None], verbose=0)[0, 0])
    assert float(rows[-1]["p(positive) after it"]) == pytest.approx(share, abs=1e-4)
    assert "check was not made (--checked 0)" in capsys.readouterr().out


@pytest.mark.slow
def test_an_ensemble_with_n_grams_says_what_is_not_attributed(
    best_run, tmp_path, capsys
):
    rows, _ = run_explain(best_run, tmp_path, "--text", "great food", "--checked", "0")
    assert len(rows) == 2
    assert "that of the networks only" in capsys.readouterr().out


def test_missing_data_omit_the_check_only(table_run, tmp_path, capsys):
    def forget(config):
        config["settings"]["file"] = str(tmp_path / "gone.csv")

    run = copy_run(table_run, tmp_path, forget)
    rows, _ = run_explain(run, tmp_path, "--text", "great food")
    assert len(rows) == 2
    printed = capsys.readouterr().out
    assert "The deletion check was not made, since the data are missing" in printed


def test_a_forecast_is_the_sum_of_what_the_steps_add(sales, tmp_path):
    """Of a linear network, exactly: from the window that repeats its latest step."""
    rows, to = run_explain(sales, tmp_path, "--example", "2")
    assert sorted(path.name for path in to.iterdir()) == [
        "explanation.csv", "explanation.html", "explanation.png",
    ]  # fmt: skip
    test = rebuild_run(sales).data.test
    model = load_model(sales.path)
    window = take_inputs(test, slice(2, 3))[0]
    flat = np.repeat(window[:, -1:], window.shape[1], axis=1)
    moved = (model.predict(window, verbose=0) - model.predict(flat, verbose=0))[0]
    for ahead in (1, 2, 3):
        parts = [
            float(row["integrated_gradients"])
            for row in rows
            if row["step_ahead"] == str(ahead)
        ]
        assert len(parts) == window[0].size
        assert sum(parts) == pytest.approx(float(moved.ravel()[ahead - 1]), abs=1e-4)
    assert {row["step"] for row in rows} == {str(-k) for k in range(6)}
    assert {row["column"] for row in rows} >= {"sales"}


def test_of_a_long_horizon_some_steps_are_explained():
    import_keras()
    from keras import Input, Model, layers

    values = Input((4, 2))
    model = Model(values, layers.Dense(20)(layers.Flatten()(values)))
    window = np.arange(8, dtype=np.float32).reshape(4, 2)
    found = explain_window(model, [window], ["a", "b"], 20)
    assert found.ahead == [1, 5, 9, 12, 16, 20]
    assert found.by_step.shape == (6, 4, 2)
    assert not found.by_step[:, -1].any()  # the path does not change the latest step


def test_the_chances_of_a_writer_are_those_of_its_network(writer_run, tmp_path):
    rows, to = run_explain(writer_run, tmp_path, "--text", "not to be")
    assert (to / "explanation.html").exists() and (to / "explanation.png").exists()
    assert "".join(row["token"] for row in rows) == "not␣to␣be"
    model = load_model(writer_run.path)
    from shared.data.text.vocabulary import Vocabulary

    content = (writer_run.path / "vocabulary.txt").read_text()
    vocabulary = Vocabulary.from_text(content)
    ids = [vocabulary.find(letter) for letter in "\nnot to be"]
    logits = model.predict(np.array([ids[:-1]]), verbose=0)[0].astype(float)
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    for row, share, number in zip(rows, shares, ids[1:], strict=True):
        assert float(row["probability"]) == pytest.approx(share[number], rel=2e-3)
        assert float(row["bits"]) == pytest.approx(-np.log2(share[number]), abs=2e-3)
        best = 4 + np.argsort(-share[4:])[:5]
        names = [show_token(vocabulary.tokens[k - 4]) for k in best]
        assert [row[f"guess_{n}"] for n in range(1, 6)] == names
        chances = [float(row[f"p(guess_{n})"]) for n in range(1, 6)]
        assert chances == pytest.approx(share[best], abs=1e-4)
    rows, _ = run_explain(writer_run, tmp_path / "example", "--example", "0")
    assert len(rows) > 20


def test_the_gates_of_a_writer_are_those_of_its_first_layer(writer_run, tmp_path):
    rows, to = run_explain(writer_run, tmp_path, "--text", "not to")
    model = load_model(writer_run.path, restore=False)
    embedding, carried = model.layers[1:3]
    ids = take_writer_ids(writer_run, "\nnot to")
    vectors = np.asarray(embedding(ids))
    kernel, recurrent, bias = map(np.asarray, carried.layer.get_weights())
    units = carried.layer.units
    state = np.zeros(units)
    for k, vector in enumerate(vectors):
        inner = recurrent, bias[1]
        parts = (vector @ kernel + bias[0]).reshape(3, units)
        more = (state @ inner[0] + inner[1]).reshape(3, units)
        update, reset = (1 / (1 + np.exp(-(parts[j] + more[j]))) for j in (0, 1))
        new = np.tanh(parts[2] + reset * more[2])
        moved, state = state, update * state + (1 - update) * new
        if k:  # the line end before the text is not shown
            row = rows[k - 1]
            assert float(row["update_gate"]) == pytest.approx(update.mean(), abs=1e-4)
            assert float(row["reset_gate"]) == pytest.approx(reset.mean(), abs=1e-4)
            first = int(row["most_active_units"].split()[0]) - 1
            assert first == np.abs(state - moved).argmax()
    assert "Gates, mean over the units" in (to / "explanation.html").read_text()


def take_writer_ids(run, text):
    from shared.data.text.vocabulary import Vocabulary

    vocabulary = Vocabulary.from_text((run.path / "vocabulary.txt").read_text())
    return np.array([vocabulary.find(letter) for letter in text], np.int32)


def test_the_chances_of_vowels(vowel_run, tmp_path):
    from shared.data.generated.vowels import VOWELS, encode, parse_vowels

    rows, _ = run_explain(vowel_run, tmp_path, "--text", "aeiouae")
    assert [row["token"] for row in rows] == list("uae")  # four are only read
    model = load_model(vowel_run.path)
    text = parse_vowels("aeiouae")
    for k, row in enumerate(rows):
        (shares,) = model.predict(encode(text[None, k : k + 4]), verbose=0)
        expected = shares[VOWELS.index(row["token"])]
        assert float(row["probability"]) == pytest.approx(expected, rel=2e-3)
        assert row["guess_1"] == VOWELS[int(shares.argmax())]
    rows, _ = run_explain(vowel_run, tmp_path / "example", "--example", "1")
    test = rebuild_run(vowel_run).data.test
    first = VOWELS[int(test.targets[1])]
    assert rows[0]["token"] == first


BAD = {
    "unknown words only": (
        "table_run", ["--text", "zzz qqq"], "the network knows none of the words",
    ),
    "no word at all": (
        "reviews_run", ["--text", "!!! ???"], "the network knows none of the words",
    ),
    "an empty text": ("table_run", ["--text", "  "], "--text: the text is empty"),
    "an empty file": ("table_run", ["--file", "{empty}"], "is empty"),
    "no such file": ("table_run", ["--file", "{gone}"], "gone.txt"),
    "a folder": ("table_run", ["--file", "{folder}"], "{folder}"),
    "100,000 words": (
        "table_run", ["--file", "{long}"],
        f"the text has 100,000 words; at most {MOST_WORDS:,} are accepted",
    ),
    "a million characters": (
        "table_run", ["--file", "{huge}"], "the text has 1,000,001 characters",
    ),
    "nothing": ("table_run", [], 'pass one of TEXT="..." (--text)'),
    "two questions": (
        "table_run", ["--text", "great", "--example", "1"], "pass one of TEXT=",
    ),
    "an example out of range": (
        "table_run", ["--example", "9"],
        "--example 9: the test part has the examples 0 to 8",
    ),
    "a negative example": ("table_run", ["--example=-1"], "--example -1"),
    "a negative check": (
        "table_run", ["--text", "great", "--checked=-1"], "--checked -1: takes 0",
    ),
    "a text for a forecast": (
        "sales", ["--text", "great"], "series-linear reads no texts",
    ),
    "a window out of range": ("sales", ["--example", "9999"], "--example 9999"),
    "another task": ("sum_run", [], "sum-gru cannot be explained"),
    "unknown characters of a writer": (
        "writer_run", ["--text", "to b€"], "--text 'to b€': the network does not know",
    ),
    "a short text of vowels": (
        "vowel_run", ["--text", "aeio"], "must read 4 before it expects anything",
    ),
    "a long text of a writer": (
        "writer_run", ["--file", "{play}"], "at most 5,000 are explained",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("name", "flags", "message"), BAD.values(), ids=BAD)
def test_a_bad_question_is_one_line(request, tmp_path, capsys, name, flags, message):
    run = copy_run(request.getfixturevalue(name), tmp_path)
    contents = {"empty": "", "long": "great " * 100_000, "huge": "a" * 1_000_001,
                "play": "to be" * 2_000}  # fmt: skip
    places = {key: tmp_path / f"{key}.txt" for key in [*contents, "gone"]}
    places["folder"] = tmp_path
    for key, content in contents.items():
        places[key].write_text(content)
    before = sorted(run.path.rglob("*"))
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        explain([str(run.path), *(flag.format(**places) for flag in flags)])
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert message.format(**places) in line
    assert sorted(run.path.rglob("*")) == before


@pytest.mark.parametrize("name", ["table_run", "writer_run", "sales"])
def test_a_run_without_its_model_is_one_line(request, tmp_path, capsys, name):
    run = copy_run(request.getfixturevalue(name), tmp_path)
    (run.path / "best.keras").unlink()
    before = sorted(run.path.rglob("*"))
    flags = [] if name == "sales" else ["--text", "to be great"]
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        explain([str(run.path), *flags])
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "not the model of a run, or damaged" in line
    assert sorted(run.path.rglob("*")) == before


def test_an_existing_folder_stays(table_run, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        explain([str(table_run.path), "--text", "great", "--to", str(tmp_path)])
    assert ended.value.code == 2
    assert "exists; name another" in capsys.readouterr().err
