"""Convert recurrent weights from Keras to PyTorch and back (NumPy only).

For each layer and direction PyTorch (2.x) holds `weight_ih` (gates * units, features),
`weight_hh` (gates * units, units), `bias_ih` and `bias_hh` (gates * units,).

- Its matrices are transposed.
- The gates of LSTM have the same order in both: i, f, g, o. GRU has r, z, n in PyTorch
  and z, r, n in Keras.
- PyTorch always has two biases. Keras' GRU has both (with `reset_after`), in one array.
  Keras' SimpleRNN and LSTM have one: it becomes `bias_ih`, and `bias_hh` is 0. In the
  other direction the two are summed.
- The update gate means the same: h' = z h + (1 - z) n keeps the state where z is 1.
- PyTorch has no GRU with the reset gate before the product (`reset_after=False`).

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
        gradients: Whether the arrays are gradients. Then the gradient of one bias is
            that of both, not their sum.
    """
    matrix, recurrent, *biases = (_swap(cell, arrays[name]) for name in NAMES)
    if cell == "GRU":
        bias = np.stack(biases)
    else:
        bias = biases[0] if gradients else biases[0] + biases[1]
    return [matrix.T, recurrent.T, bias]


def _swap(cell: str, array: np.ndarray) -> np.ndarray:
    """Swap GRU's first two gates along the first axis."""
    if cell != "GRU":
        return array
    first, second, candidate = np.split(array, 3)
    return np.concatenate([second, first, candidate])
