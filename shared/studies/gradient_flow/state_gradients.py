"""Measure how much of the loss's gradient reaches each step of a recurrent layer.

The gradient of the loss L by the state h_t is the total one: through the output of
step t and through all later steps. Every step back multiplies it by one Jacobian, so it
shrinks or grows like a product of that many factors (Bengio, Simard and Frasconi 1994;
Pascanu, Mikolov and Bengio 2013).
"""

from __future__ import annotations

import functools
import random
import types
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from shared.kernels.plan import list_recurrent_layers

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

BATCH = 64  # examples at a time; the values of all their steps are in memory


@dataclass(frozen=True)
class Flow:
    """Norms of the gradient of the loss by one layer's state, step by step.

    Attributes:
        layer: Its name. Each direction of a bidirectional layer has its own name.
        state: `h`, the output, or `c`, the memory of an LSTM.
        norms: float64, (num_examples, steps): Euclidean norm of the gradient of an
            example's own loss. Steps are in the order of the sequence, whichever way
            the layer reads. NaN at steps that a mask skips.
        backwards: Whether the layer reads from the last step to the first.
    """

    layer: str
    state: Literal["h", "c"]
    norms: np.ndarray
    backwards: bool = False

    @functools.cached_property
    def by_age(self) -> np.ndarray:
        """The norms by the number of later steps, float64, (num_examples, steps).

        Column 0 is the last step that the layer read of an example, column 1 the step
        before. Columns after the first step read are NaN. So the gradient comes from
        the left, whichever way the layer reads and wherever the padding is.
        """
        latest_first = self.norms if self.backwards else self.norms[:, ::-1]
        skipped = np.isnan(latest_first)
        order = np.argsort(skipped, axis=1, kind="stable")
        return np.take_along_axis(latest_first, order, axis=1)

    @property
    def lengths(self) -> np.ndarray:
        """int64, (num_examples,): steps read of each example."""
        return np.count_nonzero(~np.isnan(self.norms), axis=1)

    def summarise(self) -> dict[str, np.ndarray]:
        """Return statistics over the examples for each age.

        A few examples often make up most of the mean.

        Returns:
            `examples` (how many have that many steps), `lower_quartile`, `median`,
            `upper_quartile` and `mean`, each (steps read of the longest example,).
        """
        norms = self.by_age[:, : self.lengths.max(initial=0)]
        low, median, high = np.nanquantile(norms, (0.25, 0.5, 0.75), axis=0)
        return {
            "examples": np.count_nonzero(~np.isnan(norms), axis=0),
            "lower_quartile": low,
            "median": median,
            "upper_quartile": high,
            "mean": np.nanmean(norms, axis=0),
        }

    def orders_lost(self) -> np.ndarray:
        """Return log10 of last over first norm of each example, (num_examples,).

        Infinite where nothing reaches the first step read. Leaves out examples without
        a step read, and those where nothing reaches the last step.
        """
        some = self.by_age[:, 0] > 0
        norms = self.by_age[some]
        first = norms[np.arange(len(norms)), self.lengths[some] - 1]
        with np.errstate(divide="ignore"):
            return np.log10(norms[:, 0]) - np.log10(first)


def measure_flow(
    model: keras.Model, inputs: np.ndarray, targets: np.ndarray, loss: str
) -> list[Flow]:
    """Measure the gradient of the loss by the states of every recurrent layer.

    Dropout is off. A copy of the model computes in float64, because a gradient that
    vanishes soon leaves the range of float32. The model does not change, and the
    process draws no random number.

    Args:
        model: Functional, with at least one SimpleRNN, LSTM or GRU layer.
        inputs: (num_examples, steps, ...), what the model reads.
        targets: (num_examples, ...).
        loss: Name of the Keras loss.

    Returns:
        One per state, in the order of the model: `h`, and for LSTM `c` after it.
    """
    twin = _widen(model)
    twin.compile(loss=loss)
    flows: list[list[Flow]] = []
    for start in range(0, len(targets), BATCH):
        rows = slice(start, start + BATCH)
        flows.append(_measure_batch(twin, inputs[rows], targets[rows]))
    return [
        Flow(
            parts[0].layer,
            parts[0].state,
            np.concatenate([part.norms for part in parts]),
            parts[0].backwards,
        )
        for parts in zip(*flows, strict=True)
    ]


@dataclass
class _Probes:
    """Zeros that are added to the states of a layer.

    Attributes:
        zeros: For h and for LSTM c, (batch, steps, units). The gradient by a zero that
            is added to a state equals the gradient by that state.
        mask: bool, (batch, steps); None where every step is read.
    """

    zeros: list[tf.Tensor] = field(default_factory=list)
    mask: tf.Tensor | None = None


def _measure_batch(
    model: keras.Model, inputs: np.ndarray, targets: np.ndarray
) -> list[Flow]:
    import tensorflow as tf

    layers = list(list_recurrent_layers(model))

    @tf.function
    def differentiate(inputs: tf.Tensor, targets: tf.Tensor) -> tuple[list, list]:
        with tf.GradientTape() as tape:
            probes = [_add_probes(layer, tape) for layer in layers]
            outputs = model(inputs, training=False)
            # Losses are means over the batch; here each example needs its own.
            loss = len(targets) * model.compute_loss(y=targets, y_pred=outputs)
        gradients = tape.gradient(
            loss,
            [probe.zeros for probe in probes],
            unconnected_gradients=tf.UnconnectedGradients.ZERO,
        )
        return gradients, [probe.mask for probe in probes]

    batch = tf.constant(inputs), tf.constant(targets)
    # Called through its trace, since TensorFlow warns about many functions.
    gradients, masks = differentiate.get_concrete_function(*batch)(*batch)
    flows = []
    for layer, states, mask in zip(layers, gradients, masks, strict=True):
        for state, gradient in zip("hc", states, strict=False):
            norms = np.linalg.norm(gradient.numpy(), axis=2)
            if mask is not None:
                norms[~mask.numpy()] = np.nan
            flows.append(Flow(layer.name, state, norms, layer.go_backwards))
    return flows


def _add_probes(layer: keras.Layer, tape: tf.GradientTape) -> _Probes:
    """Make a layer add zeros to every new state, and watch them with the tape.

    The loop over the steps is Keras' own. It reads the zeros as extra features.
    """
    import keras
    import tensorflow as tf

    probes = _Probes()

    def inner_loop(
        layer: keras.Layer,
        sequences: tf.Tensor,
        initial_state: Sequence[tf.Tensor],
        mask: tf.Tensor | None,
        training: bool = False,
    ) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]:
        mask = mask[0] if isinstance(mask, list | tuple) else mask
        probes.mask = None if mask is None else tf.cast(mask, tf.bool)
        batch, steps, features = sequences.shape
        shape = (batch, steps, layer.units)
        probes.zeros = [tf.zeros(shape, sequences.dtype) for _ in initial_state]
        tape.watch(probes.zeros)
        sizes = [features] + [layer.units] * len(probes.zeros)

        def step(
            inputs: tf.Tensor, states: Sequence[tf.Tensor]
        ) -> tuple[tf.Tensor, list[tf.Tensor]]:
            inputs, *zeros = tf.split(inputs, sizes, axis=-1)
            with tf.GradientTape() as within:
                within.watch(states)
                _, (h, *others) = layer.cell(inputs, list(states), training=training)
            # An LSTM's c also acts on h of the same step, unit by unit.
            slopes = within.gradient(h, others) if others else []
            for slope, zero in zip(slopes, zeros[1:], strict=True):
                h += tf.stop_gradient(slope) * zero
            states = [s + zero for s, zero in zip([h, *others], zeros, strict=True)]
            return states[0], states

        loop = types.SimpleNamespace(
            cell=step,
            go_backwards=layer.go_backwards,
            unroll=False,
            zero_output_for_mask=layer.zero_output_for_mask,
            return_sequences=layer.return_sequences,
            stateful=False,
        )
        extended = tf.concat([sequences, *probes.zeros], axis=-1)
        return keras.layers.RNN.inner_loop(loop, extended, initial_state, probes.mask)

    layer.inner_loop = types.MethodType(inner_loop, layer)
    return probes


def _widen(model: keras.Model) -> keras.Model:
    """Return a copy of a functional model that computes in float64."""
    import keras

    state = random.getstate()  # Keras seeds the copy's initializers with it
    twin = type(model).from_config(_widen_config(model.get_config()))
    random.setstate(state)
    twin.set_weights(model.get_weights())
    for layer, copy in zip(model.layers, twin.layers, strict=True):
        if isinstance(layer, keras.layers.IntegerLookup):  # not among the weights
            copy.set_vocabulary(layer.get_vocabulary(include_special_tokens=False))
    return twin


def _widen_config(config: Any) -> Any:
    """Replace float32 by float64 in every dtype of a model's config."""
    if isinstance(config, list | tuple):
        return type(config)(_widen_config(item) for item in config)
    if not isinstance(config, dict):
        return config
    if config.get("class_name") == "DTypePolicy":
        name = config["config"]["name"]
        return config | {"config": {"name": _wide(name)}}
    return {
        key: _wide(value) if key == "dtype" and isinstance(value, str)
        else _widen_config(value)
        for key, value in config.items()
    }  # fmt: skip


def _wide(dtype: str) -> str:
    return "float64" if dtype == "float32" else dtype
