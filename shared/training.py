"""Fit a model with a record: a function around `model.fit`, not a framework."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from shared.backend import count_gpus
from shared.data.feeding import feed
from shared.data.splits import Splits
from shared.errors import UserError, check_at_least
from shared.kernels.plan import LayerPlan, list_recurrent_layers, plan_model
from shared.recurrent import Jit, Surroundings, set_cudnn

if TYPE_CHECKING:
    import keras

    from shared.recorder import Recorder
    from shared.run_folder import RunFolder

Optimizer = Literal[
    "rmsprop", "adam", "adamw", "nadam", "adamax", "adagrad", "adadelta", "sgd", "lion"
]


@dataclass(frozen=True)
class TrainingConfig:
    """How the weights are fitted."""

    optimizer: Optimizer
    """Update rule, with Keras' defaults but for the learning rate."""
    learning_rate: float
    """Step size of the optimizer."""
    batch_size: int
    """Examples per update."""
    epochs: int
    """Passes over the training examples."""
    patience: int | None = None
    """Stop after this many epochs without a better validation score; None never."""
    jit: Jit = "auto"
    """Whether XLA compiles the training step: other rounding, and with dropout other
    draws. auto: what Keras decides, which is no on a machine without a GPU."""
    steps_per_execution: int = 1
    """Updates between two looks of Keras at what happened; the numbers stay."""
    schedule: Literal["constant", "cosine"] = "constant"
    """cosine: the learning rate falls to nearly 0 over the epochs, epoch by epoch."""
    clip: float | None = None
    """Scale the gradient of all weights together down to at most this norm; None
    leaves it as it is."""
    stop_at: float | None = None
    """Stop once the validation score is this good or better; None never."""
    seed: int = 0
    """Sets the split (or the data that are generated), the first weights, the order
    of batches and dropout."""

    def check(self) -> None:
        """Refuse settings no training can have.

        Raises:
            UserError: With the flag, what it takes and the way out.
        """
        least = {"batch_size": 1, "epochs": 1, "patience": 1, "steps_per_execution": 1}
        check_at_least(self, least)
        if not 0 < self.learning_rate < math.inf:
            raise UserError(
                f"--learning-rate {self.learning_rate}: takes a number above 0, e.g. "
                "0.001."
            )
        if self.clip is not None and not 0 < self.clip < math.inf:
            raise UserError(
                f"--clip {self.clip}: takes a norm above 0, e.g. 1; leave it away to "
                "clip nothing."
            )
        if self.stop_at is not None and not math.isfinite(self.stop_at):
            raise UserError(f"--stop-at {self.stop_at}: takes a score, e.g. 0.95.")
        if not 0 <= self.seed < 2**32:
            raise UserError(
                f"--seed {self.seed}: takes a whole number from 0 to 2^32 - 1."
            )

    def decides(self) -> dict[str, Any]:
        """Return what a recurrent layer must know of these settings."""
        return {"jit": self.jit}

    def resolve(self, around: Surroundings) -> tuple[TrainingConfig, list[str]]:
        """Refuse to clip a norm that is none, and change nothing.

        Raises:
            UserError: If the gradient of the embedding is not summed.
        """
        if self.clip is not None and around.sparse:
            raise UserError(
                f"--clip {self.clip:g} with --embedding-gradient sparse: Keras would "
                "take the norm of a word's rows before they are summed; take "
                "--embedding-gradient dense."
            )
        return self, []

    def compile_arguments(self) -> dict[str, Any]:
        """Return what `Model.compile` takes besides optimizer, loss and metrics."""
        return {
            "jit_compile": {"auto": "auto", "on": True, "off": False}[self.jit],
            "steps_per_execution": self.steps_per_execution,
        }


def set_seed(seed: int) -> None:
    """Seed Python, NumPy and the backend, before anything is drawn."""
    import keras

    keras.utils.set_random_seed(seed)


def build_optimizer(training: TrainingConfig) -> keras.Optimizer:
    """Return a new optimizer with the learning rate and the clipping asked for."""
    import keras

    optimizer = keras.optimizers.get(training.optimizer)
    optimizer.learning_rate = training.learning_rate
    optimizer.global_clipnorm = training.clip
    return optimizer


def fit(
    model: keras.Model,
    splits: Splits,
    training: TrainingConfig,
    folder: RunFolder,
) -> Recorder:
    """Train a compiled model and write every epoch to its run folder.

    Args:
        model: Compiled with the loss and the metric of the folder's score.
        splits: Inputs as arrays or windows; the test part is not touched.
        training: Batch size, epochs, schedule, when to stop.
        folder: An open run folder; its score picks the best epoch, on validation.

    Returns:
        The record; its `finish` scores the test set and closes the run.
    """
    import keras

    from shared.kernels.record import KernelRecord
    from shared.recorder import Recorder

    recorder = Recorder(
        folder,
        epochs=training.epochs,
        batch_size=training.batch_size,
        patience=training.patience,
        stop_at=training.stop_at,
    )
    _set_up_kernel(model, training, folder)
    if plans := plan_run(model, folder):
        print("Kernels (kernels.json says what ran)")
        for plan in plans:
            print(f"  {plan.spell()}")
    # The bar first, so that the record's line comes after it.
    callbacks = [keras.callbacks.ProgbarLogger(), recorder]
    if plans:
        callbacks.append(KernelRecord(plans, folder))
    _fit(
        model,
        splits,
        training,
        callbacks,
        verbose=1 if sys.stdout.isatty() else 2,  # a bar for people, lines for files
    )
    return recorder


def fit_quietly(
    model: keras.Model, splits: Splits, training: TrainingConfig
) -> dict[str, list[float]]:
    """Train a compiled model as `fit` does, all epochs, and write nothing down.

    Returns:
        Loss and metrics of training and validation, one number per epoch.
    """
    return _fit(model, splits, training, [], verbose=0)


def _fit(
    model: keras.Model,
    splits: Splits,
    training: TrainingConfig,
    callbacks: list[keras.callbacks.Callback],
    verbose: int,
) -> dict[str, list[float]]:
    import keras

    if training.schedule == "cosine":
        schedule = keras.callbacks.LearningRateScheduler(_cosine(training))
        callbacks = [schedule, *callbacks]
    validation = feed(splits.validation, training.batch_size)
    history = model.fit(
        **feed(splits.train, training.batch_size, shuffle_seed=training.seed),
        validation_data=validation["x"]
        if "y" not in validation
        else (validation["x"], validation["y"]),
        epochs=training.epochs,
        shuffle="y" in validation,  # a stream of windows is shuffled already
        callbacks=callbacks,
        verbose=verbose,
    )
    return history.history


def plan_run(model: keras.Model, folder: RunFolder) -> list[LayerPlan]:
    """Derive what every recurrent layer of a run's model will run on."""
    settings = folder.settings
    mask_side = settings["padding"] if settings.get("mask") else None
    return plan_model(
        model,
        settings.get("implementation"),
        mask_side,
        count_gpus(),
        settings.get("kernel") == "compiled",
        settings.get("jit", "auto"),
    )


def _set_up_kernel(
    model: keras.Model, training: TrainingConfig, folder: RunFolder
) -> None:
    """Let the recurrent layers run on the loop asked for, or on the fastest."""
    from shared.kernels.choice import apply_kernel, choose_kernel

    kernel = folder.settings.get("kernel")
    if kernel == "auto":
        told, choice = choose_kernel(model, training.batch_size, training.jit)
        print(told)
        folder.settle(**choice)
        for layer in list_recurrent_layers(model):
            if hasattr(layer, "use_cudnn"):
                set_cudnn(layer, folder.settings["cudnn"])
        model.jit_compile = choice["jit"] == "on"
        kernel = choice["kernel"]
    if kernel is not None and apply_kernel(model, kernel):
        model.jit_compile = False  # XLA cannot compile a call of the compiled loop


def _cosine(training: TrainingConfig) -> Callable[[int, float], float]:
    """Return the learning rate of each epoch, counted from 0: half a cosine wave."""
    return lambda epoch, _: (
        training.learning_rate * (1 + math.cos(math.pi * epoch / training.epochs)) / 2
    )
