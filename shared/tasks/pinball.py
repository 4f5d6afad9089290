"""Loss and metric of quantile forecasts, as Keras objects and in NumPy.

The pinball loss of a quantile q is q e for an error e = target - prediction above 0,
and (q - 1) e below. Its minimum is the quantile (Koenker and Bassett 1978).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable(package="rnn_recipes")
class PinballLoss(keras.losses.Loss):
    """Mean pinball loss over examples, steps, targets and quantiles."""

    def __init__(
        self, quantiles: Sequence[float], name: str = "pinball", **arguments: Any
    ) -> None:
        """Keep the quantiles.

        Args:
            quantiles: Probabilities in the order of the last axis of the predictions.
            name: Of the loss.
            **arguments: Those of every Keras loss.
        """
        super().__init__(name=name, **arguments)
        self.quantiles = [float(quantile) for quantile in quantiles]

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Return the loss. Keras' own call would remove or add axes of size 1."""
        y_pred = ops.convert_to_tensor(y_pred)
        error = ops.expand_dims(ops.cast(y_true, y_pred.dtype), -1) - y_pred
        levels = ops.convert_to_tensor(self.quantiles, y_pred.dtype)
        return ops.mean(ops.maximum(levels * error, (levels - 1) * error))

    def get_config(self) -> dict[str, Any]:
        """Return what Keras needs to build the loss again."""
        return super().get_config() | {"quantiles": self.quantiles}


@keras.saving.register_keras_serializable(package="rnn_recipes")
class MedianError(keras.metrics.Mean):
    """Mean absolute error of the median, divided by a scale."""

    def __init__(
        self,
        median: int | None = None,
        scale: float = 1.0,
        name: str = "mae",
        **arguments: Any,
    ) -> None:
        """Keep where the median is.

        Args:
            median: Its position on the last axis of the predictions; None if they have
                no quantiles.
            scale: Divides the error.
            name: Of the metric.
            **arguments: Those of every Keras metric.
        """
        super().__init__(name=name, **arguments)
        self.median = median
        self.scale = scale

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Add a batch."""
        y_pred = ops.convert_to_tensor(y_pred)
        median = y_pred if self.median is None else y_pred[..., self.median]
        error = ops.abs(ops.cast(y_true, median.dtype) - median) / self.scale
        return super().update_state(ops.reshape(error, (-1,)))

    def get_config(self) -> dict[str, Any]:
        """Return what Keras needs to build the metric again."""
        return super().get_config() | {"median": self.median, "scale": self.scale}


def measure_pinball(
    targets: np.ndarray, quantiles: Mapping[float, np.ndarray]
) -> float:
    """Return the mean pinball loss over targets and quantiles.

    Twice the mean over evenly spaced quantiles tends to the continuous ranked
    probability score (CRPS) as their number grows.

    Args:
        targets: float, any shape.
        quantiles: Probability -> its forecast, same shape. A target counts if all its
            quantiles are finite.

    Returns:
        In the unit of the targets; NaN if no target counts.
    """
    levels = np.array(list(quantiles), np.float64)
    forecasts = np.stack([*quantiles.values()], axis=-1)
    known = np.isfinite(forecasts).all(axis=-1)
    if not known.any():
        return math.nan
    error = targets[known].astype(np.float64)[:, None] - forecasts[known]
    return float(np.maximum(levels * error, (levels - 1) * error).mean())
