"""The equations of SimpleRNN, LSTM and GRU, one step forward and one step back.

A row of `sums` holds the projected inputs plus the projected state, block by block:
SimpleRNN: one; LSTM: i, f, candidate, o; GRU: candidate, z, r, and last the candidate's
projected state. GRU that resets before the product has no last block. A row of
`saved` holds what the way back needs. In the gradients, `d_sums` has the blocks of
`sums`.
"""

from __future__ import annotations

from shared.kernels.loop.vector_loop import Row, VectorLoop, vector_loop


@vector_loop
def step_simple(loop: VectorLoop, sums: Row, before: Row, after: Row) -> None:
    """Compute h' = act(a)."""
    after[0] = loop.act(sums[0])


@vector_loop
def step_lstm(
    loop: VectorLoop, sums: Row, before: Row, after: Row, cell: Row, saved: Row
) -> None:
    """Compute c' = f c + i g, h' = o act(c'); saves i, f, g, o and c."""
    i, f = loop.gate(sums[0]), loop.gate(sums[1])
    g, o = loop.act(sums[2]), loop.gate(sums[3])
    c = cell[0]
    for block, value in enumerate((i, f, g, o, c)):
        saved[block] = value
    cell[0] = new = f * c + i * g
    after[0] = o * loop.act(new)


@vector_loop
def step_gru(loop: VectorLoop, sums: Row, before: Row, after: Row, saved: Row) -> None:
    """Compute n = act(a_n + r b_n), h' = z h + (1 - z) n; saves n, z, r and b_n."""
    z, r, b = loop.gate(sums[1]), loop.gate(sums[2]), sums[3]
    n = loop.act(sums[0] + r * b)
    for block, value in enumerate((n, z, r, b)):
        saved[block] = value
    after[0] = n + z * (before[0] - n)


@vector_loop
def reset_gru(
    loop: VectorLoop, sums: Row, before: Row, mask: Row, saved: Row, reset: Row
) -> None:
    """Compute z, r and the reset state r h; saves z and r as blocks 1 and 2."""
    saved[1], saved[2] = loop.gate(sums[1]), loop.gate(sums[2])
    reset[0] = saved[2] * before[0] * mask[0]


@vector_loop
def step_reset_gru(
    loop: VectorLoop, sums: Row, before: Row, after: Row, saved: Row
) -> None:
    """Compute n = act(a_n + (r h) U), h' = z h + (1 - z) n; saves n."""
    saved[0] = n = loop.act(sums[0])
    after[0] = n + saved[1] * (before[0] - n)


@vector_loop
def back_simple(loop: VectorLoop, d_h: Row, after: Row, d_sums: Row) -> None:
    """Go one step back; d_h becomes 0, to which the product with U is added."""
    d = loop.flush(d_h[0])
    d_sums[0] = d * loop.act_slope(after[0])
    d_h[0] = d.make(0)


@vector_loop
def back_lstm(loop: VectorLoop, d_h: Row, d_cell: Row, saved: Row, d_sums: Row) -> None:
    """Go one step back; d_h becomes 0, d_cell becomes f d_c."""
    i, f, g, o, c = (saved[block] for block in range(5))
    squashed = loop.act(f * c + i * g)
    d = loop.flush(d_h[0])
    d_c = d_cell[0] + d * o * loop.act_slope(squashed)
    d_sums[0] = d_c * g * loop.gate_slope(i)
    d_sums[1] = d_c * c * loop.gate_slope(f)
    d_sums[2] = d_c * i * loop.act_slope(g)
    d_sums[3] = d * squashed * loop.gate_slope(o)
    d_cell[0] = loop.flush(d_c * f)
    d_h[0] = d.make(0)


@vector_loop
def back_gru(loop: VectorLoop, d_h: Row, before: Row, saved: Row, d_sums: Row) -> None:
    """Go one step back; d_h becomes z d_h."""
    n, z, r, b = (saved[block] for block in range(4))
    d = loop.flush(d_h[0])
    d_n = (d - d * z) * loop.act_slope(n)
    d_sums[0] = d_n
    d_sums[1] = d * (before[0] - n) * loop.gate_slope(z)
    d_sums[2] = d_n * b * loop.gate_slope(r)
    d_sums[3] = d_n * r
    d_h[0] = d * z


@vector_loop
def back_step_reset_gru(
    loop: VectorLoop, d_h: Row, before: Row, saved: Row, d_sums: Row, d_reset: Row
) -> None:
    """Go back to the reset state; d_h becomes z d_h, d_reset becomes 0."""
    n, z = saved[0], saved[1]
    d = loop.flush(d_h[0])
    d_sums[0] = (d - d * z) * loop.act_slope(n)
    d_sums[1] = d * (before[0] - n) * loop.gate_slope(z)
    d_h[0] = d * z
    d_reset[0] = d.make(0)


@vector_loop
def back_reset_gru(
    loop: VectorLoop, d_h: Row, before: Row, mask: Row, saved: Row, d_sums: Row,
    d_reset: Row, reset: Row,
) -> None:  # fmt: skip
    """Go back from the reset state; writes the reset state once more."""
    r, kept, d = saved[2], before[0] * mask[0], d_reset[0]
    d_sums[2] = d * kept * loop.gate_slope(r)
    d_h[0] = d_h[0] + d * r * mask[0]
    reset[0] = r * kept
