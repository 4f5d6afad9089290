"""The cells of the loop, and the blocks of their rows."""

from __future__ import annotations

SIMPLE_RNN, LSTM, GRU, GRU_RESET_BEFORE = range(4)
GATES = {SIMPLE_RNN: 1, LSTM: 4, GRU: 3, GRU_RESET_BEFORE: 3}
# Per kind: blocks of a row of sums; how many of them the inputs are projected to, from
# the first on; the first one that the state is projected to, and how many are.
BLOCKS = ((1, 1, 0, 1), (4, 4, 0, 4), (4, 3, 1, 3), (3, 3, 1, 2))
SAVED = (0, 5, 4, 3)
"""Blocks per step that the backward pass needs besides the states."""
TOGETHER = 256  # rows whose inputs are projected together; more exceed the cache
