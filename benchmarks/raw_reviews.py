"""Does text-gru score as imdb-gru does, if it reads the same reviews as text?

    make bench-reviews ARGS="--data-dir FOLDER"     # FOLDER has imdb.npz and the words

Writes the reviews of imdb.npz as text, word for word, to a table for training and one
for the test, in a temporary folder. `text-gru` reads these tables, with the settings of
`imdb-gru`, and `imdb-gru` reads the file itself. What still differs: text-gru learns
its vocabulary from the training part alone, cuts apostrophes at the ends of words,
draws another validation part, leaves out copies, and ends with two shares instead of
one. The first line says how much of the test reviews both read alike. Writes
results/benchmarks/raw_reviews.csv, a row per recipe and seed. Rows in it are not
measured again.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import importlib
import itertools
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from shared.commands.options import parse_recipe
from shared.core.environment import PROJECT
from shared.core.files import to_csv, write_text
from shared.core.flags import resolve_config
from shared.data.imdb.archive import SHA256, URL, read_reviews
from shared.data.imdb.word_ids import FIRST_WORD
from shared.data.imdb.word_index import find_word_ranks, find_words
from shared.data.padding import PAD
from shared.data.sources import find_source
from shared.data.splits import Sequences
from shared.data.text.vocabulary import Vocabulary
from shared.runs.reader import Run, find_runs

TARGET = PROJECT / "results" / "benchmarks" / "raw_reviews.csv"
LABELS = ("negative", "positive")
SETTINGS = [
    "--vocabulary", "10000", "--length", "500", "--keep", "end", "--padding", "left",
    "--batching", "bucketed", "--embedding-size", "32", "--embedding-gradient",
    "sparse", "--validation-share", "0.2", "--units", "32", "--optimizer", "rmsprop",
    "--learning-rate", "0.001", "--batch-size", "128", "--epochs", "10",
    "--patience", "None",
]  # fmt: skip
"""Those of imdb-gru. Both recipes get them."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--data-dir", type=Path, default=os.environ.get("RNN_RECIPES_DATA")
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    recipes = ["text-gru", "imdb-gru"]
    parser.add_argument("--recipes", nargs="+", choices=recipes, default=recipes)
    parser.add_argument("--output", type=Path, default=TARGET)
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    if options.output.exists():
        with options.output.open(newline="") as lines:
            rows = list(csv.DictReader(lines))
    done = {(row["recipe"], str(row["seed"])) for row in rows}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_reviews(options.data_dir, folder)
        sources = {
            "text-gru": ["--file", folder / "train.csv", "--test-file",
                         folder / "test.csv", "--text", "review"],
            "imdb-gru": ["--data", "imdb"],
        }  # fmt: skip
        if options.data_dir is not None:
            sources["imdb-gru"] += ["--data-dir", options.data_dir]
        print(compare_inputs(sources, options.data_dir), flush=True)
        for seed, recipe in itertools.product(options.seeds, options.recipes):
            if (recipe, str(seed)) in done:
                continue
            rows.append(measure(recipe, seed, sources[recipe]))
            print(*rows[-1].values(), flush=True)
            write_text(options.output, to_csv(rows))
    for recipe in sources:
        scores = [float(r["test_accuracy"]) for r in rows if r["recipe"] == recipe]
        if len(scores) > 1:
            mean, deviation = np.mean(scores), np.std(scores, ddof=1)
            print(f"{recipe}: {mean:.4f}, standard deviation {deviation:.4f}")


def compare_inputs(sources: dict[str, list[Any]], data_dir: Path | None) -> str:
    """Return in a sentence how much of the test reviews both recipes read alike."""
    texts = load("text_gru", sources["text-gru"])
    reviews = load("imdb_gru", sources["imdb-gru"])
    words = find_words(reviews.config.vocabulary - FIRST_WORD, False, data_dir)
    named = Vocabulary(words)
    total = alike = 0
    pairs = zip(texts.test.inputs, reviews.test.inputs, strict=True)
    for of_text, of_review in pairs:
        found = Counter(texts.vocabulary.decode(of_text[of_text != PAD]))
        wanted = Counter(named.decode(of_review[of_review != PAD]))
        total += wanted.total()
        alike += (found & wanted).total()
    common = len(set(words) & set(texts.vocabulary.tokens))
    return (
        f"Both read {alike / total:.1%} of the tokens of the test reviews alike, and "
        f"have {common:,} of {len(words):,} words in common."
    )


def load(recipe: str, source: list[Any]) -> Any:
    """Return the data of a recipe with the settings of imdb-gru."""
    module = importlib.import_module(f"recipes.{recipe}")
    flags = list(map(str, [*source, *SETTINGS]))
    config, _ = parse_recipe(module.Config, flags, f"{recipe}.py", "")
    with contextlib.redirect_stdout(sys.stderr):
        return module.load_data(resolve_config(config))


def write_reviews(data_dir: Path | None, folder: Path) -> None:
    """Write train.csv and test.csv: the words of each review, and its class."""
    source, missed = find_source(["imdb.npz"], data_dir, URL, SHA256)
    if source is None:
        raise SystemExit(f"No imdb.npz found ({'; '.join(missed)}).")
    reviews = read_reviews(source)
    words = {
        rank + FIRST_WORD - 1: word
        for word, rank in find_word_ranks(False, data_dir).items()
    }
    for part in ("train", "test"):
        sequences: Sequences = getattr(reviews, part)
        labels = getattr(reviews, f"{part}_labels").tolist()
        bounds = zip(sequences.offsets[:-1], sequences.offsets[1:], strict=True)
        rows = [
            {
                "review": " ".join(words[k] for k in sequences.tokens[a + 1 : b]),
                "label": LABELS[label],  # the first id is the start of a review
            }
            for (a, b), label in zip(bounds, labels, strict=True)
        ]
        write_text(folder / f"{part}.csv", to_csv(rows))


def measure(recipe: str, seed: int, source: list[Any]) -> dict[str, Any]:
    """Train once in a new process, and return its scores."""
    with tempfile.TemporaryDirectory() as scratch:
        path = PROJECT / "recipes" / f"{recipe.replace('-', '_')}.py"
        command = [sys.executable, path, *source, *SETTINGS, "--seed", seed,
                   "--results-dir", scratch]  # fmt: skip
        subprocess.run(list(map(str, command)), check=True, stdout=sys.stderr)
        (run,) = find_runs(Path(scratch))
        return {"recipe": recipe, "seed": seed} | read_scores(run)


def read_scores(run: Run) -> dict[str, Any]:
    """Return the scores of the best epoch, and that of the linear model."""
    best = run.summary["best"]
    linear = run.summary["baselines"][-1]
    return {
        "best_epoch": best["epoch"],
        "validation_accuracy": round(best["val_accuracy"], 4),
        "test_accuracy": round(run.summary["test"]["best"]["test_accuracy"], 4),
        "linear_test_accuracy": round(linear["test"]["accuracy"], 4),
    }


if __name__ == "__main__":
    main()
