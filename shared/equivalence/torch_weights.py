"""PyTorch's recurrent weights from Keras', and back (NumPy only).

PyTorch (2.x) holds of each layer and direction `weight_ih` (gates * units, features),
`weight_hh` (gates * units, units), `bias_ih` and `bias_hh` (gates * units,).

- Its matrices stand the other way round: they are the transposed ones.
- LSTM has the gates in one order in both: i, f, g, o. GRU has r, z, n in PyTorch where
  Keras has z, r, n.
- PyTorch always has two biases. Keras' GRU has both (with `reset_after`), in one array;
  Keras' SimpleRNN and LSTM have one: it becomes `bias_ih`, and `bias_hh` 0. On the way
  back the two are summed.
- The update gate means the same: h' = z h + (1 - z) n keeps the state where z is 1.
- PyTorch has no GRU whose reset gate stands before the product (`reset_after=False`).

Formulas: documentation of torch.nn.RNN, torch.nn.LSTM and torch.nn.GRU.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def to_torch(cell: str, weights: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Return PyTorch's four arrays of a layer.

    Args:
        cell: SimpleRNN, LSTM or GRU (with the reset gate after the product).
        weights: Keras' kernel, recurrent kernel and bias.
    """
    kernel, recurrent_kernel, bias = weights
    biases = bias if cell == "GRU" else np.stack([bias, np.zeros_like(bias)])
    arrays = (kernel.T, recurrent_kernel.T, *biases)
    return {
        name: np.ascontiguousarray(_swap(cell, array))
        for name, array in zip(NAMES, arrays, strict=True)
    }


def from_torch(
    cell: str, arrays: dict[str, np.ndarray], gradients: bool = False
) -> list[np.ndarray]:
    """Return Keras' kernel, recurrent kernel and bias of a layer.

    Args:
        cell: As in `to_torch`.
        arrays: By the names of `NAMES`.
        gradients: Whether they are gradients: then that of one bias is that of both,
            not their sum.
    """
    matrix, recurrent, *biases = (_swap(cell, arrays[name]) for name in NAMES)
    if cell == "GRU":
        bias = np.stack(biases)
    else:
        bias = biases[0] if gradients else biases[0] + biases[1]
    return [matrix.T, recurrent.T, bias]


def _swap(cell: str, array: np.ndarray) -> np.ndarray:
    """Change the places of GRU's first two gates, which stand in the first axis."""
    if cell != "GRU":
        return array
    first, second, candidate = np.split(array, 3)
    return np.concatenate([second, first, candidate])
