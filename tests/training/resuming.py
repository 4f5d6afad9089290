"""Runs that are stopped after an epoch and carried on, against runs never stopped.

python -m tests.training.resuming [CASE ...]

prints the table of docs/after-training.md.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np

from shared.core.backend import limit_threads
from shared.runs.checkpoint import read_checkpoint
from shared.runs.reader import Run, find_runs, format_kernels, read_predictions
from shared.training.checkpoint import CheckpointWriter
from tests.recipes.own_texts import train_texts
from tests.recipes.own_writings import train_writer
from tests.recipes.training_runs import _train, train_reviews, train_series

EPOCHS, STOP = 4, 3
REVIEWS, SERIES, TEXTS, WRITERS = train_reviews, train_series, train_texts, train_writer
DROPOUT = ["--dropout", "0.2", "--recurrent-dropout", "0.3"]
XLA = ["--jit", "on"]
KERAS = ["--kernel", "keras"]
COSINE = ["--schedule", "cosine"]
CASES = {
    "imdb-gru": (REVIEWS, []),
    "imdb-gru, fixed": (REVIEWS, ["--batching", "fixed"]),
    "imdb-gru, dropout": (REVIEWS, DROPOUT),
    "imdb-gru, keras loop": (REVIEWS, [*KERAS, *DROPOUT]),
    "imdb-gru, keras loop, implementation 1": (
        REVIEWS, [*KERAS, "--dropout", "0.2", "--implementation", "1"],
    ),
    "imdb-gru, unrolled": (REVIEWS, ["--unroll", "--batching", "fixed", *DROPOUT]),
    "imdb-gru, XLA": (REVIEWS, [*XLA, *DROPOUT, "--batching", "fixed"]),
    "imdb-gru, auto kernel": (REVIEWS, ["--kernel", "auto", "--dropout", "0.2"]),
    "imdb-gru, sparse gradient": (
        REVIEWS, ["--embedding-gradient", "sparse", "--optimizer", "adam"],
    ),
    "imdb-lstm": (REVIEWS, DROPOUT),
    "imdb-lstm, XLA": (REVIEWS, [*XLA, "--batching", "fixed"]),
    "imdb-simple-rnn": (REVIEWS, DROPOUT),
    "imdb-simple-rnn, XLA": (REVIEWS, [*XLA, "--batching", "fixed"]),
    "imdb-stacked-simple-rnn": (REVIEWS, []),
    "imdb-bidirectional-lstm": (REVIEWS, DROPOUT),
    "imdb-gru-dropout": (REVIEWS, []),
    "imdb-best": (REVIEWS, ["--ensemble-size", "2"]),
    "weather-dense": (SERIES, []),
    "weather-gru": (SERIES, []),
    "weather-gru, XLA": (SERIES, [*XLA, *DROPOUT]),
    "weather-gru, mixed precision": (SERIES, ["--precision", "mixed_float16"]),
    "weather-gru, two steps per call": (SERIES, ["--steps-per-execution", "2"]),
    "weather-gru-dropout": (SERIES, []),
    "weather-stacked-gru": (SERIES, []),
    "weather-conv1d-gru": (SERIES, []),
    "weather-bidirectional-gru": (SERIES, DROPOUT),
    "weather-best": (SERIES, DROPOUT),
    "series-linear": (SERIES, []),
    "series-gru": (SERIES, DROPOUT),
    "series-gru, XLA": (SERIES, XLA),
    "series-lstm": (SERIES, DROPOUT),
    "series-encoder-decoder-gru": (SERIES, ["--dropout", "0.2"]),
    "series-best": (SERIES, DROPOUT),
    "text-simple-rnn": (TEXTS, []),
    "text-gru": (TEXTS, DROPOUT),
    "text-gru, XLA": (TEXTS, [*XLA, "--batching", "fixed"]),
    "text-gru, fixed, class weights": (
        TEXTS, ["--batching", "fixed", "--class-weights", "balanced"],
    ),
    "text-lstm": (TEXTS, DROPOUT),
    "text-bidirectional-lstm": (TEXTS, []),
    "text-best": (TEXTS, []),
    "writer-gru": (WRITERS, []),
    "writer-gru, keras loop": (WRITERS, [*KERAS, "--layers", "2"]),
    "writer-gru, XLA": (WRITERS, XLA),
    "writer-lstm": (WRITERS, []),
    "memory-gru": (SERIES, DROPOUT),
    "memory-gru, XLA": (SERIES, XLA),
    "memory-lstm": (SERIES, ["--task", "recall"]),
    "memory-simple-rnn": (SERIES, []),
    "sine-gru": (SERIES, DROPOUT),
    "sine-gru, keras loop": (SERIES, [*KERAS, *DROPOUT]),
    "sine-gru, float64": (SERIES, ["--precision", "float64"]),
    "sine-next-step-gru": (SERIES, []),
    "sine-next-step-gru, XLA": (SERIES, XLA),
    "scratch-gru": (SERIES, []),
    "vowel-gru": (SERIES, DROPOUT),
    "vowel-gru, XLA": (SERIES, XLA),
    "sum-gru": (SERIES, DROPOUT),
    "sum-gru, XLA": (SERIES, [*XLA, *COSINE]),
    "sum-gru, rmsprop": (SERIES, ["--optimizer", "rmsprop"]),
    "sum-gru, sgd": (SERIES, ["--optimizer", "sgd"]),
    "sum-gru, adamw, clipped": (
        SERIES, ["--optimizer", "adamw", "--global-clipnorm", "0.1"],
    ),
    "sum-gru, averages": (SERIES, ["--ema", "0.9"]),
    "sum-gru, averages, mixed precision": (
        SERIES, ["--ema", "0.9", "--precision", "mixed_float16"],
    ),
    "sum-gru, nadam": (SERIES, ["--optimizer", "nadam"]),
    "sum-gru, lion": (SERIES, ["--optimizer", "lion"]),
}  # fmt: skip


@contextlib.contextmanager
def stop_after(epoch: int):
    """Let Ctrl-C come after an epoch and its checkpoint."""

    def stop(recorder) -> None:
        raise KeyboardInterrupt

    with call_after(epoch, stop):
        yield


@contextlib.contextmanager
def copy_after(epoch: int, place: Path):
    """Copy the run folder after an epoch, as a kill would leave it at that moment."""

    def copy(recorder) -> None:
        path = recorder.folder.path
        shutil.copytree(path, place / path.parent.name / path.name)

    with call_after(epoch, copy):
        yield


@contextlib.contextmanager
def call_after(epoch: int, call: Callable):
    """Call a function with the record after an epoch and its checkpoint."""
    write = CheckpointWriter.epoch_ended

    def write_and_call(self, recorder, is_last):
        write(self, recorder, is_last)
        if len(recorder.rows) == epoch:
            call(recorder)

    with mock.patch.object(CheckpointWriter, "epoch_ended", write_and_call):
        yield


def train(case: str, folder: Path, *flags: str) -> Run:
    """Train a case on its tiny data; a run that is stopped is returned too."""
    train_small, own = CASES[case]
    recipe = case.partition(",")[0].replace("-", "_")
    return train_small(recipe, folder, *own, *flags)


def carry_on(run: Run, root: Path, *flags: str) -> Run:
    """Run the recipe of a run with `--resume`; return the new run.

    Args:
        run: It is only read.
        root: The new run is in `runs` below it.
        flags: More flags.
    """
    stem = run.recipe.replace("-", "_")
    return _train(stem, root, ["--resume", str(run.path), *flags])


def try_case(case: str, folder: Path) -> tuple[Run, Run, Run]:
    """Return a run never stopped, its copy after `STOP` epochs, and its child."""
    flags = ["--epochs", str(EPOCHS), "--checkpoint-every", "1"]
    with copy_after(STOP, folder / "stopped"):
        whole = train(case, folder, *flags)
    (stopped,) = find_runs(folder / "stopped")
    assert stopped.state == "interrupted", stopped.state
    assert stopped.summary["epochs"] == STOP
    return whole, stopped, carry_on(stopped, folder, "--checkpoint-every", "1")


def list_differences(whole: Run, resumed: Run) -> list[str]:
    """Return what differs between two runs that should be the same, bit for bit."""
    from shared.inference.load_model import load_model

    differences = []

    def compare(name: str, one: object, other: object) -> None:
        if one != other:
            differences.append(name)

    def hash_arrays(arrays):
        return [(np.asarray(a).dtype.str, np.asarray(a).tobytes()) for a in arrays]

    compare("state", whole.state, resumed.state)
    for name in whole.history.keys() | resumed.history.keys():
        if name != "seconds":
            one, other = (run.history.get(name) for run in (whole, resumed))
            compare(f"history {name}", hash_arrays([one]), hash_arrays([other]))
    for name in ("test", "baselines", "leak_check", "epochs", "parameters"):
        compare(name, whole.summary[name], resumed.summary[name])
    for name in ("settings", "changed", "roles", "data_facts", "jit_compile"):
        compare(name, whole.config[name], resumed.config[name])
    for name in ("best", "last"):
        rows = [dict(run.summary[name], seconds=0) for run in (whole, resumed)]
        compare(f"{name} epoch", *rows)
    # A run that was stopped has none.
    found = [read_predictions(run) or {} for run in (whole, resumed)]
    compare("names of predictions", *(list(one) for one in found))
    compare("predictions", *(hash_arrays(one.values()) for one in found))
    compare(
        "model",
        *(hash_arrays(load_model(run.path).get_weights()) for run in (whole, resumed)),
    )
    one, other = (read_checkpoint(run.path) for run in (whole, resumed))
    for kind, arrays in one.arrays.items():
        compare(
            f"{kind} at the end", hash_arrays(arrays), hash_arrays(other.arrays[kind])
        )
    tables = [{path.name for path in run.path.iterdir()} for run in (whole, resumed)]
    compare("files", *tables)
    for name in tables[0] & tables[1]:
        if name.endswith((".csv", ".txt")) and name != "history.csv":
            compare(name, *((run.path / name).read_bytes() for run in (whole, resumed)))
    return differences


def main(cases: list[str]) -> None:
    """Print a row per case; end with status 1 if one differs."""
    from tests.undrawn import leave_undrawn

    limit_threads(None)
    os.environ["RNN_RECIPES_CACHE"] = tempfile.mkdtemp()
    print("| recipe and flags | epochs | kernel | against never stopped |")
    print("|---|---|---|---|", flush=True)
    different = 0
    for case in cases or CASES:
        with tempfile.TemporaryDirectory() as place, leave_undrawn():
            try:
                with contextlib.redirect_stdout(io.StringIO()):
                    whole, _, resumed = try_case(case, Path(place))
                found = list_differences(whole, resumed)
                kernel = format_kernels(resumed.path) or "none"
            except (Exception, SystemExit):
                traceback.print_exc()
                found, kernel = ["failed"], ""
            result = ", ".join(found) or "the same bits"
            print(
                f"| {case} | {STOP} + {EPOCHS - STOP} | {kernel} | {result} |",
                flush=True,
            )
            different += bool(found)
    sys.exit(bool(different))


if __name__ == "__main__":
    main(sys.argv[1:])
