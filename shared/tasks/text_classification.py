"""Texts of several classes: accuracy, macro F1 and cross-entropy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from shared.tasks.confusion import share_macro_f1
from shared.tasks.score import ACCURACY, CROSS_ENTROPY, MACRO_F1
from shared.tasks.task import Classification, Measure

SCORES = {score.metric: score for score in (ACCURACY, MACRO_F1, CROSS_ENTROPY)}
"""Scores that may pick the epoch."""


@dataclass(frozen=True)
class TextClassification(Classification):
    """A class per text. Targets and predictions are those of several classes.

    Macro F1 is the mean of the F1 of each class, so a rare class counts as much as a
    frequent one. The value of a text is its share in it (`share_macro_f1`).
    """

    kind: ClassVar[str] = "text_classification"
    figures: ClassVar[tuple[str, ...]] = ("confusion",)

    @classmethod
    def choose(cls, score: str, classes: tuple[str, ...]) -> TextClassification:
        """Return the task with a score by name, a key of `SCORES`."""
        return cls(SCORES[score], classes)

    @property
    def measures(self) -> dict[str, Measure]:
        """Accuracy, cross-entropy, and the share of each text in macro F1."""
        count = len(self.classes)
        return super().measures | {"macro_f1": lambda t, p: share_macro_f1(t, p, count)}

    @property
    def columns(self) -> dict[str, str]:
        """Accuracy, macro F1, and the loss as cross-entropy."""
        columns = {
            "accuracy": "accuracy",
            "macro_f1": "macro_f1",
            "loss": "cross_entropy",
        }
        if self.score.metric == "cross_entropy":
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
