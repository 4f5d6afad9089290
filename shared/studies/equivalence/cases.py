"""Cases that every implementation must compute, and their reference results.

A case is a small network of recurrent layers, with weights and a batch to read. Its
reference is the result of the cells in NumPy (`shared.cells.numpy_cells`) in float64.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from shared.cells.bptt import Cell, Gradients
from shared.cells.numpy_cells import GRU, LSTM, SimpleRNN

CELLS = ("SimpleRNN", "LSTM", "GRU", "GRU, reset before")
NETWORKS = ("one layer", "stacked", "bidirectional")
PADDINGS = ("none", "left", "right")
DTYPES = ("float32", "float64")
GATES = {"SimpleRNN": 1, "LSTM": 4, "GRU": 3, "GRU, reset before": 3}


@dataclass(frozen=True)
class Sizes:
    """Sizes of a case."""

    batch: int = 5
    """Sequences."""
    steps: int = 24
    """Steps of the longest sequence."""
    features: int = 7
    """Numbers per step."""
    units: int = 16
    """Size of a layer's state."""


@dataclass(frozen=True)
class Result:
    """What one implementation computed.

    Attributes:
        outputs: (batch, steps, units of the last layer, twice if bidirectional).
        gradients: Of the sum of outputs times `Case.loss_weights`, by the inputs and
            then by the weights in their order; None without a backward pass.
    """

    outputs: np.ndarray
    gradients: list[np.ndarray] | None


@dataclass(frozen=True)
class Case:
    """A network and what it reads. The random draws are the same every time.

    Attributes:
        cell: One of `CELLS`.
        network: One of `NETWORKS`; a stack has two layers.
        padding: The side on which shorter sequences are padded and masked, or none.
        dtype: Numbers that an implementation computes with.
        sizes: Of the batch and of the layers.
    """

    cell: str
    network: str
    padding: str
    dtype: str
    sizes: Sizes

    @property
    def name(self) -> str:
        """The case in words."""
        padding = "no mask" if self.padding == "none" else f"{self.padding} padding"
        return f"{self.cell}, {self.network}, {padding}, {self.dtype}"

    @cached_property
    def weights(self) -> list[list[np.ndarray]]:
        """Kernel, recurrent kernel and bias of each cell, float32 numbers.

        In Keras' order: a stack from the lowest layer up, a bidirectional layer with
        the forward direction first.
        """
        random = np.random.default_rng(1)
        units, gates = self.sizes.units, GATES[self.cell]
        weights = []
        for place in range(1 if self.network == "one layer" else 2):
            above = place == 1 and self.network == "stacked"
            features = units if above else self.sizes.features
            bias = (2, gates * units) if self.cell == "GRU" else (gates * units,)
            shapes = [(features, gates * units), (units, gates * units), bias]
            std = 1 / np.sqrt(units)
            weights.append(
                [random.normal(0, std, shape).astype("float32") for shape in shapes]
            )
        return weights

    @cached_property
    def lengths(self) -> np.ndarray:
        """int64, (batch,): steps of each sequence that are read."""
        batch, steps = self.sizes.batch, self.sizes.steps
        if self.padding == "none":
            return np.full(batch, steps)
        lengths = np.linspace(1, steps, batch).round().astype(np.int64)
        return np.random.default_rng(2).permutation(lengths)

    @cached_property
    def mask(self) -> np.ndarray:
        """bool, (batch, steps): which steps are read."""
        steps = np.arange(self.sizes.steps)
        if self.padding == "left":
            steps = steps[::-1]
        return steps < self.lengths[:, None]

    @cached_property
    def inputs(self) -> np.ndarray:
        """(batch, steps, features), float32 numbers; 0 where padded."""
        sizes = self.sizes
        shape = (sizes.batch, sizes.steps, sizes.features)
        inputs = np.random.default_rng(3).normal(size=shape).astype("float32")
        return np.where(self.mask[:, :, None], inputs, np.float32(0))

    @cached_property
    def loss_weights(self) -> np.ndarray:
        """Weight of each output in the loss, in their shape; 0 where padded."""
        width = self.sizes.units * (2 if self.network == "bidirectional" else 1)
        shape = (*self.mask.shape, width)
        loss_weights = np.random.default_rng(4).normal(size=shape).astype("float32")
        return np.where(self.mask[:, :, None], loss_weights, np.float32(0))


def list_cases(sizes: Sizes) -> Iterator[Case]:
    """Yield every case of one size."""
    for names in itertools.product(CELLS, NETWORKS, PADDINGS, DTYPES):
        yield Case(*names, sizes)


def compute_with_cells(case: Case, dtype: str) -> Result:
    """Compute a case with the cells of `shared.cells.numpy_cells`.

    Args:
        case: What to compute.
        dtype: float32 or float64. It replaces the dtype of the case.
    """
    cells = [_make_cell(case.cell, weights, dtype) for weights in case.weights]
    inputs, loss_weights = case.inputs.astype(dtype), case.loss_weights.astype(dtype)
    first = cells[0].forward(inputs, mask=case.mask)
    if case.network == "one layer":
        gradients = cells[0].backward(first, loss_weights)
        return Result(first.outputs, _list_gradients(gradients.inputs, [gradients]))
    if case.network == "stacked":
        second = cells[1].forward(first.outputs, mask=case.mask)
        above = cells[1].backward(second, loss_weights)
        below = cells[0].backward(first, above.inputs)
        return Result(second.outputs, _list_gradients(below.inputs, [below, above]))
    back = cells[1].forward(inputs[:, ::-1], mask=case.mask[:, ::-1])
    outputs = np.concatenate([first.outputs, back.outputs[:, ::-1]], axis=2)
    ahead, behind = np.split(loss_weights, 2, axis=2)
    forward = cells[0].backward(first, ahead)
    backward = cells[1].backward(back, behind[:, ::-1])
    d_inputs = forward.inputs + backward.inputs[:, ::-1]
    return Result(outputs, _list_gradients(d_inputs, [forward, backward]))


def measure_distance(
    case: Case, result: Result, reference: Result
) -> tuple[float, float | None]:
    """Return how far a result is from the reference.

    Returns:
        The largest difference of outputs at steps that are read. The largest
        difference of gradients, each as a share of the largest value of its array;
        None if the result has no gradients.
    """
    found = result.outputs.astype(np.float64)[case.mask]
    outputs = _largest(found - reference.outputs[case.mask])
    if result.gradients is None:
        return outputs, None
    pairs = zip(result.gradients, reference.gradients, strict=True)
    return outputs, max(
        _largest(np.asarray(g, np.float64).reshape(t.shape) - t) / _largest(t)
        for g, t in pairs
    )


def _largest(values: np.ndarray) -> float:
    """Return the largest magnitude; NaN if there is one."""
    return float(np.abs(values).max())


def _make_cell(name: str, weights: Sequence[np.ndarray], dtype: str) -> Cell:
    arrays = [array.astype(dtype) for array in weights]
    if name == "SimpleRNN":
        return SimpleRNN(*arrays)
    if name == "LSTM":
        return LSTM(*arrays)
    return GRU(*arrays, reset_after=name == "GRU")


def _list_gradients(
    inputs: np.ndarray, gradients: Sequence[Gradients]
) -> list[np.ndarray]:
    weights = ((g.kernel, g.recurrent_kernel, g.bias) for g in gradients)
    return [inputs, *itertools.chain(*weights)]
