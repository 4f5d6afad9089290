"""Writers through their real entry point."""

import json
import math

import numpy as np
import pytest

from shared.commands.recipe import main
from shared.core.backend import import_keras
from shared.data.writing.config import WritingConfig
from shared.data.writing.dataset import load_writing
from shared.inference.load_model import load_model
from shared.runs.reader import read_predictions
from tests.recipes.own_writings import PLAY, SMALL, train_writer
from tests.recipes.training_runs import TWO_EPOCHS, group, load

pytestmark = pytest.mark.usefixtures("undrawn")

RECIPES = ["writer_gru", "writer_lstm"]
FILES = {"config.json", "history.csv", "summary.json", "curves.png", "best.keras",
         "predictions.npz", "kernels.json", "samples.txt",
         "vocabulary.txt", "checkpoint.npz"}  # fmt: skip


@pytest.fixture
def writer_run(shared_runs):
    """Return a function: recipe -> its run, which also has the stored losses."""
    return lambda recipe: shared_runs.train(train_writer, recipe, *TWO_EPOCHS)


@pytest.mark.parametrize("recipe", group(RECIPES))
def test_a_run_leaves_scores_and_samples(recipe, writer_run):
    shared = writer_run(recipe)
    run = shared.run
    assert run.state == "finished"
    assert {path.name for path in run.path.iterdir()} == FILES
    assert shared.output.count("  writes: ") == 2
    samples = (run.path / "samples.txt").read_text()
    assert [f"--- temperature {t}" in samples for t in ("0.5", "0.8", "1")] == [
        True
    ] * 3
    names = [one["name"] for one in json.loads(
        (run.path / "summary.json").read_text())["baselines"]]  # fmt: skip
    assert names[0] == "character frequencies" and names[2:] == ["xz", "bzip2"]


@pytest.mark.parametrize("recipe", group(RECIPES))
def test_the_test_score_is_that_of_the_saved_model(recipe, writer_run):
    """Bits per character, computed here from the text and the model alone."""
    import_keras()
    run = writer_run(recipe).run
    model = load_model(run.path)
    config = WritingConfig(file=writer_run(recipe).folder / "play.txt", steps=7)
    data = load_writing(config, 3)
    first, last = data.stops[1:]
    ids = data.tokens[max(0, first - 257) : last]
    logits = model.predict(ids[None, :-1], verbose=0)[0, -(last - first) :]
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    true = shares[np.arange(last - first), data.tokens[first:last]]
    stored = read_predictions(run)
    assert stored["predictions"].ravel() == pytest.approx(true, rel=1e-4)
    test = run.summary["test"]["best"]
    bits = float(-np.log2(true).mean())
    assert test["test_bits_per_character"] == pytest.approx(bits, rel=1e-4)
    assert test["test_loss"] == pytest.approx(bits * math.log(2), rel=1e-4)


def test_an_unknown_character_costs_its_spelling(tmp_path):
    """The test part has characters that are nowhere else."""
    import_keras()
    text = PLAY[:-60] + "日本語" * 20
    (tmp_path / "play.txt").write_text(text)
    run = train_writer("writer_gru", tmp_path, "--epochs", "1")
    data = load_writing(WritingConfig(file=tmp_path / "play.txt", steps=7), 3)
    stored = read_predictions(run)
    unknown = np.asarray(data.test.targets) == 2
    assert unknown.sum() == 60
    assert stored["predictions"][unknown].max() < 1 / 149_813
    test = run.summary["test"]["best"]
    bits = -np.log2(stored["predictions"]).mean()
    assert test["test_bits_per_character"] == pytest.approx(bits, rel=1e-4)


@pytest.mark.parametrize("recipe", group(RECIPES))
@pytest.mark.slow
def test_the_same_seed_gives_the_same_numbers(recipe, tmp_path, writer_run):
    again = train_writer(recipe, tmp_path, *TWO_EPOCHS)
    for name in ("samples.txt", "vocabulary.txt"):
        first = writer_run(recipe).run.path / name
        assert first.read_text() == (again.path / name).read_text()
    columns = ("loss", "val_loss", "val_bits_per_character")
    first = writer_run(recipe).run.history
    assert [first[c] for c in columns] == [again.history[c] for c in columns]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--go-backwards"], "--go-backwards"),
        (["--return-sequences"], "--return-sequences"),
        (["--unroll"], "--unroll"),
        (["--layers", "0"], "--layers 0"),
        (["--layers", "99"], "--layers 99"),
        (["--output-dropout", "1"], "--output-dropout 1"),
        (["--file", "/none.txt"], "there is no such file"),
        (["--file", "/tmp"], "is a folder"),
        (["--data-dir", "/nowhere"], "--data-dir /nowhere"),
        (["--tokens", "letters"], "--tokens"),
        (["--data", "sample", "--steps", "1000000"], "--steps 1000000"),
    ],
)
def test_a_bad_flag_is_one_line_and_leaves_nothing(flags, message, tmp_path, capsys):
    module = load("writer_gru")
    places = ["--results-dir", str(tmp_path / "runs")]
    with pytest.raises(SystemExit) as ended:
        main(module.Config, module.run, [*SMALL, *flags, *places])
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert message in line
    assert not list((tmp_path / "runs").glob("*/*/best.keras"))
