"""Small labelled texts, and text recipes trained on them."""

import csv

import numpy as np

from shared.commands.recipe import main
from shared.runs.reader import find_runs
from tests.recipes.training_runs import load

WORDS = {
    "bad": ["cold", "rude", "slow", "awful"],
    "fair": ["plain", "usual", "okay", "average"],
    "good": ["great", "lovely", "warm", "tasty"],
}
COUNTS = {"bad": 20, "fair": 12, "good": 8}
SMALL = ["--epochs", "1", "--units", "3", "--embedding-size", "5", "--batch-size", "8"]
FEWER = {"text_best": ["--ensemble-size", "2", "--bigrams", "50"]}


def make_rows(counts=COUNTS, first=0):
    """Return texts with their labels, mixed. Each has a word of its own: `visit7`."""
    random = np.random.default_rng(first)
    labels = [label for label, count in counts.items() for _ in range(count)]
    return [
        (f"Visit{k}: the food was {' and '.join(random.choice(WORDS[label], 2))}!",
         label)
        for k, label in enumerate(random.permutation(labels).tolist(), first)
    ]  # fmt: skip


def write_table(path, rows, header=("review", "stars")):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def write_folder(path, rows):
    """Write a folder per class with a file per text."""
    for k, (text, label) in enumerate(rows):
        (path / label).mkdir(parents=True, exist_ok=True)
        (path / label / f"{k}.txt").write_text(text, encoding="utf-8")
    return path


def train_texts(recipe, folder, *flags):
    """Run the main of a text recipe; return its run.

    Args:
        recipe: Name with underscores.
        folder: Gets the table `reviews.csv`, and the run below `runs`.
        flags: `--file` or `--folder` among them replaces the table.
    """
    source = []
    if not {"--file", "--folder", "--data"} & set(flags):
        table = write_table(folder / "reviews.csv", make_rows())
        source = ["--file", str(table), "--text", "review", "--label", "stars"]
    module = load(recipe)
    places = ["--results-dir", str(folder / "runs")]
    before = {run.path for run in find_runs(folder / "runs")}
    sizes = [*SMALL, *FEWER.get(recipe, [])]
    main(module.Config, module.run, [*sizes, *source, *flags, *places])
    (run,) = [run for run in find_runs(folder / "runs") if run.path not in before]
    return run


def read_csv(run, name):
    with (run.path / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def read_vocabulary(run):
    return (run.path / "vocabulary.txt").read_text(encoding="utf-8").split("\n")[:-1]
