"""The state of a training as a checkpoint, and when one is written."""

from __future__ import annotations

import inspect
import random
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from shared.core.errors import UserError
from shared.runs.checkpoint import (
    VERSION,
    Checkpoint,
    Facts,
    RandomState,
    write_checkpoint,
)

if TYPE_CHECKING:
    from shared.runs.writer import RunFolder
    from shared.training.recorder import Recorder

SHARE = 0.02  # of the training time that checkpoints may take
GUESS = 0.02  # seconds that the first checkpoint takes


class CheckpointWriter:
    """Writes `checkpoint.npz` after some epochs.

    `every` of the run folder says how often. None: as often as it takes at most 2 % of
    the training time, and after the last epoch. 0: never.
    """

    def __init__(self, folder: RunFolder) -> None:
        """Keep the run folder."""
        self.folder = folder
        self.cost = GUESS
        self.trained = 0.0  # seconds since the latest checkpoint
        self.is_first = True

    def epoch_ended(self, recorder: Recorder, is_last: bool) -> None:
        """Write a checkpoint if it is due.

        Args:
            recorder: The record of the training, after an epoch.
            is_last: Whether the training ends here.
        """
        row = recorder.rows[-1]
        self.trained += row["seconds"]
        every = self.folder.checkpoint_every
        if not is_due(every, row["epoch"], self.trained, self.cost, is_last):
            return
        began = time.perf_counter()
        size = write_checkpoint(self.folder.path, describe_training(recorder))
        self.cost, self.trained = time.perf_counter() - began, 0.0
        if self.is_first:
            self.is_first = False
            print(
                f"  Checkpoint for --resume: {size / 1e6:.1f} MB, in {self.cost:.2f} s "
                "(--checkpoint-every 0: none)"
            )


def is_due(
    every: int | None, epoch: int, trained: float, cost: float, is_last: bool
) -> bool:
    """Return whether to write a checkpoint after an epoch.

    Args:
        every: Epochs from one to the next; 0: never; None: see `CheckpointWriter`.
        epoch: The epoch that has ended, from 1.
        trained: Seconds of training since the latest checkpoint.
        cost: Seconds that a checkpoint takes.
        is_last: Whether the training ends with this epoch.
    """
    if every == 0:
        return False
    if is_last:
        return True
    return epoch % every == 0 if every else cost <= SHARE * trained


def list_variables(model: keras.Model) -> dict[str, list[keras.Variable]]:
    """Return all variables of a compiled model and of its optimizer, in order.

    Those of the model include the states of its random generators.
    """
    if not model.optimizer.built:  # a scaled loss (Keras 3.15) would lose its state
        model.optimizer.build(model.trainable_variables)
    return {"model": model.variables, "optimizer": model.optimizer.variables}


def describe_training(recorder: Recorder) -> Checkpoint:
    """Return the state of a training after an epoch."""
    model, epoch = recorder.model, recorder.rows[-1]["epoch"]
    arrays = {
        kind: [np.asarray(variable) for variable in variables]
        for kind, variables in list_variables(model).items()
    }
    best = recorder.best and recorder.best["epoch"]
    arrays["best"] = [] if best in (None, epoch) else recorder.best_weights
    _, (*state, place), gauss = random.getstate()
    _, key, position, has_gauss, cached = np.random.get_state()
    arrays["random"] = [np.array(state, np.uint32), np.asarray(key, np.uint32)]
    numbers = RandomState(
        python_place=place,
        python_gauss=None if gauss is None else gauss.hex(),
        numpy_place=int(position),
        numpy_has_gauss=int(has_gauss),
        numpy_gauss=float(cached).hex(),
    )
    facts = Facts(
        version=VERSION,
        epoch=epoch,
        best_epoch=best,
        seconds=recorder.count_seconds(),
        random=numbers,
        callbacks=[_read_numbers(callback) for callback in recorder.callbacks],
    )
    return Checkpoint(facts, arrays)


def check_variables(model: keras.Model, checkpoint: Checkpoint) -> None:
    """Refuse a checkpoint whose values do not fit a compiled model.

    Raises:
        UserError: With the first value that does not fit.
    """
    known = list_variables(model) | {"best": model.weights}
    if not checkpoint.arrays["best"]:
        del known["best"]
    for kind, variables in known.items():
        arrays = checkpoint.arrays[kind]
        if len(arrays) != len(variables):
            raise UserError(
                f"{len(arrays)} values of the {kind}, where {len(variables)} are needed"
            )
        for variable, array in zip(variables, arrays, strict=True):
            needed = (
                tuple(variable.shape),
                keras.backend.standardize_dtype(variable.dtype),
            )
            if (array.shape, array.dtype.name) != needed:
                raise UserError(
                    f"{variable.path} has the shape {array.shape} and the type "
                    f"{array.dtype.name}, where {needed[0]} and {needed[1]} are needed"
                )


def restore_variables(model: keras.Model, checkpoint: Checkpoint) -> None:
    """Set all variables of a compiled model and of its optimizer."""
    check_variables(model, checkpoint)
    for kind, variables in list_variables(model).items():
        for variable, array in zip(variables, checkpoint.arrays[kind], strict=True):
            variable.assign(array)


def restore_random(checkpoint: Checkpoint) -> None:
    """Set the random generators of Python and NumPy."""
    numbers, (python, numpy) = checkpoint.facts.random, checkpoint.arrays["random"]
    gauss = numbers.python_gauss
    state = (*map(int, python), numbers.python_place)
    random.setstate((3, state, None if gauss is None else float.fromhex(gauss)))
    cached = float.fromhex(numbers.numpy_gauss)
    places = numbers.numpy_place, numbers.numpy_has_gauss
    np.random.set_state(("MT19937", numpy, *places, cached))


def restore_callbacks(
    callbacks: Sequence[keras.callbacks.Callback], checkpoint: Checkpoint
) -> None:
    """Set the numbers that the callbacks of a recipe keep, such as those of patience.

    Call it when the training has begun, because many callbacks reset them there.
    """
    for callback, numbers in zip(callbacks, checkpoint.facts.callbacks, strict=True):
        for name, value in numbers.items():
            is_float = isinstance(value, str)
            setattr(callback, name, float.fromhex(value) if is_float else value)


def _read_numbers(callback: keras.callbacks.Callback) -> dict[str, Any]:
    """Return the attributes of a callback that are plain numbers or None.

    Arguments of the constructor are left out, since they do not change, or follow.
    """
    numbers, given = {}, inspect.signature(type(callback).__init__).parameters
    for name, value in vars(callback).items():
        if name in given:
            continue
        if isinstance(value, float | np.floating):
            numbers[name] = float(value).hex()
        elif isinstance(value, bool | int) or value is None:
            numbers[name] = value
    return numbers
