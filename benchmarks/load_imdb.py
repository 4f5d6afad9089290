"""Time and memory of loading and padding the 50,000 reviews: this suite and Keras.

    make bench-load ARGS="--data-dir FOLDER"

Each repeat runs each loader once, in a new process. "Keras" is what the tutorials do:
`keras.datasets.imdb.load_data` and `pad_sequences`. It reads a copy of the file, since
that loader deletes files with an unknown hash. Imports are not counted.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

OURS = """
import json, resource, sys, time
from pathlib import Path
from shared.data.imdb.reviews import ReviewsConfig, load_reviews
config = ReviewsConfig(vocabulary=10_000, length=500, keep="end", padding="left",
    mask=False, embedding_size=32, validation_share=0.2, data="imdb",
    data_dir=Path(sys.argv[1]))
start = time.perf_counter()
splits = load_reviews(config, seed=0)
seconds = time.perf_counter() - start
assert len(splits.train) + len(splits.validation) + len(splits.test) == 50_000
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
print(json.dumps({"seconds": seconds, "mb": peak}))
"""
KERAS = """
import json, resource, sys, time
from shared.core.backend import import_keras
import_keras()
from keras.src.datasets import imdb
from keras.utils import pad_sequences
imdb.get_file = lambda *_, **__: sys.argv[1] + "/imdb.npz"
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start = time.perf_counter()
(x_train, y_train), (x_test, y_test) = imdb.load_data(num_words=10_000)
x_train, x_test = (pad_sequences(x, maxlen=500) for x in (x_train, x_test))
seconds = time.perf_counter() - start
assert len(x_train) + len(x_test) == 50_000
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"seconds": seconds, "mb": peak * 1024 / 1e6,
    "mb_above_imports": (peak - before) * 1024 / 1e6}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data-dir", default=os.environ.get("RNN_RECIPES_DATA"))
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    if not options.data_dir or not (Path(options.data_dir) / "imdb.npz").is_file():
        parser.error(
            "no imdb.npz found. Name its folder with --data-dir or RNN_RECIPES_DATA."
        )
    with tempfile.TemporaryDirectory() as scratch:
        shutil.copy(Path(options.data_dir) / "imdb.npz", scratch)
        environment = os.environ | {"RNN_RECIPES_CACHE": f"{scratch}/cache"}
        programs = {"Keras": KERAS, "ours": OURS}
        first = _measure(OURS, scratch, environment)
        _show("ours, first use of the file", [first])
        results: dict[str, list[dict[str, float]]] = {name: [] for name in programs}
        for _ in range(options.repeats):
            for name, program in programs.items():
                results[name].append(_measure(program, scratch, environment))
        for name, runs in results.items():
            _show(f"{name}, median of {len(runs)}", runs)
        ratios = [
            keras["seconds"] / ours["seconds"]
            for keras, ours in zip(results["Keras"], results["ours"], strict=True)
        ]
        print(
            f"Keras / ours, seconds, median of pairs: {statistics.median(ratios):.1f}"
        )


def _measure(program: str, folder: str, environment: dict) -> dict[str, float]:
    command = [sys.executable, "-c", program, folder]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def _show(name: str, runs: list[dict[str, float]]) -> None:
    columns = {key: [run[key] for run in runs] for key in runs[0]}
    texts = [
        f"{key.replace('_', ' ')} {statistics.median(values):.2f} "
        f"({min(values):.2f} to {max(values):.2f})"
        for key, values in columns.items()
    ]
    print(f"{name}: {', '.join(texts)}", flush=True)


if __name__ == "__main__":
    main()
