"""Texts of several classes: accuracy, macro F1 and cross-entropy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from shared.tasks.confusion import count_confusions, macro_f1
from shared.tasks.score import ACCURACY, CROSS_ENTROPY, MACRO_F1
from shared.tasks.task import Classification

SCORES = {score.metric: score for score in (ACCURACY, MACRO_F1, CROSS_ENTROPY)}
"""Scores that may pick the epoch."""


@dataclass(frozen=True)
class TextClassification(Classification):
    """A class per text. Targets and predictions are those of several classes.

    Macro F1 is the mean of the F1 of each class, so a rare class counts as much as a
    frequent one. It has no value for a single text.
    """

    kind: ClassVar[str] = "text_classification"
    figures: ClassVar[tuple[str, ...]] = ("confusion",)

    @classmethod
    def choose(cls, score: str, classes: tuple[str, ...]) -> TextClassification:
        """Return the task with a score by name, a key of `SCORES`."""
        return cls(SCORES[score], classes)

    @property
    def columns(self) -> dict[str, str]:
        """Accuracy, macro F1, and the loss as cross-entropy."""
        columns = {
            "accuracy": "accuracy",
            "macro_f1": "macro_f1",
            "loss": "cross_entropy",
        }
        if self.score is CROSS_ENTROPY or self.score.metric == "cross_entropy":
            columns["cross_entropy"] = "cross_entropy"
        return columns

    def metrics(self) -> list[Any]:
        """Return new metrics for `model.compile`."""
        from keras.metrics import SparseCategoricalCrossentropy

        from shared.tasks.macro_f1 import MacroF1

        metrics = ["accuracy", MacroF1(len(self.classes), name="macro_f1")]
        if self.score.metric == "cross_entropy":
            metrics.append(SparseCategoricalCrossentropy(name="cross_entropy"))
        return metrics

    def summarise(
        self, metric: str, targets: np.ndarray, predictions: np.ndarray
    ) -> float:
        """Return a metric of all texts."""
        if metric != "macro_f1":
            return super().summarise(metric, targets, predictions)
        count = len(self.classes)
        return macro_f1(count_confusions(targets, predictions, count))
