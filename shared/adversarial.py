"""Adversarial training: also be right after the worst small step of the inputs."""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras
    import tensorflow as tf


def train_adversarially(model: keras.Model, layer: str, radius: float) -> None:
    """Let a model's training step add the loss at the worst nearby inputs.

    With r the outputs of a layer, L the loss and g = dL/dr of one example, the step
    descends L(r) + L(r + radius g / |g|): the second input is the one that, to first
    order, raises the loss most among all within `radius` (Miyato, Dai and Goodfellow
    2017, ICLR, who do it to normalised word vectors). Dropout is drawn anew for the
    second term. Evaluation, prediction and the saved file stay as they are.

    Args:
        model: Functional, before its first training step.
        layer: Name of the layer whose outputs are moved; they should be normalised,
            or the network makes them large and the radius small.
        radius: Length of the step, over all steps and features of an example.
    """
    probe = _Probe(model.get_layer(layer))
    model.train_step = types.MethodType(probe.train_step(radius), model)


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

    def train_step(self, radius: float) -> Any:
        import keras
        import tensorflow as tf

        def train_step(model: keras.Model, data: tuple) -> dict[str, tf.Tensor]:
            inputs, targets, _ = keras.utils.unpack_x_y_sample_weight(data)
            with tf.GradientTape() as outer:
                with tf.GradientTape() as self.tape:
                    predictions = model(inputs, training=True)
                    loss = model.compute_loss(inputs, targets, predictions)
                with outer.stop_recording():
                    gradient = self.tape.gradient(loss, self.outputs)
                    self.tape, self.offset = None, radius * _normalise(gradient)
                moved = model(inputs, training=True)
                self.offset = None
                total = loss + model.compute_loss(inputs, targets, moved)
            weights = model.trainable_weights
            model.optimizer.apply_gradients(
                zip(outer.gradient(total, weights), weights, strict=True)
            )
            for metric in model.metrics:
                if metric.name == "loss":
                    metric.update_state(loss, sample_weight=tf.shape(inputs)[0])
            self.outputs = None
            return model.compute_metrics(inputs, targets, predictions)

        return train_step


def _normalise(gradient: tf.Tensor) -> tf.Tensor:
    """Return a gradient, (batch, steps, features), with length 1 for each example."""
    import tensorflow as tf

    axes = list(range(1, len(gradient.shape)))
    squared = tf.reduce_sum(gradient**2, axes, keepdims=True)
    return gradient * tf.math.rsqrt(tf.maximum(squared, 1e-24))
