"""Text recipes through their real entry point, on tables and folders of texts."""

import numpy as np
import pytest
from sklearn.metrics import f1_score, precision_recall_fscore_support

from shared.inference.load_model import load_model
from shared.inference.rebuild import restore_config
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
from tests.recipes.training_runs import load

pytestmark = [
    pytest.mark.xdist_group("own texts"),
    pytest.mark.usefixtures("undrawn"),
]

RECIPES = ["text_simple_rnn", "text_lstm", "text_gru", "text_bidirectional_lstm",
           "text_best"]  # fmt: skip
QUICK = "text_gru"
FILES = {"config.json", "history.csv", "summary.json", "curves.png", "best.keras",
         "predictions.npz", "kernels.json", "classes.csv", "confusion.csv",
         "confusion.png", "vocabulary.txt"}  # fmt: skip


@pytest.fixture
def table_run(shared_runs):
    """Return a function: recipe -> its run on the table of three classes."""
    return lambda recipe: shared_runs.train(train_texts, recipe)


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
    again = train_texts(QUICK, tmp_path)
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
    other = train_texts(QUICK, tmp_path, "--seed", "1")
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
    run = train_texts("text_best", tmp_path, "--file",
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
