"""Run the compiled loop on the arrays of a batch, its parts in parallel.

The batch is cut into parts of a few rows, whatever the number of cores, and the
gradients of the parts are summed in order. So the number of cores changes no result.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from shared.core.environment import count_threads
from shared.kernels.loop import kinds

FEW_ROWS = 8  # rows per call, at least: two tiles of a product
ROWS = 16  # at most: enough for fast products, few enough for the cache
WIDE, WIDE_ROWS = 128, 64  # above so many units: the weights exceed the cache
SMALL = 1.5e7  # multiplications and additions; less is done sooner on one core
ALIGNMENT = 64  # bytes; TensorFlow copies arrays with another alignment


LEARNED = (
    "x", "h0", "c0", "x_weights", "h_weights", "last_weights", "x_bias", "h_bias",
)  # fmt: skip


@dataclass(frozen=True)
class Loop:
    """What the compiled loop must know about a layer.

    Attributes:
        kind: Number of the cell in `shared.kernels.loop`.
        activation: Number of the candidate's activation.
        gate_activation: Number of the gates' activation.
    """

    kind: int
    activation: int
    gate_activation: int


def read_batch(
    loop: Loop, names: Sequence[str], sequences: bool, keep: bool, *arrays: np.ndarray
) -> list[np.ndarray]:
    """Read a batch, its parts in parallel.

    Args:
        loop: What to run.
        names: Of the arrays.
        sequences: Whether to return the states of all steps.
        keep: Whether to save what `go_back` needs.
        *arrays: See `complete`.

    Returns:
        The states (batch, steps or 0, units), both states after the last step (the
        second one empty but for LSTM), and the two buffers that `go_back` needs.
    """
    from shared.kernels.loop.forward import run_forward
    from shared.kernels.loop.layout import (
        order_gates,
        pack,
        round_up,
        spread,
        spread_bias,
    )

    named = complete(loop, names, arrays)
    x, h, c = named["x"], named["h0"].copy(), named["c0"].copy()
    batch, steps, _ = x.shape
    units = h.shape[1]
    width, order = round_up(units, x.dtype), order_gates(loop.kind)
    h_blocks = kinds.BLOCKS[loop.kind][3]
    x_masks, h_masks = _order_masks(named["x_masks"], order), named["h_masks"]
    x_weights = pack(spread(named["x_weights"], order, width), max(1, len(x_masks)))
    h_weights = spread(named["h_weights"], range(h_blocks), width)
    h_weights = pack(h_weights, max(1, len(h_masks)))
    last_weights = pack(spread(named["last_weights"], (0,), width))
    bias = spread_bias(loop.kind, named["x_bias"], named["h_bias"], width)
    states = _allocate((batch, steps if sequences else 0, units), x.dtype)
    past = _allocate((batch * (steps + 1) * width if keep else 0,), x.dtype)
    saved = kinds.SAVED[loop.kind] * width
    saved = _allocate((batch * steps * saved if keep else 0,), x.dtype)

    def read(place: int, rows: np.ndarray) -> None:
        run_forward(
            loop.kind, loop.activation, loop.gate_activation, rows, place, width,
            x.reshape(-1), x.shape[2], named["mask"], x_masks, h_masks,
            named["last_mask"], x_weights, h_weights, last_weights, bias, h, c,
            states.reshape(-1), past, saved,
        )  # fmt: skip

    parts = _cut_rows(named["mask"], units)
    _map(read, parts, _count_work(loop, x, width))
    return [states, h, c, past, saved]


def go_back(loop: Loop, names: Sequence[str], *arrays: np.ndarray) -> list[np.ndarray]:
    """Go back over a batch.

    Args:
        loop: As in `read_batch`.
        names: As in `read_batch`.
        *arrays: As in `read_batch`. Then both buffers, the gradients by both states
            after the last step, and that by the states of all steps, if there is one.

    Returns:
        Gradients by those of LEARNED that are among the names.
    """
    from shared.kernels.loop.backward import run_backward
    from shared.kernels.loop.layout import (
        gather,
        order_gates,
        pack_transposed,
        round_up,
        spread,
    )

    named = complete(loop, names, arrays[: len(names)])
    past, saved, d_h, d_c, *d_states = arrays[len(names) :]
    d_states = d_states[0].reshape(-1) if d_states else saved[:0]
    x, d_h, d_c = named["x"], d_h.copy(), d_c.copy()
    features, units = x.shape[2], d_h.shape[1]
    width, order = round_up(units, x.dtype), order_gates(loop.kind)
    blocks, gates, first_block, h_blocks = kinds.BLOCKS[loop.kind]
    x_masks, h_masks = _order_masks(named["x_masks"], order), named["h_masks"]
    x_weights, h_weights, last_weights = (
        pack_transposed(spread(named[name], gate_order, width), max(1, parts))
        for name, gate_order, parts in (
            ("x_weights", order, len(x_masks)),
            ("h_weights", range(h_blocks), len(h_masks)),
            ("last_weights", (0,), 1),
        )
    )
    d_x = _allocate(x.shape, x.dtype)
    last_units = len(named["last_weights"])
    sizes = (features * gates, units * h_blocks, last_units, blocks)

    def back(place: int, rows: np.ndarray) -> list[np.ndarray]:
        sums = [np.zeros(size * width, x.dtype) for size in sizes]
        run_backward(
            loop.kind, loop.activation, loop.gate_activation, rows, place, width,
            x.reshape(-1), features, named["mask"], x_masks, h_masks,
            named["last_mask"], x_weights, h_weights, last_weights, past, saved,
            d_states, d_h, d_c, d_x.reshape(-1), *sums,
        )  # fmt: skip
        return sums

    work = 2 * _count_work(loop, x, width)
    parts = _map(back, _cut_rows(named["mask"], units), work)
    if not parts:
        parts = [[np.zeros(size * width, x.dtype) for size in sizes]]
    d_x_weights, d_h_weights, d_last_weights, d_bias = (
        functools.reduce(np.add, part) for part in zip(*parts, strict=True)
    )
    d_bias = d_bias.reshape(1, blocks, width)
    gradients = {
        "x": d_x,
        "h0": d_h,
        "c0": d_c,
        "x_weights": gather(d_x_weights.reshape(features, gates, width), order, units),
        "h_weights": gather(
            d_h_weights.reshape(units, h_blocks, width), range(h_blocks), units
        ),
        "last_weights": gather(d_last_weights.reshape(-1, 1, width), (0,), last_units),
        "x_bias": gather(d_bias[:, :gates], order, units)[0],
        "h_bias": gather(d_bias[:, first_block:], range(h_blocks), units)[0],
    }
    return [gradients[name] for name in names if name in LEARNED]


def complete(
    loop: Loop, names: Sequence[str], arrays: Sequence[np.ndarray]
) -> dict[str, np.ndarray]:
    """Return the arrays of a batch by name, those that are not given empty or neutral.

    x (batch, steps, features), h0 (batch, units), c0 likewise; x_weights, h_weights,
    last_weights, x_bias and h_bias in Keras' form; mask (batch, steps), x_masks,
    h_masks (blocks, batch, size) and last_mask (batch, units): see `run_forward`.

    Args:
        loop: What runs.
        names: Of the arrays.
        arrays: x, h0, x_weights and h_weights at least.
    """
    given = dict(zip(names, arrays, strict=True))
    x, h0 = given["x"], given["h0"]
    nothing, no_mask = np.zeros((0, 0), x.dtype), np.zeros((0, 1, 1), x.dtype)
    width = given["h_weights"].shape[1]
    named = {"c0": nothing, "last_weights": nothing, "last_mask": nothing,
             "x_masks": no_mask, "h_masks": no_mask} | given  # fmt: skip
    if "mask" not in given:
        named["mask"] = np.ones(x.shape[:2], bool)
    if "x_bias" not in given:
        named["x_bias"] = np.zeros(given["x_weights"].shape[1], x.dtype)
    if "h_bias" not in given:
        named["h_bias"] = np.zeros(width, x.dtype)
    if loop.kind == kinds.GRU_RESET_BEFORE and "last_mask" not in given:
        named["last_mask"] = np.ones_like(h0)
    return named


def _order_masks(masks: np.ndarray, order: Sequence[int]) -> np.ndarray:
    """Return the dropout masks of the inputs in the order of the loop's blocks."""
    return masks[list(order)] if len(masks) > 1 else masks


def _cut_rows(mask: np.ndarray, units: int) -> list[np.ndarray]:
    """Cut the rows of a batch into parts; rows of similar length share a part.

    A small batch has two parts, one for each of two cores.
    """
    order = np.argsort(mask.sum(1), kind="stable")
    half = math.ceil(len(order) / 2 / FEW_ROWS) * FEW_ROWS
    rows = min(max(half, FEW_ROWS), ROWS if units <= WIDE else WIDE_ROWS)
    return [order[start : start + rows] for start in range(0, len(order), rows)]


def _count_work(loop: Loop, x: np.ndarray, width: int) -> int:
    """Return the multiplications and additions of the products of a forward pass."""
    batch, steps, features = x.shape
    _, gates, _, h_blocks = kinds.BLOCKS[loop.kind]
    return 2 * batch * steps * width * (features * gates + width * h_blocks)


def _map(work: Callable, parts: Sequence[np.ndarray], size: int) -> list:
    """Do the work on every part, on all cores, the longest part first.

    Args:
        work: Takes how many rows the earlier parts have, and the rows of the part.
        parts: From `_cut_rows`.
        size: Multiplications and additions. Below `SMALL` one core does all the work:
            to wake another one takes longer.
    """
    places = [0, *itertools.accumulate(len(part) for part in parts)]
    results: list[Any] = [None] * len(parts)
    waiting = list(range(len(parts)))

    def take() -> None:
        while True:
            try:
                number = waiting.pop()
            except IndexError:
                return
            results[number] = work(places[number], parts[number])

    threads = count_threads() if size >= SMALL else 1
    helpers = [_pool(threads).submit(take) for _ in range(min(threads, len(parts)) - 1)]
    try:
        take()
    finally:
        for helper in helpers:
            helper.result()
    return results


@functools.cache
def _pool(threads: int) -> ThreadPoolExecutor:
    """Return the pool of threads of this process."""
    return ThreadPoolExecutor(threads, thread_name_prefix="loop")


def _allocate(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Return an array that TensorFlow uses without a copy."""
    size = math.prod(shape) * dtype.itemsize
    memory = np.empty(size + ALIGNMENT, np.uint8)
    start = -memory.__array_interface__["data"][0] % ALIGNMENT
    return memory[start : start + size].view(dtype).reshape(shape)
