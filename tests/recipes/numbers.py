"""Train a recipe of each family, and hash every number that its seed decides.

python -m tests.recipes.numbers CORES FOLDER RECIPES
"""

import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from shared.core.backend import limit_threads
from tests.undrawn import leave_undrawn

# Large enough for TensorFlow to share the sums among the cores.
FAMILIES = {
    "imdb_simple_rnn": ["--embedding-size", "32", "--length", "200"],
    "weather_gru": [],
    "weather_dense": ["--lookback", "40"],
    "weather_conv1d_gru": ["--lookback", "40"],
    "vowel_gru": [],
    "sine_gru": [],
    "sum_gru": [],
    "memory_lstm": [],
    "text_gru": ["--embedding-size", "32"],
    "text_best": ["--embedding-size", "32"],
    "writer_gru": ["--embedding-size", "32"],
}


def hash_numbers(folder: Path, recipes: Sequence[str]) -> dict[str, str]:
    """Return a hash of the losses, scores and weights of each recipe."""
    from shared.inference.load_model import load_model
    from shared.kernels import parts
    from tests.recipes.own_texts import train_texts
    from tests.recipes.own_writings import train_writer
    from tests.recipes.training_runs import train_reviews, train_series

    families = {"imdb": train_reviews, "text": train_texts, "writer": train_writer}
    hashes = {}
    for recipe in recipes:
        train = families.get(recipe.partition("_")[0], train_series)
        (folder / recipe).mkdir(parents=True)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(parts, "SMALL", 0)  # small batches too are shared among cores
            run = train(recipe, folder / recipe, "--epochs", "2", "--units", "32",
                        *FAMILIES[recipe])  # fmt: skip
        history = {name: run.history[name] for name in run.history if name != "seconds"}
        digest = hashlib.sha256(json.dumps([history, run.summary["test"]]).encode())
        for weight in load_model(run.path).get_weights():
            digest.update(np.asarray(weight).tobytes())
        hashes[recipe] = digest.hexdigest()
    return hashes


if __name__ == "__main__":
    limit_threads(int(sys.argv[1]))
    with leave_undrawn():
        hashes = hash_numbers(Path(sys.argv[2]), sys.argv[3].split(","))
    print(json.dumps(hashes))
