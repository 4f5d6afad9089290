"""Measure the gradient flow of saved runs, with first weights and with trained ones."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from shared.core.backend import import_keras
from shared.core.errors import UserError
from shared.data.windows import Windows
from shared.inference.load_model import load_model
from shared.inference.rebuild import rebuild_run
from shared.kernels.plan import list_recurrent_layers
from shared.runs.groups import choose_runs
from shared.runs.reader import Run
from shared.studies.gradient_flow.state_gradients import Flow, measure_flow

if TYPE_CHECKING:
    import keras

    from shared.data.splits import Examples

StateFlows = dict[str, dict[str, Flow]]
"""Name of a layer and its state -> `start` and `trained` -> the gradient."""


def find_named(names: Iterable[str], root: Path) -> list[Run]:
    """Return the newest finished run of each named recipe, and each named run.

    Raises:
        UserError: If there is no name, or a name fits no run.
    """
    runs = {}
    for name in names:
        run = choose_runs([name], root)[0][-1]
        runs.setdefault(run.path.resolve(), run)
    if not runs:
        raise UserError("Name recipes or run folders, e.g. imdb-gru.")
    return list(runs.values())


def measure_run(run: Run, examples: int, data_dir: Path | None = None) -> StateFlows:
    """Measure a run with its first weights and with its saved ones.

    Args:
        run: With a model in its folder.
        examples: Number of validation examples; all if there are fewer. They are drawn
            from the whole part, since neighbours in a series are similar, and are the
            same every time.
        data_dir: Folder of its data file; None uses the folder of the run.

    Returns:
        Name of the layer and the state -> the gradient with the first weights
        (`start`) and with the saved ones (`trained`).

    Raises:
        UserError: If the run has no model, no recurrent layer or several inputs, or
            cannot be rebuilt.
    """
    import_keras()
    model = load_model(run.path)
    if not any(True for _ in list_recurrent_layers(model)):
        raise UserError(
            f"{run.path}: {run.recipe} has no recurrent layer (SimpleRNN, LSTM or "
            "GRU), so it has no state to measure. Name a run of another recipe."
        )
    if len(model.inputs) > 1:
        raise UserError(
            f"{run.path}: its network also reads the known future, and gradient flow "
            "reads networks with one input. Train it with --calendar none and without "
            "--known."
        )
    first = rebuild_run(run, data_dir)
    if _list_shapes(first.model) != _list_shapes(model):
        raise UserError(
            f"{run.path}: {run.recipe} builds another model now than it did for this "
            "run. Train it again."
        )
    inputs, targets = _draw_examples(first.data.validation, examples)
    flows = {
        "start": measure_flow(first.model, inputs, targets, first.data.task.loss),
        "trained": measure_flow(model, inputs, targets, first.data.task.loss),
    }
    pairs = zip(flows["start"], flows["trained"], strict=True)
    return {
        f"{start.layer}, {start.state}": {"start": start, "trained": trained}
        for start, trained in pairs
    }


def _draw_examples(part: Examples, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return inputs and targets of some random examples, as arrays."""
    count = min(count, len(part))
    chosen = np.random.default_rng(0).choice(len(part), count, replace=False)
    chosen.sort()
    inputs = part.inputs
    cut = inputs.cut(chosen) if isinstance(inputs, Windows) else inputs[chosen]
    return cut, part.targets[chosen]


def _list_shapes(model: keras.Model) -> list[tuple[int, ...]]:
    return [tuple(weight.shape) for weight in model.weights]
