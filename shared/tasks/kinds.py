"""Every kind of task, and how a task is read from a run folder."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from shared.tasks.next_tokens import NextTokens
from shared.tasks.score import Score
from shared.tasks.task import (
    BinaryClassification,
    Classification,
    MultiStepForecast,
    NextToken,
    Regression,
    StepLabelling,
    Task,
)
from shared.tasks.text_classification import TextClassification

KINDS: dict[str, type[Task]] = {
    task.kind: task
    for task in (
        BinaryClassification,
        Classification,
        TextClassification,
        NextToken,
        NextTokens,
        StepLabelling,
        Regression,
        MultiStepForecast,
    )
}


def read_task(facts: Mapping[str, Any]) -> Task:
    """Return a task from the result of `to_json`.

    Raises:
        ValueError: If this version does not know the kind.
    """
    kind = KINDS.get(facts.get("kind", ""))
    if kind is None:
        raise ValueError(
            f"unknown kind of task {facts.get('kind')!r}; known: {', '.join(KINDS)}"
        )
    names = {field.name for field in dataclasses.fields(kind)} - {"score"}
    values = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in facts.items()
        if name in names
    }
    return kind(score=Score.from_json(facts["score"]), **values)
