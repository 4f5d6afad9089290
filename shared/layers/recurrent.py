"""The recurrent layers as flags: what Keras accepts, what it refuses, and why.

There is one frozen dataclass per Keras layer. Its fields are the keyword arguments of
the layer, with Keras' names and defaults. Only `use_cudnn` has another name: `cudnn`.
`return_state` and `stateful` have no flag, because they change the inputs and outputs
of a model. `seed` has none either: the one seed of the run sets every draw.

This module imports Keras only where it must, so that `--help` stays fast.
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from shared.core.backend import count_gpus
from shared.core.context import Context
from shared.core.errors import UserError, check_shares, check_size, format_flag
from shared.core.roles import Resolved, Role
from shared.layers.penalties import (
    CONSTRAINTS,
    REGULARIZERS,
    build_constraint,
    build_regularizer,
    parse_penalty,
)

if TYPE_CHECKING:
    import keras

Activation = Literal[
    "tanh", "sigmoid", "relu", "linear", "hard_sigmoid", "hard_tanh", "elu", "selu",
    "gelu", "silu", "mish", "leaky_relu", "relu6", "softplus", "softsign", "softmax",
    "exponential",
]  # fmt: skip
KernelInitializer = Literal[
    "glorot_uniform", "glorot_normal", "orthogonal", "he_uniform", "he_normal",
    "lecun_uniform", "lecun_normal", "random_uniform", "random_normal",
    "truncated_normal", "identity", "zeros", "ones",
]  # fmt: skip
BiasInitializer = Literal[
    "zeros", "ones", "random_uniform", "random_normal", "truncated_normal"
]
Cudnn = Literal["auto", "on", "off"]
Kernel = Literal["default", "auto", "keras", "compiled"]

USE_CUDNN = {"auto": "auto", "on": True, "off": False}
COMPILED_ACTIVATIONS = ("linear", "tanh", "sigmoid", "relu")
"""Activations of the suite's own loop, numbered as in `shared.kernels.loop`."""

RARE = re.compile(
    "activation|bias|_initializer|_regularizer|_constraint|unroll|reset_after"
)
"""In the names of the flags that few users need."""


def _list_rare_last(config_type: type) -> type:
    """List the flags that few users need after the others, in help and records.

    Args:
        config_type: A dataclass.

    Returns:
        The same class.
    """
    known = config_type.__dataclass_fields__
    ordered = sorted(known, key=lambda name: bool(RARE.search(name)))
    config_type.__dataclass_fields__ = {name: known[name] for name in ordered}
    return config_type


@dataclass(frozen=True)
class RecurrentConfig:
    """Flags that Keras' three recurrent layers share."""

    units: Annotated[int, Role.MODEL]
    """Size of the state, 1 or more."""
    activation: Annotated[Activation, Role.MODEL] = "tanh"
    """Activation of the candidate state (SimpleRNN: of the state)."""
    use_bias: Annotated[bool, Role.MODEL] = True
    """Whether the layer adds a bias."""
    kernel_initializer: Annotated[KernelInitializer, Role.MODEL] = "glorot_uniform"
    """First values of the input weights."""
    recurrent_initializer: Annotated[KernelInitializer, Role.MODEL] = "orthogonal"
    """First values of the weights from state to state."""
    bias_initializer: Annotated[BiasInitializer, Role.MODEL] = "zeros"
    """First values of the bias."""
    kernel_regularizer: Annotated[str, Role.TRAINING] = "none"
    """Penalty on the input weights: none, l1:F, l2:F or l1_l2:F,F with factors F."""
    recurrent_regularizer: Annotated[str, Role.TRAINING] = "none"
    """Penalty on the weights from state to state, in the same form."""
    bias_regularizer: Annotated[str, Role.TRAINING] = "none"
    """Penalty on the bias, in the same form."""
    kernel_constraint: Annotated[str, Role.TRAINING] = "none"
    """Bound on the input weights: none, non_neg, unit_norm or max_norm:VALUE."""
    recurrent_constraint: Annotated[str, Role.TRAINING] = "none"
    """Bound on the weights from state to state, in the same form."""
    bias_constraint: Annotated[str, Role.TRAINING] = "none"
    """Bound on the bias, in the same form."""
    dropout: Annotated[float, Role.TRAINING] = 0.0
    """Share of the layer's inputs that is dropped in training, from 0 to below 1."""
    recurrent_dropout: Annotated[float, Role.TRAINING] = 0.0
    """Share of the state that is dropped at every step, from 0 to below 1. Forces
    implementation 1 without cuDNN."""
    return_sequences: Annotated[bool, Role.MODEL] = False
    """Use the mean of all steps' states instead of the last state (in a stack: of the
    last layer)."""
    go_backwards: Annotated[bool, Role.MODEL] = False
    """Read the sequence from end to start (in a stack: the first layer does)."""
    unroll: Annotated[bool, Role.KERNEL] = False
    """Replace the loop by one copy of the cell per step: fast for few steps, slow to
    build for many."""
    kernel: Annotated[Kernel, Role.KERNEL, Resolved(portable="keras")] = "default"
    """Which loop over the steps runs. keras: Keras' own. compiled: the suite's, for
    CPUs; the same numbers up to rounding. auto: the fastest in a short measurement on
    this machine (XLA included). default: compiled if it can run, there is no GPU and
    no --jit on; else keras."""

    def validate(self) -> None:
        """Refuse what Keras refuses, or accepts silently and ignores.

        Raises:
            UserError: With the flag, the accepted values and how to fix it.
        """
        if self.units < 1:
            raise UserError(
                f"--units {self.units}: a layer needs at least 1 unit, e.g. --units 32."
            )
        check_size(self, ["units"], self.units**2)
        check_shares(self, ("dropout", "recurrent_dropout"))
        for field in dataclasses.fields(self):
            if field.name.endswith("_regularizer"):
                parse_penalty(field.name, getattr(self, field.name), REGULARIZERS)
            elif field.name.endswith("_constraint"):
                parse_penalty(field.name, getattr(self, field.name), CONSTRAINTS)
        self.check_kernel()

    def check_kernel(self) -> None:
        """Refuse kernel flags that this layer does not support."""
        raise NotImplementedError

    def list_unsupported_options(self) -> list[str]:
        """Return the flags of this layer that the compiled loop cannot run."""
        accepted = ", ".join(COMPILED_ACTIVATIONS)
        names = [
            name
            for name in ("activation", "recurrent_activation")
            if hasattr(self, name)
        ]
        unsupported = [
            f"{format_flag(name)} {getattr(self, name)} (takes {accepted})"
            for name in names
            if getattr(self, name) not in COMPILED_ACTIVATIONS
        ]
        unsupported += ["--unroll"] if self.unroll else []
        return unsupported + (["--cudnn on"] if self.cudnn == "on" else [])

    def resolve_defaults(self, context: Context) -> tuple[RecurrentConfig, list[str]]:
        """Choose the kernel, and replace defaults on which Keras would crash.

        Args:
            context: What the rest of the recipe decides.

        Returns:
            The layer as it will be built, and one sentence per change.

        Raises:
            UserError: If flags of the user cannot work together.
        """
        if self.unroll and not context.even:
            raise UserError(
                "--unroll with --batching bucketed: --unroll needs batches of one "
                "length; take --batching fixed, or omit --unroll."
            )
        if context.mask_side and self.go_backwards and self.return_sequences:
            raise UserError(
                "--go-backwards with --return-sequences and masked padding: Keras "
                "reverses the states but not their mask; omit one of the two flags, "
                "or take --batching fixed --no-mask."
            )
        return dataclasses.replace(self, kernel=self._choose_kernel(context)), []

    def _choose_kernel(self, context: Context) -> Kernel:
        """Return the kernel that `default` means, and refuse one that cannot run."""
        unsupported = self.list_unsupported_options()
        if context.jit == "on":
            if self.kernel in ("compiled", "auto"):
                raise UserError(
                    f"--jit on with --kernel {self.kernel}: XLA compiles Keras' loop "
                    "only (auto tries it by itself); omit one of the two flags."
                )
            return "keras"
        if self.kernel == "compiled" and unsupported:
            raise UserError(
                f"--kernel compiled: cannot run with {', '.join(unsupported)}; change "
                "that, or take --kernel keras."
            )
        if self.kernel == "auto" and (self.unroll or self.cudnn == "on"):
            raise UserError(
                f"--kernel auto with {'--unroll' if self.unroll else '--cudnn on'}: "
                "that flag leaves nothing to choose; omit one of the two flags."
            )
        if self.kernel != "default":
            return self.kernel
        gpus = count_gpus() if context.gpus is None else context.gpus
        return "keras" if unsupported or gpus else "compiled"

    def arguments(self, **changes: Any) -> dict[str, Any]:
        """Return the keyword arguments for the Keras layer.

        Args:
            **changes: Arguments that the place in the network sets, such as
                `return_sequences=True` inside a stack.
        """
        arguments = dataclasses.asdict(self) | changes
        del arguments["kernel"]
        for name, value in arguments.items():
            if name.endswith("_regularizer"):
                arguments[name] = build_regularizer(name, value)
            elif name.endswith("_constraint"):
                arguments[name] = build_constraint(name, value)
        return arguments


@_list_rare_last
@dataclass(frozen=True)
class SimpleRNNConfig(RecurrentConfig):
    """Flags of `keras.layers.SimpleRNN`.

    `activity_regularizer` is missing because SimpleRNN silently ignores it
    (Keras 3.15).
    """

    implementation: Annotated[int | None, Role.KERNEL] = None
    """Refused: SimpleRNN has one implementation only."""
    cudnn: Annotated[Cudnn, Role.KERNEL, Resolved(portable="off")] = "auto"
    """on is refused: Keras has no cuDNN path for SimpleRNN. auto and off: the same."""

    def check_kernel(self) -> None:
        """Refuse flags that only GRU and LSTM support."""
        if self.implementation is not None:
            raise UserError(
                f"--implementation {self.implementation}: SimpleRNN has one "
                "implementation; omit the flag, or take a GRU or LSTM recipe."
            )
        if self.cudnn == "on":
            raise UserError(
                "--cudnn on: Keras has no cuDNN path for SimpleRNN; omit the flag, or "
                "take a GRU or LSTM recipe."
            )

    def arguments(self, **changes: Any) -> dict[str, Any]:
        """Return the keyword arguments for `keras.layers.SimpleRNN`."""
        arguments = super().arguments(**changes)
        del arguments["implementation"], arguments["cudnn"]
        return arguments


@dataclass(frozen=True)
class GatedConfig(RecurrentConfig):
    """Flags that GRU and LSTM have beyond those of SimpleRNN."""

    recurrent_activation: Annotated[Activation, Role.MODEL] = "sigmoid"
    """Activation of the gates."""
    activity_regularizer: Annotated[str, Role.TRAINING] = "none"
    """Penalty on the layer's output, in the form of the other regularizers."""
    implementation: Annotated[Literal[1, 2], Role.KERNEL] = 2
    """1: one matrix product per gate. 2: one product for all gates. The numbers are the
    same, but with dropout, 1 draws a mask per gate and 2 one mask for all. Recurrent
    dropout forces 1."""
    cudnn: Annotated[Cudnn, Role.KERNEL, Resolved(portable="off")] = "auto"
    """on: the cuDNN kernel or an error. off: never cuDNN. auto: cuDNN if it can run."""

    def unmet_cudnn_conditions(self) -> list[str]:
        """Return the flags of this layer that cuDNN cannot run."""
        conditions = {
            "--recurrent-dropout above 0": self.recurrent_dropout > 0,
            f"--activation {self.activation} (needs tanh)": self.activation != "tanh",
            f"--recurrent-activation {self.recurrent_activation} (needs sigmoid)": (
                self.recurrent_activation != "sigmoid"
            ),
            "--unroll": self.unroll,
            "--no-use-bias": not self.use_bias,
            "--dropout with --implementation 1": (
                self.dropout > 0 and self.implementation == 1
            ),
        }
        return [name for name, unmet in conditions.items() if unmet]

    def check_kernel(self) -> None:
        """Refuse `--cudnn on` where cuDNN cannot run."""
        if self.cudnn != "on":
            return
        if unmet := self.unmet_cudnn_conditions():
            raise UserError(
                f"--cudnn on: cuDNN cannot run with {', '.join(unmet)}; change that, "
                "or take --cudnn auto."
            )
        if not count_gpus():
            raise UserError(
                "--cudnn on: TensorFlow sees no GPU here; take --cudnn auto (or off), "
                "or run on a machine with an NVIDIA GPU and tensorflow[and-cuda]."
            )

    def resolve_defaults(self, context: Context) -> tuple[RecurrentConfig, list[str]]:
        """Turn cuDNN off where it would crash or would keep XLA from running."""
        layer, notes = super().resolve_defaults(context)
        if self.cudnn == "on" and context.jit == "on":
            raise UserError(
                "--cudnn on with --jit on: XLA cannot compile cuDNN's kernel; omit one "
                "of the two flags."
            )
        if self.cudnn == "on" and context.mask_side == "left":
            raise UserError(
                "--cudnn on: cuDNN reads masked padding on the right only; take "
                "--padding right with --batching fixed --no-mask, or --cudnn auto."
            )
        if context.jit == "on":  # Keras refuses XLA for a layer that may use cuDNN
            return dataclasses.replace(layer, cudnn="off"), notes
        changes: dict[str, Any] = {}
        causes = []
        if context.mask_side == "left":
            causes.append("a mask with left padding")
        if self.implementation == 1 and self.dropout > 0 and not self.recurrent_dropout:
            causes.append("dropout with implementation 1")
        if causes and self.cudnn == "auto" and layer.kernel != "compiled":
            changes["cudnn"] = "off"
            notes.append(
                f"cuDNN is turned off: {' and '.join(causes)} would crash in Keras."
            )
        return dataclasses.replace(layer, **changes), notes

    def arguments(self, **changes: Any) -> dict[str, Any]:
        """Return the keyword arguments for the Keras layer."""
        arguments = super().arguments(**changes)
        arguments["use_cudnn"] = USE_CUDNN[arguments.pop("cudnn")]
        return arguments


@_list_rare_last
@dataclass(frozen=True)
class GRUConfig(GatedConfig):
    """Flags of `keras.layers.GRU`."""

    reset_after: Annotated[bool, Role.MODEL] = True
    """Apply the reset gate after the product with the recurrent weights (as cuDNN and
    PyTorch do). --no-reset-after: before it (Cho et al. 2014)."""

    def unmet_cudnn_conditions(self) -> list[str]:
        """Return the flags of this layer that cuDNN cannot run."""
        unmet = super().unmet_cudnn_conditions()
        return unmet if self.reset_after else [*unmet, "--no-reset-after"]


@_list_rare_last
@dataclass(frozen=True)
class LSTMConfig(GatedConfig):
    """Flags of `keras.layers.LSTM`."""

    unit_forget_bias: Annotated[bool, Role.MODEL] = True
    """Start the forget gate's bias at 1, so that the cell remembers at first."""


def check_bidirectional(layer: GatedConfig, mask: bool, unidirectional: str) -> None:
    """Refuse flags that a bidirectional layer does not support or computes wrongly.

    Args:
        layer: Of the forward direction.
        mask: Whether padding is masked.
        unidirectional: A recipe that reads in one direction only.

    Raises:
        UserError: With the flags and how to fix it.
    """
    if layer.go_backwards:
        raise UserError(
            "--go-backwards: this recipe reads in both directions already; omit the "
            f"flag, or take {unidirectional}."
        )
    if mask and layer.unroll and layer.return_sequences:
        raise UserError(
            "--unroll with --mask and --return-sequences: Keras (3.15) zeroes the "
            "wrong steps of the backward direction; omit one of the three flags."
        )


def refuse_shortcuts(layer: RecurrentConfig) -> None:
    """Refuse flags with which a memory task needs no memory.

    The mean of all states needs none. In a sequence read backwards, the marked symbol
    of recall comes right before the end.

    Raises:
        UserError: With the flag.
    """
    for name in ("return_sequences", "go_backwards"):
        if getattr(layer, name):
            raise UserError(
                f"{format_flag(name)}: with it the task needs no memory; omit the flag."
            )


def build_bidirectional(layer: keras.Layer, **arguments: Any) -> keras.Layer:
    """Wrap a GRU or LSTM layer in both directions, and keep its kernel choices.

    `keras.layers.Bidirectional` builds both directions again from the layer's saved
    form. That form lacks `implementation`, and Keras restores `use_cudnn` too late
    (Keras 3.15). This function restores `implementation`, and whether XLA may compile
    the layer, which follows from `use_cudnn`.

    Args:
        layer: The layer for the forward direction.
        **arguments: Passed to `keras.layers.Bidirectional`.
    """
    from keras import layers

    wrapper = layers.Bidirectional(layer, **arguments)
    for direction in (wrapper.forward_layer, wrapper.backward_layer):
        set_implementation(direction, layer.cell.implementation)
        direction.supports_jit = layer.supports_jit
    return wrapper


def set_cudnn(layer: keras.Layer, cudnn: Cudnn) -> None:
    """Set the choice of cuDNN of a GRU or LSTM layer after it was built."""
    layer.use_cudnn = USE_CUDNN[cudnn]
    if layer.use_cudnn is False:
        layer.supports_jit = True  # Keras refuses XLA while cuDNN is possible


def set_implementation(layer: keras.Layer, implementation: int) -> None:
    """Set the implementation of a GRU or LSTM layer after it was built.

    Args:
        layer: Not yet called.
        implementation: 1 or 2. Recurrent dropout makes it 1.
    """
    from keras import layers

    cell = layer.cell
    cell.implementation = 1 if cell.recurrent_dropout else implementation
    if cell.implementation == 1:  # draws a mask per gate
        cell.dropout_mask_count = 3 if isinstance(layer, layers.GRU) else 4
    elif hasattr(cell, "dropout_mask_count"):
        del cell.dropout_mask_count
