"""Does every kind of task train, and is it compared rightly?

A recipe for the tests: the flag `kind` chooses the task.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np

from shared.baselines.baseline import constant_baseline
from shared.commands.recipe import main
from shared.core.roles import Role
from shared.data.splits import Examples, Splits
from shared.layers.recurrent import GRUConfig
from shared.tasks.score import Score
from shared.tasks.task import (
    BinaryClassification,
    Classification,
    MultiStepForecast,
    StepLabelling,
    Task,
)
from shared.training.config import TrainingConfig, build_optimizer, set_seed
from shared.training.fit import fit

if TYPE_CHECKING:
    import keras

    from shared.runs.writer import RunFolder

VARIES = "the task"
REFERENCE = ()
NUM_TEST = 200
TASKS: dict[str, Task] = {
    "binary": BinaryClassification(),
    "auc": BinaryClassification(Score("AUC", higher_is_better=True, is_share=True)),
    "forgotten": BinaryClassification(Score("AUC", higher_is_better=True)),
    "classes": Classification(classes=("low", "middle", "high")),
    "steps": MultiStepForecast(quantity="sum"),
    "labels": StepLabelling(classes=("low", "middle", "high")),
    "mismatch": BinaryClassification(),
}


@dataclass(frozen=True)
class ToyConfig:
    """Which task."""

    kind: Annotated[
        Literal["binary", "auc", "forgotten", "classes", "steps", "labels", "mismatch"],
        Role.DATA,
    ] = "binary"
    """Kind of task."""
    steps: Annotated[int, Role.DATA] = 3
    """Steps of a window."""


@dataclass(frozen=True)
class Config:
    """A network that trains in a second."""

    toy: ToyConfig = ToyConfig()
    gru: GRUConfig = GRUConfig(units=3)
    training: TrainingConfig = TrainingConfig("adam", 0.01, batch_size=8, epochs=1)


def load_data(config: Config) -> Splits:
    """Return windows (n, steps, 1) and the targets of the task."""
    random = np.random.default_rng(0)
    kind, steps = config.toy.kind, config.toy.steps

    def draw(count: int) -> Examples:
        inputs = random.normal(0, 1, (count, steps, 1)).astype(np.float32)
        values, sums = inputs[:, :, 0], inputs.sum(axis=(1, 2))
        if kind in ("steps", "mismatch"):
            targets = np.cumsum(values, axis=1)
        elif kind == "labels":
            targets = np.digitize(values, (-0.5, 0.5))
        elif kind == "classes":
            targets = np.digitize(sums, (-1, 1))
        else:
            targets = (sums > 0).astype(np.float32)
        return Examples(inputs, targets)

    task = TASKS[kind]
    return Splits(f"toy-{kind}", draw(40), draw(16), draw(NUM_TEST), task=task)


def build_model(config: Config, data: Splits) -> keras.Model:
    """Return windows (batch, steps, 1) -> the prediction of the task."""
    from keras import Input, Model, layers

    window = Input(data.train.inputs.shape[1:], name="window")
    kind = config.toy.kind
    gru = dataclasses.replace(config.gru, return_sequences=kind == "labels")
    memory = layers.GRU(**gru.arguments(), name="gru")(window)
    sizes = {"classes": 3, "labels": 3, "steps": config.toy.steps}
    activations = {"classes": "softmax", "labels": "softmax", "steps": "linear"}
    output = layers.Dense(
        sizes.get(kind, 1), activations.get(kind, "sigmoid"), name="output"
    )
    return Model(window, output(memory), name="toy_tasks")


def run(config: Config, folder: RunFolder) -> None:
    """Train once and leave a run folder."""
    from keras.metrics import AUC

    set_seed(config.training.seed)

    data = load_data(config)

    model = build_model(config, data)
    own = [AUC(name="AUC")] if config.toy.kind in ("auc", "binary") else []
    model.compile(
        optimizer=build_optimizer(config.training),
        loss=data.task.loss,
        metrics=[*data.task.metrics(), *own],
        **config.training.compile_arguments(),
    )

    folder.open(data, [constant_baseline("constant", data)], model)
    record = fit(model, data, config.training, folder, config.gru)

    record.finish(data.test)


if __name__ == "__main__":
    main(Config, run)
