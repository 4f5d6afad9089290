"""What a task is: how it is fitted, scored, compared with baselines and shown.

The data contain their task (`data.task`). A run folder records it. All code that reads
the folder uses the task and never the name of a metric.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from shared.core.errors import UserError
from shared.tasks.score import ACCURACY, CROSS_ENTROPY, SQUARED_ERROR, Score

Measure = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Targets and predictions -> one value per example, float64, (num_examples,)."""
SMALLEST = 1e-7
"""Probabilities are kept this far from 0 and 1, as in Keras."""


@dataclass(frozen=True)
class Task(ABC):
    """One kind of task.

    Attributes:
        score: The metric that picks the epoch and ranks the runs.
    """

    score: Score
    kind: ClassVar[str]
    loss: ClassVar[str]
    """Name of the Keras loss."""
    figures: ClassVar[tuple[str, ...]] = ()
    """Names of the pictures that a run of this task can have besides its curves."""
    keeps_part: ClassVar[bool] = False
    """Whether a run keeps a part of the network's output only (`keep`)."""

    @property
    @abstractmethod
    def measures(self) -> dict[str, Measure]:
        """Metric -> its value per example. The mean over the examples is the metric."""

    @property
    @abstractmethod
    def columns(self) -> dict[str, str]:
        """History column -> the metric of a baseline in that column."""

    @abstractmethod
    def predict_constant(self, targets: np.ndarray) -> np.ndarray:
        """Return the best prediction that ignores the input.

        Args:
            targets: Targets of the training part.

        Returns:
            One prediction of the network's shape, without the axis of the examples.
        """

    @abstractmethod
    def format_prediction(self, prediction: np.ndarray) -> str:
        """Write one prediction for people."""

    def keep(self, targets: np.ndarray, outputs: np.ndarray) -> np.ndarray:
        """Return what is kept of the network's outputs: the predictions of the task."""
        return outputs

    def metrics(self) -> list[Any]:
        """Return new metrics for `model.compile`, the score among them."""
        return [name for name in self.columns.values() if name in ("accuracy", "mae")]

    def measure(
        self, metric: str, targets: np.ndarray, predictions: np.ndarray
    ) -> np.ndarray:
        """Return one value of a metric per example.

        Args:
            metric: One of `measures`.
            targets: (num_examples, ...).
            predictions: (num_examples, ...), as the network returns them.

        Returns:
            float64, (num_examples,).

        Raises:
            KeyError: If the metric has no value per example, such as AUC.
            UserError: If targets and predictions do not have the shapes of this task.
        """
        measure = self.measures[metric]
        targets = np.asarray(targets)
        predictions = np.asarray(predictions, np.float64)
        try:
            values = measure(targets, predictions)
        except (ValueError, IndexError):  # the shapes do not fit each other
            values = None
        if values is None or values.shape != (len(targets),):
            raise UserError(
                f"Targets {targets.shape} and predictions {predictions.shape} do not "
                f"fit the task {self.kind}. Choose another task in load_data, or "
                "change the last layer."
            )
        return values.astype(np.float64)

    def summarise(
        self, metric: str, targets: np.ndarray, predictions: np.ndarray
    ) -> float:
        """Return a metric of all examples: the mean of `measure`, where it has that.

        Args and errors: as for `measure`.
        """
        return float(np.mean(self.measure(metric, targets, predictions)))

    def to_json(self) -> dict[str, Any]:
        """Return the kind and all fields, ready for JSON."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {"kind": self.kind} | values | {"score": self.score.to_json()}


@dataclass(frozen=True)
class BinaryClassification(Task):
    """Two classes. Targets: 0 or 1, (n,). Predictions: probability of class 1, (n,).

    Attributes:
        classes: Names of class 0 and class 1.
    """

    score: Score = ACCURACY
    classes: tuple[str, ...] = ("0", "1")
    kind: ClassVar[str] = "binary_classification"
    loss: ClassVar[str] = "binary_crossentropy"

    @property
    def measures(self) -> dict[str, Measure]:
        """Accuracy and cross-entropy. A probability of 0.5 counts as class 0."""
        return {
            "accuracy": lambda t, p: (p > 0.5) == (t > 0.5),
            "cross_entropy": lambda t, p: _surprise(np.where(t > 0.5, p, 1 - p)),
        }

    @property
    def columns(self) -> dict[str, str]:
        """Accuracy, and the loss as cross-entropy."""
        return {"accuracy": "accuracy", "loss": "cross_entropy"}

    def predict_constant(self, targets: np.ndarray) -> np.ndarray:
        """Return the share of class 1."""
        return np.asarray(np.mean(targets))

    def format_prediction(self, prediction: np.ndarray) -> str:
        """Write the likelier class and its probability."""
        share = float(prediction)
        name, share = (
            (self.classes[1], share) if share > 0.5 else (self.classes[0], 1 - share)
        )
        return f"{name} ({share:.2f})"


@dataclass(frozen=True)
class Classification(Task):
    """Several classes. Targets: 0 to k - 1, (n,). Predictions: probabilities, (n, k).

    Attributes:
        classes: Names of the classes.
    """

    score: Score = ACCURACY
    classes: tuple[str, ...] = ()
    kind: ClassVar[str] = "classification"
    loss: ClassVar[str] = "sparse_categorical_crossentropy"

    @property
    def measures(self) -> dict[str, Measure]:
        """Accuracy and cross-entropy."""
        return {
            "accuracy": lambda t, p: p.argmax(axis=1) == t.astype(np.int64),
            "cross_entropy": lambda t, p: _surprise(_pick_class(p, t)),
        }

    @property
    def columns(self) -> dict[str, str]:
        """Accuracy, and the loss as cross-entropy."""
        return {"accuracy": "accuracy", "loss": "cross_entropy"}

    def predict_constant(self, targets: np.ndarray) -> np.ndarray:
        """Return the share of every class, (k,)."""
        counts = np.bincount(targets.astype(np.int64), minlength=len(self.classes))
        return counts / counts.sum()

    def format_prediction(self, prediction: np.ndarray) -> str:
        """Write the likeliest class and its probability."""
        best = int(np.argmax(prediction))
        return f"{self._name(best)} ({float(prediction[best]):.2f})"

    def _name(self, number: int) -> str:
        return self.classes[number] if number < len(self.classes) else str(number)


@dataclass(frozen=True)
class NextToken(Classification):
    """The next token of a text. Targets and predictions are those of several classes.

    Attributes:
        classes: The tokens.
    """

    score: Score = CROSS_ENTROPY
    kind: ClassVar[str] = "next_token"

    @property
    def columns(self) -> dict[str, str]:
        """Cross-entropy, which is also the loss, and accuracy."""
        return {
            "loss": "cross_entropy",
            "cross_entropy": "cross_entropy",
            "accuracy": "accuracy",
        }

    def metrics(self) -> list[Any]:
        """Return new metrics for `model.compile`: cross-entropy and accuracy."""
        from keras.metrics import SparseCategoricalCrossentropy

        return [SparseCategoricalCrossentropy(name="cross_entropy"), "accuracy"]


@dataclass(frozen=True)
class StepLabelling(Classification):
    """A class per step. Targets (n, steps). Predictions: probabilities, (n, steps, k).

    The accuracy of an example is the share of its steps with the right class.

    Attributes:
        ignore: Label of steps that do not count, such as padding.
    """

    ignore: int = -1
    kind: ClassVar[str] = "step_labelling"

    @property
    def measures(self) -> dict[str, Measure]:
        """Accuracy and cross-entropy, each the mean over the steps that count."""
        return {
            "accuracy": self._average(lambda t, p: p.argmax(axis=2) == t),
            "cross_entropy": self._average(
                lambda t, p: _surprise(
                    np.take_along_axis(p, np.maximum(t, 0)[:, :, None], axis=2)[..., 0]
                )
            ),
        }

    def predict_constant(self, targets: np.ndarray) -> np.ndarray:
        """Return the share of every class at every step, (steps, k)."""
        shares = super().predict_constant(targets[targets != self.ignore])
        return np.tile(shares, (targets.shape[1], 1))

    def format_prediction(self, prediction: np.ndarray) -> str:
        """Write the likeliest class of every step."""
        return " ".join(self._name(int(k)) for k in np.argmax(prediction, axis=-1))

    def _average(self, measure: Measure) -> Measure:
        def average(targets: np.ndarray, predictions: np.ndarray) -> np.ndarray:
            if predictions.shape[:2] != targets.shape or predictions.ndim != 3:
                raise ValueError("a label per step needs (n, steps, classes)")
            labels = targets.astype(np.int64)
            counts = labels != self.ignore
            values = np.where(counts, measure(labels, predictions), 0.0)
            return values.sum(axis=1) / np.maximum(counts.sum(axis=1), 1)

        return average


@dataclass(frozen=True)
class Regression(Task):
    """One number. Targets and predictions (n,).

    Attributes:
        quantity: Label of the target on axes: `T (degC)`.
    """

    score: Score = SQUARED_ERROR
    quantity: str = ""
    kind: ClassVar[str] = "regression"
    loss: ClassVar[str] = "mse"
    figures: ClassVar[tuple[str, ...]] = ("forecast", "error_by_hour")

    @property
    def measures(self) -> dict[str, Measure]:
        """Absolute and squared error."""
        return {
            "mae": lambda t, p: np.abs(p - t),
            "mse": lambda t, p: (p - t) ** 2,
        }

    @property
    def columns(self) -> dict[str, str]:
        """The loss as squared error, and the score."""
        return {"loss": "mse", self.score.metric: self.score.metric}

    def metrics(self) -> list[Any]:
        """Return the score's metric for `model.compile`."""
        return [self.score.metric]

    def predict_constant(self, targets: np.ndarray) -> np.ndarray:
        """Return the mean."""
        return np.asarray(targets.mean(axis=0, dtype=np.float64))

    def format_prediction(self, prediction: np.ndarray) -> str:
        """Write the number with its unit."""
        return f"{float(prediction):.4g} {self.score.unit}".strip()


@dataclass(frozen=True)
class MultiStepForecast(Regression):
    """Several steps ahead. Targets (n, steps), or (n, steps, targets) for several.

    Predictions have the shape of the targets, and a last axis for the quantiles if
    there are any. The error of an example is the mean over its steps and targets.

    Attributes:
        quantiles: Increasing probabilities, 0.5 among them, that the network predicts;
            empty: it predicts one value.
        naive_error: Mean absolute error of the seasonal naive forecast in training.
        criterion: Loss of a network without quantiles, `mae` or `mse`.
    """

    quantiles: tuple[float, ...] = ()
    naive_error: float = 1.0
    criterion: str = "mse"
    kind: ClassVar[str] = "multi_step_forecast"
    figures: ClassVar[tuple[str, ...]] = ("error_by_step",)

    @property
    def loss(self) -> Any:
        """Name of the Keras loss, or the pinball loss of the quantiles."""
        if not self.quantiles:
            return self.criterion
        from shared.tasks.pinball import PinballLoss

        return PinballLoss(self.quantiles)

    @property
    def measures(self) -> dict[str, Measure]:
        """Absolute, squared and scaled error of the median, and the pinball loss."""
        of_median = {
            "mae": np.abs,
            "mse": np.square,
            "mase": lambda error: np.abs(error) / self.naive_error,
        }
        measures = {
            name: lambda t, p, measure=measure: _average(
                measure(self._fit(t, self.find_median(p)) - t)
            )
            for name, measure in of_median.items()
        }
        if self.quantiles:
            measures["pinball"] = lambda t, p: _average(self._measure_pinball(t, p))
        return measures

    @property
    def columns(self) -> dict[str, str]:
        """The loss, and the score."""
        loss = "pinball" if self.quantiles else self.criterion
        return {"loss": loss, self.score.metric: self.score.metric}

    def metrics(self) -> list[Any]:
        """Return the score's metric for `model.compile`."""
        if not self.quantiles and self.score.metric in ("mae", "mse"):
            return [self.score.metric]
        from shared.tasks.pinball import MedianError

        median = self.quantiles.index(0.5) if self.quantiles else None
        scale = self.naive_error if self.score.metric == "mase" else 1.0
        return [MedianError(median, scale, name=self.score.metric)]

    def predict_constant(self, targets: np.ndarray) -> np.ndarray:
        """Return the mean of each step, for every quantile."""
        mean = super().predict_constant(targets)
        return self.repeat_for_quantiles(mean) if self.quantiles else mean

    def find_median(self, predictions: np.ndarray) -> np.ndarray:
        """Return the forecasts without the axis of the quantiles."""
        if not self.quantiles:
            return predictions
        if predictions.shape[-1:] != (len(self.quantiles),):
            raise ValueError("the last axis holds the quantiles")
        return predictions[..., self.quantiles.index(0.5)]

    def repeat_for_quantiles(self, forecasts: np.ndarray) -> np.ndarray:
        """Return forecasts of one value in the form of the network's predictions."""
        if not self.quantiles:
            return forecasts
        return np.repeat(forecasts[..., None], len(self.quantiles), axis=-1)

    def format_prediction(self, prediction: np.ndarray) -> str:
        """Write the numbers of all steps with their unit."""
        median = self.find_median(np.asarray(prediction))
        numbers = ", ".join(f"{value:.4g}" for value in median.ravel())
        return f"{numbers} {self.score.unit}".strip()

    def _fit(self, targets: np.ndarray, forecasts: np.ndarray) -> np.ndarray:
        """Return forecasts; ValueError if NumPy would stretch them to the targets."""
        if forecasts.shape != targets.shape:
            raise ValueError("a forecast per step and target is needed")
        return forecasts

    def _measure_pinball(
        self, targets: np.ndarray, predictions: np.ndarray
    ) -> np.ndarray:
        self._fit(targets, self.find_median(predictions))
        error = targets[..., None] - predictions
        levels = np.array(self.quantiles)
        return np.maximum(levels * error, (levels - 1) * error)


def _average(values: np.ndarray) -> np.ndarray:
    """Return the mean over all axes but the first, (n,)."""
    return values.reshape(len(values), -1).mean(axis=1)


def _pick_class(predictions: np.ndarray, targets: np.ndarray) -> np.ndarray:
    return predictions[np.arange(len(targets)), targets.astype(np.int64)]


def _surprise(probabilities: np.ndarray) -> np.ndarray:
    """Return -log of probabilities, in nats."""
    return -np.log(np.clip(probabilities, SMALLEST, 1 - SMALLEST))
