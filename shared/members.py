"""Networks that train beside each other, each also at its worst nearby inputs."""

from __future__ import annotations

import types
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared.errors import check_at_least

if TYPE_CHECKING:
    import keras
    import tensorflow as tf


@dataclass(frozen=True)
class MembersConfig:
    """How many networks there are."""

    members: int
    """Networks that train side by side; the mean of what they predict counts."""

    def check(self) -> None:
        """Refuse a number that cannot be.

        Raises:
            UserError: With the flag, what it takes and the way out.
        """
        check_at_least(self, {"members": 1})


def train_members(
    model: keras.Model,
    members: int,
    output: str,
    read: str | None = None,
    radius: float = 0.0,
) -> None:
    """Let each member of a network learn by its own loss, and adversarially.

    With r what a member reads, L its loss and g = dL/dr of one example, it descends
    L(r) + L(r + radius g / |g|): the second input is the one that, to first order,
    raises the loss most among all within `radius` (Miyato, Dai and Goodfellow 2017,
    ICLR, who do it to normalised word vectors). Dropout is drawn anew for the second
    term. Evaluation, prediction and the saved file stay as they are, and the loss that
    is shown in training is that of the whole network, at the inputs as they are.

    Members that share no weights learn as if each were alone; trained by the loss of
    their mean they would learn to make up for each other, which is one wide network. A
    single member without a radius trains as it does without this.

    Args:
        model: Functional, before its first training step; returns the mean of the
            members' outputs.
        members: How many there are.
        output: Name of the layers whose outputs are the members', without their number:
            `degrees` for `degrees_1`, `degrees_2` and so on.
        read: Name of the layers whose outputs are moved, likewise; they should be
            normalised, or the network makes them large and the radius small. None if
            there is no radius.
        radius: Length of the step, over all steps and features of an example; 0 leaves
            the second term away.
    """
    import keras

    if members == 1 and not radius:
        return
    numbers = range(1, members + 1)
    outputs = [model.get_layer(f"{output}_{n}").output for n in numbers]
    probes = [_Probe(model.get_layer(f"{read}_{n}")) for n in numbers if radius]
    step = _write_train_step(keras.Model(model.inputs, outputs), probes, radius)
    model.train_step = types.MethodType(step, model)


class _Probe:
    """Reads the outputs of a layer while a step is traced, and moves them."""

    def __init__(self, layer: keras.Layer) -> None:
        self.tape: Any = None
        self.outputs: Any = None
        self.offset: Any = None
        plain = layer.call

        def call(_: keras.Layer, *inputs: Any, **options: Any) -> Any:
            outputs = plain(*inputs, **options)
            if self.tape is not None:
                self.outputs = outputs
                self.tape.watch(outputs)
            elif self.offset is not None:
                outputs = outputs + self.offset
            return outputs

        layer.call = types.MethodType(call, layer)

    def start(self, tape: tf.GradientTape) -> None:
        self.tape = tape

    def move(self, gradient: tf.Tensor, radius: float) -> None:
        self.tape, self.offset = None, radius * _normalise(gradient)

    def rest(self) -> None:
        self.tape = self.outputs = self.offset = None


def _write_train_step(
    members: keras.Model, probes: Sequence[_Probe], radius: float
) -> Any:
    import keras
    import tensorflow as tf

    def train_step(model: keras.Model, data: tuple) -> dict[str, tf.Tensor]:
        inputs, targets, _ = keras.utils.unpack_x_y_sample_weight(data)

        def forward() -> tuple[list[tf.Tensor], tf.Tensor]:
            outputs = members(inputs, training=True)
            outputs = outputs if isinstance(outputs, list) else [outputs]
            losses = [model.compute_loss(inputs, targets, each) for each in outputs]
            # Each comes with the penalties of all weights.
            return outputs, sum(losses) - len(losses) * sum(model.losses)

        with tf.GradientTape() as outer:
            with tf.GradientTape() as inner:
                for probe in probes:
                    probe.start(inner)
                outputs, loss = forward()
            total = loss + sum(model.losses)
            if probes:
                with outer.stop_recording():
                    gradients = inner.gradient(loss, [p.outputs for p in probes])
                    for probe, gradient in zip(probes, gradients, strict=True):
                        probe.move(gradient, radius)
                total = total + forward()[1]
                for probe in probes:
                    probe.rest()
        prediction = sum(outputs) / len(outputs)
        told = model.compute_loss(inputs, targets, prediction)
        weights = model.trainable_weights
        gradients = outer.gradient(total, weights)
        model.optimizer.apply_gradients(zip(gradients, weights, strict=True))
        for metric in model.metrics:
            if metric.name == "loss":
                metric.update_state(told, sample_weight=tf.shape(inputs)[0])
        return model.compute_metrics(inputs, targets, prediction)

    return train_step


def _normalise(gradient: tf.Tensor) -> tf.Tensor:
    """Return a gradient, (batch, steps, features), with length 1 for each example."""
    import tensorflow as tf

    axes = list(range(1, len(gradient.shape)))
    squared = tf.reduce_sum(gradient**2, axes, keepdims=True)
    return gradient * tf.math.rsqrt(tf.maximum(squared, 1e-24))
