"""Ensembles: networks that train side by side, with adversarial training."""

from __future__ import annotations

import types
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from shared.core.errors import check_at_least
from shared.core.roles import Role

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

MOST_NETWORKS = 100  # the time to build and trace them grows with their number


@dataclass(frozen=True)
class EnsembleConfig:
    """How many networks train side by side."""

    ensemble_size: Annotated[int, Role.MODEL]
    """Networks in the ensemble, 1 to 100. They train side by side. The prediction is
    the mean of theirs."""

    def validate(self) -> None:
        """Refuse an ensemble without a network.

        Raises:
            UserError: With the flag and what it accepts.
        """
        check_at_least(self, {"ensemble_size": 1}, MOST_NETWORKS)


def train_ensemble(
    model: keras.Model,
    ensemble_size: int,
    output: str,
    read: str | None = None,
    epsilon: float = 0.0,
) -> None:
    """Train each network of an ensemble by its own loss, and adversarially.

    A network reads r. Its loss is L, and g = dL/dr for one example. It minimises
    L(r) + L(r + epsilon g / |g|). To first order, the second input raises the loss most
    among all inputs within `epsilon` (Miyato, Dai and Goodfellow 2017, ICLR, who apply
    it to normalised word vectors). Dropout is drawn again for the second term.
    Evaluation, prediction and the saved file do not change. The loss shown in training
    is that of the whole ensemble at the unchanged inputs.

    Networks that share no weights learn as if each were alone. With the loss of their
    mean they would learn to correct each other, like one wide network. A single network
    with epsilon 0 trains as without this function.

    Args:
        model: Functional, before its first training step. Returns the mean of the
            networks' outputs.
        ensemble_size: How many networks there are.
        output: Name of each network's output layer, without its number: `degrees` for
            `degrees_1`, `degrees_2` and so on.
        read: Name of each network's layer whose outputs are moved, without its number.
            The outputs should be normalised; else the network can make them large
            against epsilon. None if epsilon is 0.
        epsilon: Length of the step, over all steps and features of an example. 0 omits
            the second term.
    """
    import keras

    if ensemble_size == 1 and not epsilon:
        return
    numbers = range(1, ensemble_size + 1)
    outputs = [model.get_layer(f"{output}_{n}").output for n in numbers]
    probes = [_Probe(model.get_layer(f"{read}_{n}")) for n in numbers if epsilon]
    step = _write_train_step(keras.Model(model.inputs, outputs), probes, epsilon)
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

    def move(self, gradient: tf.Tensor, epsilon: float) -> None:
        self.tape, self.offset = None, epsilon * _normalise(gradient)

    def reset(self) -> None:
        self.tape = self.outputs = self.offset = None


def _write_train_step(
    networks: keras.Model, probes: Sequence[_Probe], epsilon: float
) -> Any:
    import keras
    import tensorflow as tf

    def train_step(model: keras.Model, data: tuple) -> dict[str, tf.Tensor]:
        inputs, targets, weights_of = keras.utils.unpack_x_y_sample_weight(data)

        def forward() -> tuple[list[tf.Tensor], tf.Tensor]:
            outputs = networks(inputs, training=True)
            outputs = outputs if isinstance(outputs, list) else [outputs]
            losses = [
                model.compute_loss(inputs, targets, each, weights_of)
                for each in outputs
            ]
            # Each loss includes the penalties of all weights.
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
                        probe.move(gradient, epsilon)
                total = total + forward()[1]
                for probe in probes:
                    probe.reset()
            scaled = model.optimizer.scale_loss(total)
        prediction = sum(outputs) / len(outputs)
        shown_loss = model.compute_loss(inputs, targets, prediction, weights_of)
        weights = model.trainable_weights
        gradients = outer.gradient(scaled, weights)
        model.optimizer.apply_gradients(zip(gradients, weights, strict=True))
        for metric in model.metrics:
            if metric.name == "loss":
                count = tf.shape(tf.nest.flatten(inputs)[0])[0]
                metric.update_state(shown_loss, sample_weight=count)
        return model.compute_metrics(inputs, targets, prediction, weights_of)

    return train_step


def _normalise(gradient: tf.Tensor) -> tf.Tensor:
    """Scale a gradient, (batch, steps, features), to length 1 for each example."""
    import tensorflow as tf

    axes = list(range(1, len(gradient.shape)))
    wide = gradient  # 16 bits cannot hold the square of a small number
    if gradient.dtype.size < 4:
        wide = tf.cast(gradient, tf.float32)
    squared = tf.reduce_sum(wide**2, axes, keepdims=True)
    return tf.cast(wide * tf.math.rsqrt(tf.maximum(squared, 1e-24)), gradient.dtype)
