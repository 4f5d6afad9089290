"""The gates of the first recurrent layer while it reads one example."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.cells.bptt import ACTIVATIONS, Trace
from shared.cells.numpy_cells import GRU, LSTM, SimpleRNN
from shared.kernels.plan import list_recurrent_layers

if TYPE_CHECKING:
    import keras

NAMES = {
    "z": "update gate", "r": "reset gate", "i": "input gate", "f": "forget gate",
    "o": "output gate",
}  # fmt: skip
MOST_UNITS = 3


@dataclass(frozen=True)
class Gates:
    """What one layer did, step by step.

    Attributes:
        layer: Its name.
        means: Name of a gate -> mean over the units, (steps,). Empty for a layer
            without gates.
        active: Numbers of the units whose state moved most in each step, from 1.
        moved: How far they moved, (steps, MOST_UNITS).
    """

    layer: str
    means: dict[str, np.ndarray]
    active: np.ndarray
    moved: np.ndarray

    def take(self, steps: np.ndarray) -> Gates:
        """Return the values of some steps only."""
        means = {name: values[steps] for name, values in self.means.items()}
        return Gates(self.layer, means, self.active[steps], self.moved[steps])

    def to_cells(self, step: int) -> dict[str, Any]:
        """Return the cells of a step for a table."""
        cells = {
            name.replace(" ", "_"): round(float(values[step]), 4)
            for name, values in self.means.items()
        }
        return cells | {"most_active_units": " ".join(map(str, self.active[step]))}


def read_gates(model: keras.Model, inputs: list[np.ndarray]) -> Gates | None:
    """Return the gates of the first recurrent layer.

    A layer that reads in both directions: its forward part. A layer that reads from the
    end: its values are in the order of the steps.

    Args:
        model: Of a run.
        inputs: Each input of one example, without the axis of the batch.

    Returns:
        None if the model has no such layer, or activations that the reference cells in
        NumPy do not have.
    """
    layer = next(list_recurrent_layers(model), None)
    if layer is None or not _is_known(layer):
        return None
    trace = trace_layer(model, layer, inputs)
    states = trace.states[0][0]
    moved = np.abs(np.diff(states, axis=0))
    units = min(MOST_UNITS, moved.shape[1])
    active = np.argsort(-moved, axis=1)[:, :units]
    found = Gates(
        layer=layer.name,
        means={
            title: trace.gates[name][0].mean(axis=1)
            for name, title in NAMES.items()
            if name in trace.gates
        },
        active=active + 1,
        moved=np.take_along_axis(moved, active, axis=1),
    )
    if not layer.go_backwards:
        return found
    means = {name: values[::-1] for name, values in found.means.items()}
    return Gates(found.layer, means, found.active[::-1], found.moved[::-1])


def trace_layer(
    model: keras.Model, layer: keras.Layer, inputs: list[np.ndarray]
) -> Trace:
    """Return what a recurrent layer of a model computes, in the order it reads.

    Args:
        model: Of a run.
        layer: SimpleRNN, LSTM or GRU of the model, maybe in a wrapper.
        inputs: Each input of one example, without the axis of the batch.
    """
    import keras

    holder = next(one for one in model.layers if _holds(one, layer))
    # Keras counts the mask among the inputs of a layer.
    parts = holder.input if isinstance(holder.input, list) else [holder.input]
    before = keras.Model(model.inputs, parts)
    found = before([one[None] for one in inputs], training=False)
    read, *others = found if isinstance(found, list) else [found]
    values = np.asarray(read, np.float64)
    masks = [np.asarray(one) for one in others if one.dtype == bool]
    mask = masks[0] if masks else None
    if layer.go_backwards:
        values = values[:, ::-1]
        mask = None if mask is None else mask[:, ::-1]
    return _make_cell(layer).forward(values, mask=mask)


def _is_known(layer: keras.Layer) -> bool:
    names = [layer.activation.__name__]
    if hasattr(layer, "recurrent_activation"):
        names.append(layer.recurrent_activation.__name__)
    return layer.use_bias and set(names) <= set(ACTIVATIONS)


def _holds(holder: keras.Layer, layer: keras.Layer) -> bool:
    from shared.layers.carried import CarryState  # imports Keras

    if isinstance(holder, CarryState):
        return holder.layer is layer
    return layer in (holder, getattr(holder, "forward_layer", None))


def _make_cell(layer: keras.Layer) -> SimpleRNN | LSTM | GRU:
    weights = [np.asarray(weight, np.float64) for weight in layer.get_weights()]
    settings = {"activation": layer.activation.__name__}
    kind = type(layer).__name__
    if kind == "SimpleRNN":
        return SimpleRNN(*weights, **settings)
    settings["recurrent_activation"] = layer.recurrent_activation.__name__
    if kind == "LSTM":
        return LSTM(*weights, **settings)
    return GRU(*weights, **settings, reset_after=layer.reset_after)
