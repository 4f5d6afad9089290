"""A training that begins with the trained weights of another run."""

import numpy as np
import pytest

from shared.commands.fine_tune import name_run
from shared.inference.load_model import load_model
from shared.runs.groups import choose_runs, group_runs
from shared.training.fine_tune import _match_rows, _name_kind
from tests.recipes.own_texts import make_rows as make_texts
from tests.recipes.own_texts import read_vocabulary, train_texts, write_table
from tests.toy.train import toy_recipes, train_toy
from tests.undrawn import leave_undrawn

FROZEN = ["--learning-rate", "1e-30"]  # the weights after an epoch are the first ones


def read_weights(run, layer):
    return [np.asarray(v) for v in load_model(run.path).get_layer(layer).get_weights()]


@pytest.fixture
def toys(undrawn):
    with toy_recipes():
        yield


def test_the_trained_weights_are_the_first_ones(tmp_path, toys, capsys):
    source = train_toy("toy_level", tmp_path, "--level", "3")
    capsys.readouterr()
    child = train_toy("toy_level", tmp_path, "--from", str(source.path), *FROZEN)
    name = name_run(source)
    printed = capsys.readouterr().out
    assert f"Begins with the weights of {name}: 2 of 2 layers." in printed
    for layer in ("gru", "level"):
        before, after = read_weights(source, layer), read_weights(child, layer)
        assert all(np.array_equal(*pair) for pair in zip(before, after, strict=True))
    assert child.settings["from_run"] == child.config["changed"]["from_run"] == name
    assert child.config["started_from"] == {
        "run": name, "layers": ["gru", "level"], "left_out": {},
    }  # fmt: skip
    alone = train_toy("toy_level", tmp_path, *FROZEN)
    groups = group_runs(choose_runs(["toy-level"], tmp_path)[0])
    assert len(groups) == 3  # another level; from its weights; from first weights
    assert len({run.path for run in (source, child, alone)}) == 3


def test_a_layer_that_does_not_fit_is_named(tmp_path, toys, capsys):
    train_toy("toy_tasks", tmp_path, "--kind", "classes")
    capsys.readouterr()
    child = train_toy("toy_tasks", tmp_path, "--kind", "binary", "--from", "toy-tasks")
    lines = capsys.readouterr().out.splitlines()
    assert any("1 of 2 layers." in line for line in lines)
    reason = "its weights are (3, 1) (1,), in the run (3, 3) (3,)"
    assert f"  Not taken: output: {reason}." in lines
    assert child.config["started_from"]["left_out"] == {"output": reason}


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A run of toy-level; tests copy it."""
    with toy_recipes(), leave_undrawn():
        return train_toy("toy_level", tmp_path_factory.mktemp("source"))


@pytest.mark.xdist_group("source of fine-tuning")
@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--from", "toy-tasks"], "toy-tasks: no such run folder, and no runs"),
        (["--from", "{run}", "--units", "4", "--no-use-bias"], "no layer fits"),
        (["--from", "{empty}"], "has no best.keras"),
        (["--from", "{bad}"], "not the model of a run, or damaged"),
    ],
)
def test_a_source_that_cannot_be_used_is_refused(
    flags, said, source, tmp_path, toys, capsys, monkeypatch
):
    import shutil

    places = {n: tmp_path / "toy-level" / n for n in ("run", "empty", "bad")}
    for place in places.values():
        shutil.copytree(source.path, place)
    (places["empty"] / "best.keras").unlink()
    (places["bad"] / "best.keras").write_bytes(b"no model")
    flags = [flag.format(**places) for flag in flags]
    if "--units" in flags:  # the output fits no state of another size either
        monkeypatch.setattr("shared.training.fine_tune.list_layers", only_gru)
    before = sorted(tmp_path.rglob("*"))
    capsys.readouterr()
    with pytest.raises(SystemExit) as exit_:
        train_toy("toy_level", tmp_path, *flags)
    assert exit_.value.code == 2
    assert sorted(tmp_path.rglob("*")) == before
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert said in lines[0]


def only_gru(model, vocabulary):
    from shared.training.fine_tune import Layer

    gru = model.get_layer("gru")
    variables = list(gru.trainable_variables)
    return [Layer("gru", ("gru", 0), variables, [None] * len(variables))]


def test_tokens_keep_their_vectors_on_other_texts(tmp_path, undrawn, capsys):
    source = train_texts("text_gru", tmp_path)
    rows = [(f"Strange {text}", label) for text, label in make_texts(first=500)]
    table = write_table(tmp_path / "other.csv", rows)
    flags = ["--file", str(table), "--text", "review", "--label", "stars", *FROZEN]
    child = train_texts("text_gru", tmp_path, *flags, "--from", str(source.path))
    before, after = (read_weights(run, "tokens")[0] for run in (source, child))
    olds, news = read_vocabulary(source), read_vocabulary(child)
    assert olds != news
    shared = set(olds) & set(news)
    assert "awful" in shared
    assert "strange" in set(news) - set(olds)
    for token in shared:
        old, new = 4 + olds.index(token), 4 + news.index(token)
        assert np.array_equal(before[old], after[new])
    rows = f"tokens: {4 + len(shared)} of {4 + len(news)} rows"
    assert rows in capsys.readouterr().out


@pytest.mark.slow
def test_bigrams_of_other_texts_do_not_fit(tmp_path, undrawn, capsys):
    source = train_texts("text_best", tmp_path)
    rows = [(f"Strange {text}", label) for text, label in make_texts(first=500)]
    table = write_table(tmp_path / "other.csv", rows)
    flags = ["--file", str(table), "--text", "review", "--label", "stars"]
    child = train_texts("text_best", tmp_path, *flags, "--from", str(source.path))
    left_out = child.config["started_from"]["left_out"]
    assert set(left_out) == {"pairs_1", "pairs_2"}
    assert left_out["pairs_1"] == "the run knows none of its tokens"


def test_rows_are_matched_by_what_they_stand_for():
    here, there = _match_rows(["a", "b", "c", None], ["c", None, "a"])
    assert here.tolist() == [0, 2]
    assert there.tolist() == [2, 0]


@pytest.mark.parametrize(
    ("kind", "name"),
    [("GRU", "gru"), ("SimpleRNN", "simple_rnn"), ("Dense", "dense"),
     ("LayerNormalization", "layer_normalization"), ("Conv1D", "conv1d")],
)  # fmt: skip
def test_the_names_of_kinds_are_those_of_keras(kind, name):
    import keras

    assert _name_kind(kind) == name
    layer = getattr(keras.layers, kind)
    sized = kind != "LayerNormalization"
    built = layer(1, 1) if kind == "Conv1D" else layer(1) if sized else layer()
    assert built.name.startswith(name)
