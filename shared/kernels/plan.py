"""Which kernel a recurrent layer will run on, and why: every condition by itself.

Keras uses the cuDNN kernel, a loop over the steps, or a graph without a loop. It falls
back from one to another without a message, and recurrent dropout changes
`implementation` in the same way. The rules here are those of Keras 3.15 on TensorFlow
2.21, read in its source. `shared.kernels.proof` checks whether they hold.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from shared.core.context import Jit
from shared.layers.recurrent import COMPILED_ACTIVATIONS, USE_CUDNN

if TYPE_CHECKING:
    import keras

    from shared.core.context import MaskSide
    from shared.layers.recurrent import RecurrentConfig

KernelPath = Literal["cuDNN", "loop", "unrolled", "compiled"]
PATHS = {
    "cuDNN": "cuDNN kernel",
    "loop": "plain loop",
    "unrolled": "unrolled steps",
    "compiled": "compiled loop",
}


@dataclass(frozen=True)
class Traits:
    """What decides the kernel of one layer.

    Attributes:
        layer: Its name.
        kind: `SimpleRNN`, `LSTM` or `GRU`.
        use_cudnn: As Keras accepts it: "auto", True or False.
        activation: Name of the activation of the candidate state.
        recurrent_activation: Name of the gates' activation.
        recurrent_dropout: Share of the state dropped.
        unroll: Whether the loop is unrolled.
        use_bias: Whether there is a bias.
        reset_after: Whether a GRU's reset gate comes after the product; True for the
            other layers.
        requested: Implementation requested; None for SimpleRNN.
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
    requested: int | None
    dtype: str = "float32"

    def list_cudnn_blockers(self, mask_side: MaskSide | None, gpus: int) -> list[str]:
        """Return every condition that prevents cuDNN, one by one."""
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

    def list_unsupported_options(self) -> list[str]:
        """Return every option that the suite's compiled loop does not support."""
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
            `compiled` (the suite's own loop, `shared.kernels.loop`).
        xla: Whether the training step is compiled by XLA.
        requested: Implementation requested; None for SimpleRNN.
        implementation: The one that runs; None for SimpleRNN and on cuDNN.
        cudnn_blockers: Every condition that prevents cuDNN.
        no_xla: Why XLA is off; empty where it is on.
        unsupported_options: Every option that the compiled loop does not support, if
            that loop was requested.
    """

    layer: str
    kind: str
    path: KernelPath
    xla: bool
    requested: int | None
    implementation: int | None
    cudnn_blockers: tuple[str, ...]
    no_xla: str
    unsupported_options: tuple[str, ...] = ()

    def describe(self) -> str:
        """Return the plan in one line: what runs, what was requested, and why."""
        text = PATHS[self.path] + (" under XLA" if self.xla else "")
        if self.implementation is not None:
            text += f", implementation {self.implementation}"
            if self.requested != self.implementation:
                text += f" (requested {self.requested}: recurrent dropout forces 1)"
        if self.unsupported_options:
            text += f"; no compiled loop: {', '.join(self.unsupported_options)}"
        if self.cudnn_blockers:
            text += f"; no cuDNN: {', '.join(self.cudnn_blockers)}"
        if self.no_xla and self.path != "compiled":
            text += f"; no XLA: {self.no_xla}"
        return f"{self.layer}: {text}"


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
        mask_side: The side of the masked padding, if a mask reaches the layer.
        gpus: Number of GPUs that TensorFlow sees.
        xla: Whether the step is compiled by XLA.
        no_xla: Why not, in words.
        compiled: Whether the suite's own loop was requested.
    """
    unsupported = traits.list_unsupported_options() if compiled else []
    cudnn_blockers = traits.list_cudnn_blockers(mask_side, gpus)
    path: KernelPath = (
        "unrolled" if traits.unroll else "loop" if cudnn_blockers else "cuDNN"
    )
    if compiled and not unsupported:
        path = "compiled"
    implementation = traits.requested
    if path == "cuDNN":
        implementation = None
    elif implementation is not None and traits.recurrent_dropout > 0:
        implementation = 1
    return LayerPlan(
        layer=traits.layer,
        kind=traits.kind,
        path=path,
        xla=xla,
        requested=traits.requested,
        implementation=implementation,
        cudnn_blockers=tuple(cudnn_blockers),
        no_xla="" if xla else no_xla,
        unsupported_options=tuple(unsupported),
    )


def plan_model(
    model: keras.Model,
    requested: int | None,
    mask_side: MaskSide | None,
    gpus: int,
    compiled: bool = False,
    jit: Jit = "auto",
) -> list[LayerPlan]:
    """Derive what every recurrent layer of a compiled model will run on.

    Args:
        model: Compiled; built by a recipe.
        requested: Implementation requested on the command line; None for SimpleRNN.
        mask_side: The side of the masked padding, if any.
        gpus: Number of GPUs that TensorFlow sees.
        compiled: Whether the suite's own loop was requested.
        jit: Whether XLA was requested.

    Returns:
        One plan per layer, two for a bidirectional one, in the order of the model.
    """
    xla = bool(model.jit_compile)
    no_xla = format_no_xla(jit, gpus)
    return [
        plan_layer(
            read_traits(layer, requested), mask_side, gpus, xla, no_xla, compiled
        )
        for layer in list_recurrent_layers(model)
    ]


def format_no_xla(jit: Jit, gpus: int) -> str:
    """Return why XLA does not compile a training step."""
    if jit != "auto":
        return f"--jit {jit}"
    if gpus:
        return "auto turns it off where a layer may use cuDNN"
    return "auto turns it off without a GPU"


def list_recurrent_layers(model: keras.Model) -> Iterator[keras.Layer]:
    """Yield every SimpleRNN, LSTM and GRU layer, also those in wrappers."""
    from keras import layers

    from shared.layers.carried import CarryState

    for layer in model.layers:
        if isinstance(layer, CarryState):
            layer = layer.layer
        if isinstance(layer, layers.Bidirectional):
            yield layer.forward_layer
            yield layer.backward_layer
        elif isinstance(layer, layers.SimpleRNN | layers.LSTM | layers.GRU):
            yield layer


def read_traits(layer: keras.Layer, requested: int | None) -> Traits:
    """Read from a built layer what decides its kernel."""
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
        requested=requested if gated else None,
        dtype=layer.compute_dtype,
    )


def read_config(config: RecurrentConfig, name: str, kind: str) -> Traits:
    """Read from a layer's flags what decides its kernel."""
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
        requested=config.implementation,
    )
