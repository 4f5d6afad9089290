"""How weights and biases lie in memory for the loop of `shared.kernels.loop`.

Keras keeps the gates side by side, (inputs, gates * units), in its own order. The loop
wants each gate as wide as whole vectors, in the order of its equations, and packed into
panels that its product reads from the first value to the last.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from shared.kernels.loop.kinds import BLOCKS, GATES, GRU, GRU_RESET_BEFORE
from shared.kernels.loop.vectors import count_bits

CANDIDATE_FIRST = (2, 0, 1)  # from Keras' z, r, candidate


def order_gates(kind: int) -> tuple[int, ...]:
    """Return which of Keras' gates each block of the projected inputs is."""
    if kind in (GRU, GRU_RESET_BEFORE):
        return CANDIDATE_FIRST
    return tuple(range(GATES[kind]))


def round_up(count: int, dtype: np.dtype) -> int:
    """Return a number of values, rounded up to whole vectors."""
    lanes = count_bits() // (8 * dtype.itemsize)
    return -(-count // lanes) * lanes


def spread(weights: np.ndarray, order: Sequence[int], width: int) -> np.ndarray:
    """Return weights (inputs, gates * units) as (inputs, gates * width).

    Args:
        weights: In Keras' order.
        order: Keras' number of each gate.
        width: At least the units; the values beyond them are 0.
    """
    gates = weights.reshape(len(weights), len(order), weights.shape[1] // len(order))
    if gates.shape[2] == width and list(order) == sorted(order):
        return weights
    wide = np.zeros((len(weights), len(order), width), weights.dtype)
    for place, gate in enumerate(order):
        wide[:, place, : gates.shape[2]] = gates[:, gate]
    return wide.reshape(len(weights), len(order) * width)


def gather(wide: np.ndarray, order: Sequence[int], units: int) -> np.ndarray:
    """Return weights (inputs, gates * units) in Keras' order: `spread` turned round.

    Args:
        wide: (inputs, gates, width).
        order: As in `spread`.
        units: Values of a gate to keep.
    """
    if tuple(order) == CANDIDATE_FIRST:
        wide = wide[:, (1, 2, 0)]
    return wide[:, :, :units].reshape(len(wide), len(order) * units)


def spread_bias(
    kind: int, x_bias: np.ndarray, h_bias: np.ndarray, width: int
) -> np.ndarray:
    """Return the first row of sums: both biases, block by block."""
    blocks, gates, first_block, h_blocks = BLOCKS[kind]
    bias = np.zeros(blocks * width, x_bias.dtype)
    bias[: gates * width] = spread(x_bias[None], order_gates(kind), width)[0]
    bias[first_block * width :] += spread(h_bias[None], range(h_blocks), width)[0]
    return bias


def pack(weights: np.ndarray, parts: int = 1) -> np.ndarray:
    """Return weights (depth, columns) as panels of two vectors, flat.

    Args:
        weights: Its columns are a multiple of the lanes of a vector.
        parts: How many blocks of columns are packed one after the other.
    """
    if not weights.size:
        return weights.reshape(-1)
    depth = len(weights)
    panel = 2 * count_bits() // (8 * weights.itemsize)
    columns = weights.shape[1] // parts
    whole = columns // panel * panel
    pieces = []
    for first in range(0, weights.shape[1], columns):
        block = weights[:, first : first + columns]
        panels = block[:, :whole].reshape(depth, -1, panel).transpose(1, 0, 2)
        pieces.append(panels.reshape(-1))
        if whole < columns:
            pieces.append(block[:, whole:].reshape(-1))
    return np.concatenate(pieces) if pieces[1:] else pieces[0]


def pack_transposed(weights: np.ndarray, parts: int = 1) -> np.ndarray:
    """Return weights (inputs, columns), transposed and packed, flat.

    The inputs are rounded up to whole vectors. The transposed weights never stand in
    memory as a whole: a long stride between neighbours would be several times slower.

    Args:
        weights: As `pack` takes them.
        parts: How many blocks of columns are packed one after the other.
    """
    if not weights.size:
        return weights.reshape(-1)
    width = round_up(len(weights), weights.dtype)
    if width > len(weights):
        more = np.zeros((width - len(weights), weights.shape[1]), weights.dtype)
        weights = np.concatenate([weights, more])
    panel = 2 * count_bits() // (8 * weights.itemsize)
    whole = width // panel * panel
    pieces = []
    for block in np.split(weights, parts, axis=1) if parts > 1 else [weights]:
        panels = block[:whole].reshape(-1, panel, block.shape[1]).transpose(0, 2, 1)
        pieces.append(panels.reshape(-1))
        if whole < width:
            pieces.append(block[whole:].T.reshape(-1))
    return np.concatenate(pieces) if pieces[1:] else pieces[0]
