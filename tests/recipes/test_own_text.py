"""Text recipes through their real entry point, on tables and folders of texts."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score, precision_recall_fscore_support

from shared.core.roles import read_settings
from shared.inference.load_model import load_model
from shared.inference.rebuild import rebuild_run, restore_config
from shared.runs.reader import read_predictions
from tests.recipes.own_texts import (
    COUNTS,
    make_rows,
    read_csv,
    read_vocabulary,
    train_texts,
    write_folder,
    write_table,
)
from tests.recipes.training_runs import TWO_EPOCHS, load

pytestmark = [
    pytest.mark.xdist_group("text_gru"),
    pytest.mark.usefixtures("undrawn"),
]

RECIPES = ["text_simple_rnn", "text_lstm", "text_gru", "text_bidirectional_lstm",
           "text_best"]  # fmt: skip
QUICK = "text_gru"
FILES = {"config.json", "history.csv", "summary.json", "curves.png", "best.keras",
         "predictions.npz", "kernels.json", "classes.csv", "confusion.csv",
         "confusion.png", "vocabulary.txt", "checkpoint.npz"}  # fmt: skip


@pytest.fixture
def table_run(shared_runs):
    """Return a function: recipe -> its run on the table of three classes."""
    return lambda recipe: shared_runs.train(train_texts, recipe, *TWO_EPOCHS)


def mark_slow(recipes):
    slow = pytest.mark.slow
    return [r if r == QUICK else pytest.param(r, marks=slow) for r in recipes]


def check_tables(run):
    """Compare the tables and scores of a run with its stored predictions."""
    stored = read_predictions(run)
    targets, shares = stored["targets"].astype(int), stored["predictions"]
    found = shares.argmax(axis=1)
    names = run.task.classes
    rows = read_csv(run, "confusion")
    assert [row["true class"] for row in rows] == list(names)
    counts = [[int(row[f"predicted {name}"]) for name in names] for row in rows]
    assert (
        np.sum(counts) == len(targets) == run.config["data_facts"]["examples"]["test"]
    )
    expected = np.zeros((len(names), len(names)), int)
    np.add.at(expected, (targets, found), 1)
    assert counts == expected.tolist()
    measured = precision_recall_fscore_support(
        targets, found, labels=range(len(names)), zero_division=0
    )
    rows = read_csv(run, "classes")
    assert [row["class"] for row in rows] == list(names)
    columns = ("precision", "recall", "f1", "texts")
    for name, values in zip(columns, measured, strict=True):
        assert [float(row[name]) for row in rows] == pytest.approx(values, abs=1e-4)
    test = run.summary["test"]["best"]
    assert test["test_accuracy"] == pytest.approx(np.mean(found == targets))
    f1 = f1_score(targets, found, average="macro", zero_division=0)
    assert test["test_macro_f1"] == pytest.approx(f1, rel=1e-5)
    surprise = -np.log(shares[np.arange(len(targets)), targets])
    assert test["test_loss"] == pytest.approx(surprise.mean(), rel=1e-4)


@pytest.mark.parametrize("recipe", mark_slow(RECIPES))
def test_a_table_of_three_classes_leaves_tables_and_scores(recipe, table_run):
    run = table_run(recipe).run
    assert run.state == "finished"
    assert {path.name for path in run.path.iterdir()} == FILES
    assert (run.recipe, run.data) == (recipe.replace("_", "-"), "reviews")
    assert run.task.classes == ("bad", "fair", "good")
    assert run.config["data_facts"]["examples"] == {
        "train": 23, "validation": 8, "test": 9,
    }  # fmt: skip
    assert [int(row["texts"]) for row in read_csv(run, "classes")] == [4, 3, 2]
    check_tables(run)
    names = [baseline["name"] for baseline in run.summary["baselines"]]
    assert names == ["majority class", "linear model, uni- and bigrams"]
    assert run.summary["baselines"][0]["test"]["accuracy"] == pytest.approx(4 / 9)


@pytest.mark.parametrize("recipe", mark_slow(RECIPES))
def test_the_vocabulary_is_that_of_the_training_texts_alone(recipe, table_run):
    """Each text has a word of its own, so the vocabulary shows which were read."""
    vocabulary = read_vocabulary(table_run(recipe).run)
    assert {"the", "food", "was", "and", "!", ":"} < set(vocabulary)
    own = {word for word in vocabulary if word.startswith("visit")}
    assert len(own) == 23


def test_the_same_seed_gives_the_same_history(table_run, tmp_path):
    first = table_run(QUICK).run
    again = train_texts(QUICK, tmp_path, *TWO_EPOCHS)
    columns = [name for name in first.history if name != "seconds"]
    assert {"loss", "macro_f1", "val_accuracy", "val_loss"} <= set(columns)
    for name in columns:
        assert first.history[name] == again.history[name], name
    assert read_vocabulary(first) == read_vocabulary(again)


def test_another_seed_trains_on_other_texts_and_is_tested_on_the_same(
    table_run, tmp_path
):
    """The labels of the rows are mixed, so their order shows which rows are tested."""
    first = table_run(QUICK).run
    other = train_texts(QUICK, tmp_path, *TWO_EPOCHS, "--seed", "1")
    stored = [read_predictions(run) for run in (first, other)]
    assert np.array_equal(stored[0]["targets"], stored[1]["targets"])
    assert not np.array_equal(stored[0]["predictions"], stored[1]["predictions"])
    assert set(read_vocabulary(first)) != set(read_vocabulary(other))


@pytest.mark.parametrize(
    "batching", ["fixed", pytest.param("bucketed", marks=pytest.mark.slow)]
)
def test_balanced_characters_of_a_folder_per_class(batching, tmp_path, capsys):
    """The weight of a class is the mean count over its own count."""
    counts = {"bad": COUNTS["bad"], "good": COUNTS["good"]}
    folder = write_folder(tmp_path / "my reviews", make_rows(counts))
    run = train_texts(
        QUICK, tmp_path, "--folder", str(folder), "--tokens", "characters",
        "--class-weights", "balanced", "--score", "macro_f1", "--batching", batching,
        "--learning-rate", "1e-9",
    )  # fmt: skip
    assert "2 classes: bad 20, good 8; characters" in capsys.readouterr().out
    assert run.data == "my-reviews"
    assert run.score.metric == "macro_f1"
    check_tables(run)
    assert {len(token) for token in read_vocabulary(run)} == {1}
    names = [baseline["name"] for baseline in run.summary["baselines"]]
    assert names == ["majority class", "linear model, 1- to 4-grams"]
    config, _ = restore_config(load(QUICK).Config(), run.settings)
    train = load(QUICK).load_data(config).train
    shares = load_model(run.path).predict(train.inputs, verbose=0)
    classes = train.targets.astype(int)
    assert np.bincount(classes).tolist() == [12, 4]
    weights = np.array([8 / 12, 8 / 4])[classes]
    surprise = -np.log(shares[np.arange(len(classes)), classes])
    expected = np.mean(weights * surprise)
    assert run.history["loss"] == pytest.approx([expected], rel=1e-3)
    assert expected != pytest.approx(surprise.mean(), rel=1e-3)


def test_a_test_file_is_tested_whole_and_its_copies_are_not_trained_on(
    tmp_path, capsys
):
    rows = make_rows()
    test = write_table(tmp_path / "test.csv", [*make_rows(first=100), rows[0]])
    run = train_texts(QUICK, tmp_path, "--file",
                      str(write_table(tmp_path / "reviews.csv", rows)),
                      "--test-file", str(test))  # fmt: skip
    assert (
        "training texts that the test file has too: 1, left out"
        in capsys.readouterr().out
    )
    examples = run.config["data_facts"]["examples"]
    assert examples["test"] == 41
    assert examples["train"] + examples["validation"] == 39
    check_tables(run)
    expected = {"bad": 20, "fair": 12, "good": 8}
    expected[rows[0][1]] += 1
    assert {row["class"]: int(row["texts"]) for row in read_csv(run, "classes")} == (
        expected
    )
    vocabulary = set(read_vocabulary(run))
    assert not vocabulary & {f"visit{k}" for k in (0, *range(100, 140))}
    assert load_model(run.path).output_shape == (None, 3)


def write_vectors(path):
    """Write three numbers for four words; one of them is in no text."""
    rows = [("food", [1, 2, 3]), ("was", [-4, 5, 6]), ("zebra", [9, 9, 9]),
            ("Great", [0, -2, 1])]  # fmt: skip
    path.write_text("".join(f"{w} {' '.join(map(str, row))}\n" for w, row in rows))
    return path


def test_text_best_starts_from_a_file_of_vectors(tmp_path, capsys):
    """The vectors are those of the file, scaled as those that are learnt would be."""
    path = write_vectors(tmp_path / "v.vec")
    flags = ["--vectors", str(path), "--adversarial-epsilon", "0"]  # half the step
    run = train_texts("text_best", tmp_path, *flags)
    tokens = read_vocabulary(run)
    expected = f"  vectors: {path} has 3 of {len(tokens)} tokens ("
    assert expected in capsys.readouterr().out
    assert run.settings["vectors"] == str(path)
    rebuilt = rebuild_run(run).model
    for n in (1, 2):
        (first,) = rebuilt.get_layer(f"words_{n}").get_weights()
        assert first.shape == (4 + len(tokens), 3)
        assert first.std() == pytest.approx(0.05, rel=1e-4)
        ids = [4 + tokens.index(word) for word in ("food", "was", "great")]
        scale = first[ids[0], 0]
        scaled = [[1, 2, 3], [-4, 5, 6], [0, -2, 1]]
        assert first[ids] == pytest.approx(scale * np.array(scaled), rel=1e-4)
        assert rebuilt.get_layer(f"pairs_{n}").get_weights()[0].shape[1] == 3
    assert load_model(run.path).get_layer("words_1").embeddings.shape[1] == 3


@pytest.mark.parametrize("choice", ["neighbours", "random", Path("my.vec")])
def test_a_choice_of_vectors_is_restored_from_json(choice):
    default = load("text_best").Config()
    features = dataclasses.replace(default.features, vectors=choice)
    settings = read_settings(dataclasses.replace(default, features=features)).values
    restored, missing = restore_config(default, json.loads(json.dumps(settings)))
    assert restored.features.vectors == choice
    assert type(restored.features.vectors) is type(choice)
    assert not missing


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no such file. The flag takes neighbours, random or a file."),
        ("zebra 1 2\n", "has no vector of a word in the training texts"),
        ("food 1 x\n", "line 1 is no word with its numbers"),
    ],
)
def test_bad_vectors_of_text_best_are_one_line(content, message, tmp_path, capsys):
    path = tmp_path / "v.vec"
    if content is not None:
        path.write_text(content)
    with pytest.raises(SystemExit) as ended:
        train_texts("text_best", tmp_path, "--vectors", str(path))
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert str(path) in line and message in line
    assert not list((tmp_path / "runs").glob("*/*"))
