"""The Keras callback that records each epoch and keeps the best weights."""

from __future__ import annotations

import math
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import keras
import numpy as np

from shared.baselines.baseline import check_for_leak
from shared.core.signals import ask_parent, raise_if_asked
from shared.core.text import WIDTH, format_duration
from shared.core.waiting import QUIET, say_while
from shared.data.feeding import feed, restore_order
from shared.data.splits import Examples
from shared.kernels.saved import describe_layers
from shared.runs.checkpoint import Checkpoint
from shared.runs.writer import Row, RunFolder
from shared.training.checkpoint import (
    CheckpointWriter,
    restore_callbacks,
    restore_random,
)
from shared.training.ending import find_end

PAUSE = 0.2  # seconds between two states of the moving line


class ProgressLine(keras.callbacks.Callback):
    """Shows how far a long epoch is.

    On a terminal, this is one line that moves and that the end of the epoch replaces.
    Elsewhere it is a line now and then.
    """

    def __init__(self, epochs: int) -> None:
        """Keep the number of planned epochs."""
        super().__init__()
        self.epochs = epochs
        self.moves = sys.stdout.isatty()
        self.pause = PAUSE if self.moves else QUIET

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Start a line."""
        self.epoch = epoch + 1
        self.shown = 0.0 if self.moves else time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Move the line, some times a second."""
        now = time.perf_counter()
        if now - self.shown < self.pause:
            return
        self.shown = now
        batches = self.params.get("steps")
        of = f" of {batches:,}" if batches else ""
        loss = f", loss {float(logs['loss']):.4f}" if logs else ""
        line = f"  epoch {self.epoch} of {self.epochs}: batch {batch + 1:,}{of}{loss}"
        end = "" if self.moves else "\n"
        print(f"{clear_line()}{line[:WIDTH]}", end=end, flush=True)

    def on_train_end(self, logs: dict | None = None) -> None:
        """Leave no rest of a line."""
        print(clear_line(), end="", flush=True)


def clear_line() -> str:
    """Return what removes the moving line; nothing where the output is no terminal."""
    return "\r\x1b[2K" if sys.stdout.isatty() else ""


class Recorder(keras.callbacks.Callback):
    """Records one training, and scores the test set once, at the end."""

    def __init__(
        self,
        folder: RunFolder,
        *,
        epochs: int,
        batch_size: int,
        patience: int | None = None,
        stop_at: float | None = None,
        callbacks: Sequence[keras.callbacks.Callback] = (),
    ) -> None:
        """Prepare to record.

        Args:
            folder: An open run folder. Its score picks the best epoch.
            epochs: Number of planned epochs, for the time left.
            batch_size: Examples per batch when the test set is scored.
            patience: Epochs without a better score before a stop; None: never stop.
            stop_at: Validation score that is good enough to stop; None: never stop.
            callbacks: Those of the recipe. A checkpoint keeps their numbers. One may
                have `latest_gain`: see `find_end`.
        """
        super().__init__()
        self.folder = folder
        self.task = folder.task
        self.score = folder.task.score
        self.epochs = epochs
        self.batch_size = batch_size
        self.patience = patience
        self.stop_at = stop_at
        self.rows: list[Row] = []
        self.best: Row | None = None
        self.best_weights: list | None = None
        self.callbacks = callbacks
        self.checkpoints = CheckpointWriter(folder)
        self.earlier: Checkpoint | None = None

    def carry_on(
        self, model: keras.Model, rows: list[Row], checkpoint: Checkpoint
    ) -> None:
        """Begin after some epochs of another run, and write them to the run folder.

        Args:
            model: As the checkpoint describes it.
            rows: Those epochs.
            checkpoint: Written after the last of them.
        """
        self.rows, self.earlier = rows, checkpoint
        if (best := checkpoint.facts.best_epoch) is not None:
            self.best, latest = rows[best - 1], model.get_weights()
            self.best_weights = checkpoint.arrays["best"] or latest
            model.set_weights(self.best_weights)
            self.folder.write_model(model, best, describe_layers(model))
            model.set_weights(latest)
        self.folder.write_progress(self.rows, self.best)

    def count_seconds(self) -> float:
        """Return how long the training has taken, with the epochs of other runs."""
        before = self.earlier.facts.seconds if self.earlier else 0.0
        return round(before + time.perf_counter() - self.started, 2)

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Start the clock of the whole training."""
        self.started = time.perf_counter()
        if self.earlier is not None:
            restore_callbacks(self.callbacks, self.earlier)
            restore_random(self.earlier)
            self.earlier = replace(self.earlier, arrays={})  # frees the memory

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Start the clock of an epoch."""
        raise_if_asked()
        self.began = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Write the epoch to the run folder, print it, and stop if necessary."""
        seconds = time.perf_counter() - self.began
        scores = {name: float(value) for name, value in (logs or {}).items()}
        row = {"epoch": epoch + 1, **scores, "seconds": round(seconds, 3)}
        self.rows.append(row)
        best = self.best[self._watched] if self.best else None
        valid = math.isfinite(row["val_loss"])  # accuracy stays finite after a NaN
        if valid and self.score.is_better(row[self._watched], best):
            self.best = row
            self.best_weights = self.model.get_weights()
            self.folder.write_model(
                self.model, row["epoch"], describe_layers(self.model)
            )
        self.folder.write_progress(self.rows, self.best)
        self._print_epoch()
        gains = [getattr(callback, "latest_gain", 0) for callback in self.callbacks]
        end = find_end(
            self.rows,
            self.best,
            self.score,
            self.patience,
            self.stop_at,
            max(gains, default=0),
        )
        if end is not None:
            print(f"  {end}")
            self.model.stop_training = True
        is_last = self.model.stop_training or row["epoch"] >= self.epochs
        self.checkpoints.epoch_ended(self, is_last)
        if not is_last:
            error = -self.score.sign * row[self._watched]
            ask_parent(row["epoch"], self.epochs, error)

    def finish(
        self, test: Examples, show: Callable[[keras.Model], None] | None = None
    ) -> None:
        """Score the test set with the best and the last weights, and close the run.

        Args:
            test: Scored here for the first and only time.
            show: Called with the model of the best epoch before the run is closed. It
                can write more results of the model.
        """
        seconds = self.count_seconds()
        if not self.folder.scores_test:
            note = "The test set was not scored, as --no-score-test says."
            self.folder.close("finished", note, seconds=seconds)
            return
        if self.best is None:
            note = "No epoch had a valid score, so the test was not run."
            self.folder.close("finished", note, seconds=seconds)
            return
        with say_while("Scoring the test set"):
            scores = {"last": self._evaluate(test)}
            if self.best is self.rows[-1]:
                scores["best"] = scores["last"]
            else:
                self.model.set_weights(self.best_weights)
                scores["best"] = self._evaluate(test)
            predictions = self._predict(test)
        self.folder.write_predictions(test, predictions)
        if show is not None:
            show(self.model)
        leak = check_for_leak(self.task, test, predictions)
        self.folder.close("finished", test=scores, leak_check=leak, seconds=seconds)

    @property
    def _watched(self) -> str:
        return f"val_{self.score.metric}"

    def _evaluate(self, test: Examples) -> dict[str, float]:
        arguments = feed(test, self.batch_size)
        scores = self.model.evaluate(**arguments, verbose=0, return_dict=True)
        return {f"test_{name}": float(value) for name, value in scores.items()}

    def _predict(self, test: Examples) -> np.ndarray:
        """Return predictions, (num_examples,) or (num_examples, ...)."""
        arguments = feed(test, self.batch_size)
        if self.task.keeps_part:  # the whole output may not fit into the memory
            return np.concatenate(
                [
                    self.task.keep(targets.numpy(), self.model.predict_on_batch(inputs))
                    for inputs, targets in arguments["x"]
                ]
            )
        arguments.pop("y", None)
        predictions = np.asarray(self.model.predict(**arguments, verbose=0))
        predictions = restore_order(test, predictions)
        one_number = np.ndim(test.targets) == 1 and predictions.shape[1:] == (1,)
        return predictions[:, 0] if one_number else predictions

    def _print_epoch(self) -> None:
        """Print one line, without the training loss if it would be too wide."""
        row = self.rows[-1]
        start = f"epoch {row['epoch']} of {self.epochs}"
        parts = [f"{self._watched} {row[self._watched]:.4f}"]
        if self.best is not None and self.best is not row:
            best = self.best
            parts.append(f"best {best[self._watched]:.4f} (epoch {best['epoch']})")
        elif self.best is row:
            parts.append("the best so far")
        parts.append(f"{row['seconds']:.1f} s")
        if left := self.epochs - row["epoch"]:
            typical = statistics.median(row["seconds"] for row in self.rows)
            parts.append(f"{format_duration(left * typical)} left")
        line = "  " + ", ".join([start, f"loss {row['loss']:.4f}", *parts])
        if len(line) > WIDTH:
            line = "  " + ", ".join([start, *parts])
        print(f"{clear_line()}{line}", flush=True)
