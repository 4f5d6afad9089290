"""Buckets: batches of sequences of similar length, cut to the longest one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

NUM_BUCKETS = 6  # few, because XLA compiles every shape; more save little


@dataclass(frozen=True)
class Buckets:
    """How long the sequences of padded inputs are, and the lengths batches may have.

    Attributes:
        lengths: int, (num_examples,): steps of each example without the padding.
        edges: Increasing lengths. A batch is cut to the first that holds it.
        padding: On which side the padding is.
    """

    lengths: np.ndarray
    edges: tuple[int, ...]
    padding: Literal["left", "right"]

    @property
    def order(self) -> np.ndarray:
        """int64, (num_examples,): examples from the shortest to the longest."""
        return np.argsort(self.lengths, kind="stable")

    def cut_batches(
        self, batch_size: int, random: np.random.Generator | None
    ) -> list[tuple[np.ndarray, int]]:
        """Return the batches of one epoch: rows, and the length they are cut to.

        Every example is in one batch, and all batches but one are full. The remaining
        examples of all buckets share the last batches.

        Args:
            batch_size: Examples per batch.
            random: Draws the batches and their order. None takes the examples in the
                order of their length.
        """
        rows = self.order if random is None else random.permutation(len(self.lengths))
        if random is not None:
            bucket = np.searchsorted(self.edges, self.lengths[rows])
            full, rest = [], []
            for number in range(len(self.edges)):
                inside = rows[bucket == number]
                num_full = len(inside) // batch_size * batch_size
                full.append(inside[:num_full])
                rest.append(inside[num_full:])
            rows = np.concatenate(full + rest)
        batches = [
            rows[start : start + batch_size]
            for start in range(0, len(rows), batch_size)
        ]
        if random is not None:
            random.shuffle(batches)
        return [(batch, self._find_edge(batch)) for batch in batches]

    def _find_edge(self, rows: np.ndarray) -> int:
        return self.edges[np.searchsorted(self.edges, self.lengths[rows].max())]


def choose_edges(lengths: np.ndarray, longest: int) -> tuple[int, ...]:
    """Return lengths that divide examples into buckets of about the same size.

    Args:
        lengths: int, (num_examples,), of the training part.
        longest: Length of the padded inputs. It is the last edge.
    """
    shares = np.arange(1, NUM_BUCKETS) / NUM_BUCKETS
    inner = np.quantile(lengths, shares, method="higher")
    return tuple(sorted({*(int(edge) for edge in inner), longest}))
