"""Fit a model and record it: a function around `model.fit`, not a framework."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.core.backend import count_gpus
from shared.core.text import wrap
from shared.data.feeding import feed
from shared.data.splits import Splits
from shared.kernels.plan import LayerPlan, list_recurrent_layers, plan_model
from shared.layers.recurrent import RecurrentConfig, set_cudnn
from shared.training.config import TrainingConfig

if TYPE_CHECKING:
    import keras

    from shared.runs.writer import RunFolder
    from shared.training.recorder import Recorder


def fit(
    model: keras.Model,
    data: Splits,
    training: TrainingConfig,
    folder: RunFolder,
    layer: RecurrentConfig | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> Recorder:
    """Train a compiled model and write every epoch to its run folder.

    Args:
        model: Compiled with the loss and the metrics of `data.task`.
        data: The test part is not read.
        training: How to train.
        folder: An open run folder. The validation score of its task picks the best
            epoch.
        layer: The flags of the recurrent layers, which say which kernel runs; None
            leaves the kernel to Keras.
        callbacks: More callbacks. They are called before the record.

    Returns:
        The record. Its `finish` scores the test set and closes the run.
    """
    from shared.training.averages import list_averages
    from shared.training.kernel_record import KernelRecord
    from shared.training.recorder import ProgressLine, Recorder

    callbacks = [*list_averages(training), *callbacks]
    recorder = Recorder(
        folder,
        epochs=training.epochs,
        batch_size=training.batch_size,
        patience=training.patience,
        stop_at=training.stop_at,
        callbacks=callbacks,
    )
    choice = _set_up_kernel(model, training, layer, folder)
    if plans := plan_run(model, data, choice):
        print("Kernels (kernels.json records what ran)")
        for plan in plans:
            print(wrap(plan.describe(), "  "))
    called = [ProgressLine(training.epochs), *callbacks, recorder]
    if plans:
        called.append(KernelRecord(plans, folder))
    _fit(model, data, training, called, recorder)
    return recorder


def fit_quietly(
    model: keras.Model, data: Splits, training: TrainingConfig
) -> dict[str, list[float]]:
    """Train a compiled model as `fit` does, for all epochs, and write nothing.

    Returns:
        Loss and metrics of training and validation, one number per epoch.
    """
    from shared.training.averages import list_averages

    return _fit(model, data, training, list_averages(training))


@dataclass(frozen=True)
class KernelChoice:
    """Which kernel the recurrent layers of a model run on.

    Attributes:
        kernel: `keras` or `compiled`; None if the recipe has no such flag.
        jit: `auto`, `on` or `off`.
        implementation: The requested one; None if the layer has no such flag.
    """

    kernel: str | None
    jit: str
    implementation: int | None = None


def plan_run(model: keras.Model, data: Splits, choice: KernelChoice) -> list[LayerPlan]:
    """Return the kernel that every recurrent layer of a model will run on."""
    return plan_model(
        model,
        choice.implementation,
        data.mask_side,
        count_gpus(),
        choice.kernel == "compiled",
        choice.jit,
    )


def _fit(
    model: keras.Model,
    data: Splits,
    training: TrainingConfig,
    callbacks: list[keras.callbacks.Callback],
    recorder: Recorder | None = None,
) -> dict[str, list[float]]:
    import keras

    if training.schedule == "cosine":
        schedule = keras.callbacks.LearningRateScheduler(_cosine(training))
        callbacks = [schedule, *callbacks]
    _create_variables(model, data)
    trained = 0
    if recorder is not None and recorder.folder.start is not None:
        trained = recorder.folder.start.begin(model, recorder)
    validation = feed(data.validation, training.batch_size)
    history = model.fit(
        **feed(data.train, training.batch_size, training.seed, trained),
        validation_data=validation["x"]
        if "y" not in validation
        else (validation["x"], validation["y"]),
        initial_epoch=trained,
        epochs=training.epochs,
        class_weight=data.class_weights,
        shuffle="y" in validation,  # a stream of windows is shuffled already
        callbacks=callbacks,
        verbose=0,
    )
    return history.history


def _create_variables(model: keras.Model, data: Splits) -> None:
    """Create the variables of the optimizer and the metrics before the first step.

    TensorFlow traces a function twice if its first call creates variables.
    """
    import numpy as np

    if not model.optimizer.built:  # a scaled loss (Keras 3.15) would lose its state
        model.optimizer.build(model.trainable_variables)
    targets = data.train.targets[:1]
    shape = model.output_shape
    if None in shape[1:]:  # texts of any length
        shape = (1, targets.shape[1], *shape[2:])
    model.compute_metrics(None, targets, np.zeros((1, *shape[1:]), np.float32))
    model.reset_metrics()


def _set_up_kernel(
    model: keras.Model,
    training: TrainingConfig,
    layer: RecurrentConfig | None,
    folder: RunFolder,
) -> KernelChoice:
    """Set the recurrent layers to the requested kernel, or to the fastest one."""
    from shared.kernels.choice import apply_kernel, choose_kernel
    from shared.kernels.updates import use_compiled_updates

    if layer is None:
        return KernelChoice(None, training.jit)
    kernel, jit = layer.kernel, training.jit
    if kernel == "auto":
        message, choice = choose_kernel(model, training.batch_size, training.jit)
        print(message)
        kernel, jit = choice["kernel"], choice["jit"]
        for built in list_recurrent_layers(model):
            if hasattr(built, "use_cudnn"):
                set_cudnn(built, choice.get("cudnn", layer.cudnn))
        model.jit_compile = jit == "on"
        folder.update_settings(model.jit_compile, **choice)
    if apply_kernel(model, kernel):
        model.jit_compile = False  # XLA cannot compile a call of the compiled loop
        use_compiled_updates(model)
    return KernelChoice(kernel, jit, layer.implementation)


def _cosine(training: TrainingConfig) -> Callable[[int, float], float]:
    """Return the learning rate of each epoch, counted from 0: half a cosine wave."""
    return lambda epoch, _: (
        training.learning_rate * (1 + math.cos(math.pi * epoch / training.epochs)) / 2
    )
