"""Which steps and columns a forecast leans on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.inference.explain.attribution import attribute_window

if TYPE_CHECKING:
    import keras

MOST_AHEAD = 6  # steps of the horizon that are explained


@dataclass(frozen=True)
class WindowExplanation:
    """What a forecast of one window leans on.

    Attributes:
        columns: Names of the columns of the window.
        ahead: Steps of the horizon that are explained, from 1.
        by_step: Integrated gradients of each of them, (num_ahead, steps, columns), in
            the unit of the network's output. The path starts where every step is the
            latest one.
    """

    columns: list[str]
    ahead: list[int]
    by_step: np.ndarray

    def to_rows(self) -> list[dict[str, Any]]:
        """Return a row for each step ahead, step of the window and column."""
        steps = self.by_step.shape[1]
        return [
            {
                "step_ahead": ahead,
                "step": step - steps + 1,  # 0 is the latest
                "column": column,
                "integrated_gradients": float(self.by_step[k, step, j]),
            }
            for k, ahead in enumerate(self.ahead)
            for step in range(steps)
            for j, column in enumerate(self.columns)
        ]


def find_middle(quantiles: Sequence[float]) -> int:
    """Return which number of a step is the forecast of the first target.

    Args:
        quantiles: That the network predicts of each target; empty: one forecast.
    """
    return list(quantiles).index(0.5) if quantiles else 0


def explain_window(
    model: keras.Model,
    inputs: list[np.ndarray],
    columns: list[str],
    horizon: int,
    middle: int = 0,
) -> WindowExplanation:
    """Explain the forecast of one window.

    Args:
        model: Of the run, with Keras' own kernels.
        inputs: Each input of one example, (steps, features). The first is the window.
        columns: Names of its features.
        horizon: Steps of the forecast.
        middle: Which number of a step is explained, where a step has several targets
            or quantiles.
    """
    outputs = int(np.prod(model.output_shape[1:]))
    each = outputs // horizon
    ahead = np.unique(np.linspace(1, horizon, min(horizon, MOST_AHEAD)).round())
    ahead = ahead.astype(int).tolist()
    window = inputs[0]
    flat = [np.broadcast_to(window[-1:], window.shape), *inputs[1:]]
    found = [
        attribute_window(model, inputs, flat, (step - 1) * each + middle)[0]
        for step in ahead
    ]
    return WindowExplanation(
        columns, ahead, np.stack([one.integrated for one in found])
    )
