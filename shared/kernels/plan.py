"""Which kernel a recurrent layer will run on, and why: every condition by itself.

Keras takes the cuDNN kernel, a loop over the steps, or a graph without a loop; it
falls back from one to the other in silence, and recurrent dropout changes
`implementation` behind the user's back. The rules here are those of Keras 3.15 on
TensorFlow 2.21, read in its source; `shared.kernels.proof` looks whether they hold.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from shared.recurrent import COMPILED_ACTIVATIONS, USE_CUDNN, Jit

if TYPE_CHECKING:
    import keras

    from shared.recurrent import MaskSide, RecurrentConfig

Path = Literal["cuDNN", "loop", "unrolled", "compiled"]
PATHS = {
    "cuDNN": "cuDNN kernel",
    "loop": "plain loop",
    "unrolled": "unrolled steps",
    "compiled": "compiled loop",
}


@dataclass(frozen=True)
class Traits:
    """What decides about the kernel of one layer.

    Attributes:
        layer: Its name.
        kind: `SimpleRNN`, `LSTM` or `GRU`.
        use_cudnn: As Keras takes it: "auto", True or False.
        activation: Name of the activation of the candidate state.
        recurrent_activation: Name of the gates' activation.
        recurrent_dropout: Share of the state dropped.
        unroll: Whether the loop is written out.
        use_bias: Whether there is a bias.
        reset_after: Where a GRU's reset gate stands; True for the others.
        asked: Implementation asked for; None for SimpleRNN.
        dtype: Of the numbers it computes with.
    """

    layer: str
    kind: str
    use_cudnn: bool | str
    activation: str
    recurrent_activation: str
    recurrent_dropout: float
    unroll: bool
    use_bias: bool
    reset_after: bool
    asked: int | None
    dtype: str = "float32"

    def list_obstacles(self, mask_side: MaskSide | None, gpus: int) -> list[str]:
        """Return every condition that keeps cuDNN from running, by itself."""
        conditions = {
            "SimpleRNN has no such path": self.kind == "SimpleRNN",
            "no GPU": gpus == 0,
            "turned off": self.use_cudnn is False,
            "recurrent dropout": self.recurrent_dropout > 0,
            f"activation {self.activation} (needs tanh)": self.activation != "tanh",
            f"recurrent activation {self.recurrent_activation} (needs sigmoid)": (
                self.kind != "SimpleRNN" and self.recurrent_activation != "sigmoid"
            ),
            "unrolled": self.unroll,
            "no bias": not self.use_bias,
            "reset gate before the product": not self.reset_after,
            "a mask with left padding": mask_side == "left",
        }
        return [name for name, holds in conditions.items() if holds]

    def list_hindrances(self) -> list[str]:
        """Return every condition that keeps the suite's compiled loop from running."""
        conditions = {
            f"activation {self.activation}": self.activation
            not in COMPILED_ACTIVATIONS,
            f"recurrent activation {self.recurrent_activation}": (
                self.kind != "SimpleRNN"
                and self.recurrent_activation not in COMPILED_ACTIVATIONS
            ),
            "unrolled": self.unroll,
            "cuDNN demanded": self.use_cudnn is True,
            f"numbers in {self.dtype}": self.dtype not in ("float32", "float64"),
        }
        return [name for name, holds in conditions.items() if holds]


@dataclass(frozen=True)
class LayerPlan:
    """What one recurrent layer (or one direction of it) will run on.

    Attributes:
        layer: Its name.
        kind: `SimpleRNN`, `LSTM` or `GRU`.
        path: `cuDNN`, `loop` (Keras' while loop over the steps), `unrolled`, or
            `compiled` (the suite's own loop, `shared.kernels.loops`).
        xla: Whether the training step is compiled by XLA.
        asked: Implementation asked for; None for SimpleRNN.
        implementation: The one that runs; None for SimpleRNN and on cuDNN.
        obstacles: Every condition that keeps cuDNN from running.
        no_xla: Why XLA is off; empty where it is on.
        hindrances: Every condition that keeps the compiled loop from running, where it
            was asked for.
    """

    layer: str
    kind: str
    path: Path
    xla: bool
    asked: int | None
    implementation: int | None
    obstacles: tuple[str, ...]
    no_xla: str
    hindrances: tuple[str, ...] = ()

    def spell(self) -> str:
        """Write the plan in a line: what runs, what was asked, and why."""
        told = PATHS[self.path] + (" under XLA" if self.xla else "")
        if self.implementation is not None:
            told += f", implementation {self.implementation}"
            if self.asked != self.implementation:
                told += f" (asked {self.asked}: recurrent dropout forces 1)"
        if self.hindrances:
            told += f"; no compiled loop: {', '.join(self.hindrances)}"
        if self.obstacles:
            told += f"; no cuDNN: {', '.join(self.obstacles)}"
        if self.no_xla and self.path != "compiled":
            told += f"; no XLA: {self.no_xla}"
        return f"{self.layer}: {told}"


def plan_layer(
    traits: Traits,
    mask_side: MaskSide | None,
    gpus: int,
    xla: bool,
    no_xla: str,
    compiled: bool = False,
) -> LayerPlan:
    """Derive what one layer will run on.

    Args:
        traits: Of the layer.
        mask_side: On which side masked padding stands, if a mask reaches the layer.
        gpus: How many TensorFlow sees.
        xla: Whether the step is compiled.
        no_xla: Why not, in words.
        compiled: Whether the suite's own loop was asked for.
    """
    hindrances = traits.list_hindrances() if compiled else []
    obstacles = traits.list_obstacles(mask_side, gpus)
    path: Path = "unrolled" if traits.unroll else "loop" if obstacles else "cuDNN"
    if compiled and not hindrances:
        path = "compiled"
    implementation = traits.asked
    if path == "cuDNN":
        implementation = None
    elif implementation is not None and traits.recurrent_dropout > 0:
        implementation = 1
    return LayerPlan(
        layer=traits.layer,
        kind=traits.kind,
        path=path,
        xla=xla,
        asked=traits.asked,
        implementation=implementation,
        obstacles=tuple(obstacles),
        no_xla="" if xla else no_xla,
        hindrances=tuple(hindrances),
    )


def plan_model(
    model: keras.Model,
    asked: int | None,
    mask_side: MaskSide | None,
    gpus: int,
    compiled: bool = False,
    jit: Jit = "auto",
) -> list[LayerPlan]:
    """Derive what every recurrent layer of a compiled model will run on.

    Args:
        model: Compiled; built by a recipe.
        asked: Implementation asked for on the command line; None for SimpleRNN.
        mask_side: On which side masked padding stands, if any.
        gpus: How many TensorFlow sees.
        compiled: Whether the suite's own loop was asked for.
        jit: Whether XLA was asked for.

    Returns:
        One plan per layer, two for a bidirectional one, in the order of the model.
    """
    xla = bool(model.jit_compile)
    no_xla = spell_no_xla(jit, gpus)
    return [
        plan_layer(read_traits(layer, asked), mask_side, gpus, xla, no_xla, compiled)
        for layer in list_recurrent_layers(model)
    ]


def spell_no_xla(jit: Jit, gpus: int) -> str:
    """Return why a step that is not compiled by XLA is not."""
    if jit != "auto":
        return f"--jit {jit}"
    if gpus:
        return "auto leaves it off where a layer may take cuDNN"
    return "auto leaves it off without a GPU"


def list_recurrent_layers(model: keras.Model) -> Iterator[keras.Layer]:
    """Yield every SimpleRNN, LSTM and GRU layer, both directions of a wrapper."""
    from keras import layers

    for layer in model.layers:
        if isinstance(layer, layers.Bidirectional):
            yield layer.forward_layer
            yield layer.backward_layer
        elif isinstance(layer, layers.SimpleRNN | layers.LSTM | layers.GRU):
            yield layer


def read_traits(layer: keras.Layer, asked: int | None) -> Traits:
    """Read from a built layer what decides about its kernel."""
    kind = type(layer).__name__
    gated = kind != "SimpleRNN"
    return Traits(
        layer=layer.name,
        kind=kind,
        use_cudnn=layer.use_cudnn if gated else "auto",
        activation=layer.activation.__name__,
        recurrent_activation=layer.recurrent_activation.__name__ if gated else "",
        recurrent_dropout=layer.recurrent_dropout,
        unroll=layer.unroll,
        use_bias=layer.use_bias,
        reset_after=getattr(layer.cell, "reset_after", True),
        asked=asked if gated else None,
        dtype=layer.compute_dtype,
    )


def read_config(config: RecurrentConfig, name: str, kind: str) -> Traits:
    """Read from a layer's flags what decides about its kernel."""
    return Traits(
        layer=name,
        kind=kind,
        use_cudnn=USE_CUDNN[config.cudnn],
        activation=config.activation,
        recurrent_activation=getattr(config, "recurrent_activation", ""),
        recurrent_dropout=config.recurrent_dropout,
        unroll=config.unroll,
        use_bias=config.use_bias,
        reset_after=getattr(config, "reset_after", True),
        asked=config.implementation,
    )
