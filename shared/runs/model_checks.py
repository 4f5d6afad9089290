"""Checks of a compiled model before a run folder is opened."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.core.errors import UserError

if TYPE_CHECKING:
    import keras

    from shared.data.splits import Splits

CELLS = ("SimpleRNN", "LSTM", "GRU")


def check_model(model: keras.Model, data: Splits) -> None:
    """Check before the training that the model and the targets fit the task.

    Args:
        model: A compiled model.
        data: The data with their task.

    Raises:
        UserError: With what the task needs.
    """
    task = data.task
    metric = task.score.metric
    names = list(_list_metrics(model))
    if metric != "loss" and metric not in names:
        found = ", ".join(map(repr, names)) or "none"
        raise UserError(
            f"{model.name}: the score of this task is {metric!r}, but the model is "
            f"compiled with these metrics: {found}. Compile it with "
            "metrics=data.task.metrics() and add your own metrics to that list."
        )
    targets = np.asarray(data.validation.targets)
    constant = task.predict_constant(targets)
    outputs = [size for size in model.output_shape[1:] if size != 1]
    if len(outputs) != len([size for size in constant.shape if size != 1]):
        raise UserError(
            f"{model.name}: its outputs have the shape {model.output_shape}, but the "
            f"task {task.kind} with targets {targets.shape} needs "
            f"{('batch', *constant.shape)}. Change the last layer, or change the task "
            "in load_data."
        )
    measured = metric if metric in task.measures else next(iter(task.measures))
    some = targets[:2]
    task.measure(measured, some, task.keep(some, np.stack([constant] * len(some))))


def list_layer_sizes(model: keras.Model) -> list[dict[str, Any]]:
    """Return units, inputs and parameters of every SimpleRNN, LSTM and GRU layer."""
    return [
        {
            "layer": layer.name,
            "kind": type(layer).__name__,
            "units": layer.units,
            "inputs": int(layer.cell.kernel.shape[0]),
            "parameters": layer.count_params(),
        }
        for layer in (getattr(layer, "layer", layer) for layer in model.layers)
        if type(layer).__name__ in CELLS
    ]


def _list_metrics(model: keras.Model) -> Iterator[str]:
    """Yield the names that a compiled model's metrics have in its history."""
    for metric in (model.get_compile_config() or {}).get("metrics") or []:
        if isinstance(metric, dict):
            yield metric["config"]["name"]
        else:
            yield str(metric)
