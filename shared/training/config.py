"""The flags of a training."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from tyro.conf import arg

from shared.core.backend import Precision
from shared.core.context import Context, Jit
from shared.core.errors import UserError, check_at_least
from shared.core.roles import EndsTraining, Resolved, Role

if TYPE_CHECKING:
    import keras

Optimizer = Literal[
    "rmsprop", "adam", "adamw", "nadam", "adamax", "adagrad", "adadelta", "sgd", "lion"
]


@dataclass(frozen=True)
class TrainingConfig:
    """Flags that say how the weights are fitted."""

    optimizer: Annotated[Optimizer, Role.TRAINING]
    """Update rule. All but the learning rate is Keras' default."""
    learning_rate: Annotated[float, Role.TRAINING]
    """Step size of the optimizer."""
    batch_size: Annotated[int, Role.TRAINING]
    """Examples per update."""
    epochs: Annotated[int, Role.TRAINING, EndsTraining()]
    """Passes over the training examples."""
    patience: Annotated[int | None, Role.TRAINING, EndsTraining()] = None
    """Stop after this many epochs without a better validation score; None: never."""
    jit: Annotated[Jit, Role.KERNEL, Resolved(portable="off")] = "auto"
    """Whether XLA compiles the training step. XLA rounds differently, and draws other
    dropout masks. auto: Keras decides, and does not use XLA without a GPU."""
    steps_per_execution: Annotated[int, Role.COMPUTATION] = 1
    """Updates that Keras runs in one call. No number changes."""
    precision: Annotated[Precision, Role.TRAINING] = "float32"
    """Numbers that the network computes with. Another choice than float32 moves the
    results. mixed_float16 and mixed_bfloat16 keep the weights in float32."""
    schedule: Annotated[Literal["constant", "cosine"], Role.TRAINING] = "constant"
    """cosine: the learning rate falls to nearly 0, epoch by epoch."""
    global_clipnorm: Annotated[float | None, Role.TRAINING] = None
    """Scale the gradient of all weights together to at most this norm; None: do not
    scale."""
    ema: Annotated[float | None, Role.TRAINING] = None
    """Validate, save and test an exponential moving average of the weights, not the
    weights themselves. The value is the share of the old average at each update, e.g.
    0.999; None: no average."""
    stop_at: Annotated[float | None, Role.TRAINING, EndsTraining()] = None
    """Stop once the validation score is this good or better; None: never."""
    from_run: Annotated[
        str | None, Role.TRAINING, arg(name="from", aliases=["--from-run"])
    ] = None
    """Begin with the trained weights of this run: its folder, or a recipe for its
    newest run. Layers that do not fit keep their first weights, and are named."""
    seed: Annotated[int, Role.SEED] = 0
    """Sets the split (or the generated data), the first weights, the order of batches
    and dropout."""

    @property
    def plans_epochs(self) -> bool:
        """Whether an epoch depends on how many are planned in all."""
        return self.schedule == "cosine"

    def validate(self) -> None:
        """Refuse values that no training can use.

        Raises:
            UserError: With the flag, the accepted values and a way to fix it.
        """
        least = {"batch_size": 1, "epochs": 1, "patience": 1, "steps_per_execution": 1}
        check_at_least(self, least)
        if not 0 < self.learning_rate < math.inf:
            raise UserError(
                f"--learning-rate {self.learning_rate}: takes a number above 0, e.g. "
                "0.001."
            )
        if self.global_clipnorm is not None and not 0 < self.global_clipnorm < math.inf:
            raise UserError(
                f"--global-clipnorm {self.global_clipnorm}: takes a norm above 0, e.g. "
                "1. Omit the flag to clip nothing."
            )
        if self.ema is not None and not 0 < self.ema < 1:
            raise UserError(
                f"--ema {self.ema}: takes a share above 0 and below 1, e.g. 0.999. "
                "Omit the flag to use the weights themselves."
            )
        if self.stop_at is not None and not math.isfinite(self.stop_at):
            raise UserError(f"--stop-at {self.stop_at}: takes a score, e.g. 0.95.")
        if not 0 <= self.seed < 2**32:
            raise UserError(
                f"--seed {self.seed}: takes a whole number from 0 to 2^32 - 1."
            )

    def context(self) -> dict[str, Any]:
        """Return what a recurrent layer must know of these flags."""
        return {"jit": self.jit}

    def resolve_defaults(self, context: Context) -> tuple[TrainingConfig, list[str]]:
        """Refuse to clip a gradient that is not summed. Change nothing.

        Raises:
            UserError: If the gradient of the embedding is not summed.
        """
        if self.global_clipnorm is not None and context.sparse:
            raise UserError(
                f"--global-clipnorm {self.global_clipnorm:g} with --embedding-gradient "
                "sparse: Keras would take the norm before it sums the rows of a word. "
                "Use --embedding-gradient dense."
            )
        return self, []

    def compile_arguments(self) -> dict[str, Any]:
        """Return the arguments of `Model.compile` but optimizer, loss and metrics."""
        return {
            "jit_compile": {"auto": "auto", "on": True, "off": False}[self.jit],
            "steps_per_execution": self.steps_per_execution,
        }


def set_seed(seed: int) -> None:
    """Seed Python, NumPy and the backend. Call it before any random draw."""
    import keras

    keras.utils.set_random_seed(seed)


def build_optimizer(training: TrainingConfig) -> keras.Optimizer:
    """Return a new optimizer with learning rate, clipping and averages of a config."""
    import keras

    optimizer = keras.optimizers.get(training.optimizer)
    optimizer.learning_rate = training.learning_rate
    optimizer.global_clipnorm = training.global_clipnorm
    if training.ema is not None:
        optimizer.use_ema, optimizer.ema_momentum = True, training.ema
    for name in ("assign_add", "assign_sub"):
        setattr(optimizer, name, _sum_first(getattr(optimizer, name)))
    return optimizer


def _sum_first(assign: Callable) -> Callable:
    """Sum the rows of a sparse update before they change the weights.

    TensorFlow (2.21) adds them to the weights on all cores, in any order. So the same
    seed would give other last digits each time.
    """
    import tensorflow as tf

    def assign_sum(
        variable: keras.Variable, value: tf.Tensor | tf.IndexedSlices
    ) -> None:
        if isinstance(value, tf.IndexedSlices):
            rows = variable.shape[0]  # known while XLA compiles, unlike `dense_shape`
            value = tf.math.unsorted_segment_sum(value.values, value.indices, rows)
        assign(variable, value)

    return assign_sum
