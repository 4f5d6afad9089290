"""The recurrent layer as flags: what Keras takes, what it refuses, and why.

One frozen dataclass per Keras layer. Its fields are the keyword arguments of the
layer under their Keras names and with Keras' defaults, but `cudnn`, which stands
for `use_cudnn`. Left out are `return_state` and `stateful`, which change what a
model is fed and returns, and `seed`: the run's one seed sets every draw.

Nothing here imports Keras before it must, so that `--help` stays fast.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from shared.backend import count_gpus
from shared.errors import UserError, check_shares, spell_flag
from shared.penalties import (
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
Jit = Literal["auto", "on", "off"]
Kernel = Literal["default", "auto", "keras", "compiled"]
MaskSide = Literal["left", "right"]

USE_CUDNN = {"auto": "auto", "on": True, "off": False}
COMPILED_ACTIVATIONS = ("linear", "tanh", "sigmoid", "relu")
"""What the suite's own loop knows, numbered as in `shared.kernels.loops`."""


@dataclass(frozen=True)
class Surroundings:
    """What decides about a part of a recipe from outside.

    Attributes:
        mask_side: On which side of a sequence masked padding stands, if any.
        jit: Whether XLA compiles the training step.
        even: Whether all batches have the same number of steps.
        sparse: Whether a word's gradient comes as a row per occurrence.
        gpus: How many there are; None looks when it matters.
    """

    mask_side: MaskSide | None = None
    jit: Jit = "auto"
    even: bool = True
    sparse: bool = False
    gpus: int | None = None


@dataclass(frozen=True)
class RecurrentConfig:
    """What Keras' three recurrent layers have in common."""

    units: int
    """Size of the state."""
    activation: Activation = "tanh"
    """Applied to the candidate state (SimpleRNN: to the state)."""
    use_bias: bool = True
    """Whether the layer adds a bias."""
    kernel_initializer: KernelInitializer = "glorot_uniform"
    """First values of the input weights."""
    recurrent_initializer: KernelInitializer = "orthogonal"
    """First values of the weights from state to state."""
    bias_initializer: BiasInitializer = "zeros"
    """First values of the bias."""
    kernel_regularizer: str = "none"
    """Penalty on the input weights: none, l1:F, l2:F or l1_l2:F,F with factors F."""
    recurrent_regularizer: str = "none"
    """Penalty on the weights from state to state, written likewise."""
    bias_regularizer: str = "none"
    """Penalty on the bias, written likewise."""
    kernel_constraint: str = "none"
    """Bound on the input weights: none, non_neg, unit_norm or max_norm:VALUE."""
    recurrent_constraint: str = "none"
    """Bound on the weights from state to state, written likewise."""
    bias_constraint: str = "none"
    """Bound on the bias, written likewise."""
    dropout: float = 0.0
    """Share of the layer's inputs dropped in training, 0 to below 1."""
    recurrent_dropout: float = 0.0
    """Share of the state dropped at every step; forces implementation 1, no cuDNN."""
    return_sequences: bool = False
    """Read the mean of all steps' states instead of the last (in a stack: of the
    last layer)."""
    go_backwards: bool = False
    """Read the sequence from its end to its start (a stack: its first layer does)."""
    unroll: bool = False
    """Write the loop out, step by step: quick for a few steps, slow to build for
    many."""
    kernel: Kernel = "default"
    """Whose loop over the steps runs. keras: Keras' own. compiled: the suite's, for
    processors; the same numbers up to rounding. auto: what a short measurement on this
    machine finds fastest (XLA included). default: compiled where it can run and there
    is no GPU (and no --jit on), else keras."""

    def check(self) -> None:
        """Refuse what Keras refuses, or takes in silence and ignores.

        Raises:
            UserError: With the flag, the values it takes and the way out.
        """
        if self.units < 1:
            raise UserError(
                f"--units {self.units}: a layer needs at least 1 unit, e.g. --units 32."
            )
        check_shares(self, ("dropout", "recurrent_dropout"))
        for field in dataclasses.fields(self):
            if field.name.endswith("_regularizer"):
                parse_penalty(field.name, getattr(self, field.name), REGULARIZERS)
            elif field.name.endswith("_constraint"):
                parse_penalty(field.name, getattr(self, field.name), CONSTRAINTS)
        self.check_kernel()

    def check_kernel(self) -> None:
        """Refuse a kernel choice this layer cannot have."""
        raise NotImplementedError

    def list_hindrances(self) -> list[str]:
        """Return which of this layer's flags keep the compiled loop from running."""
        takes = ", ".join(COMPILED_ACTIVATIONS)
        names = [
            name
            for name in ("activation", "recurrent_activation")
            if hasattr(self, name)
        ]
        hindrances = [
            f"{spell_flag(name)} {getattr(self, name)} (takes {takes})"
            for name in names
            if getattr(self, name) not in COMPILED_ACTIVATIONS
        ]
        hindrances += ["--unroll"] if self.unroll else []
        return hindrances + (["--cudnn on"] if self.cudnn == "on" else [])

    def resolve(self, around: Surroundings) -> tuple[RecurrentConfig, list[str]]:
        """Settle what runs, and what Keras would crash on, and say so.

        Args:
            around: What the rest of the recipe decides.

        Returns:
            The layer as it will be built, and one sentence per change.

        Raises:
            UserError: If the user asked for just what cannot be.
        """
        if self.unroll and not around.even:
            raise UserError(
                "--unroll with --batching bucketed: steps are written out for one "
                "length only; take --batching fixed, or leave --unroll away."
            )
        if around.mask_side and self.go_backwards and self.return_sequences:
            raise UserError(
                "--go-backwards with --return-sequences and masked padding: Keras "
                "turns the states round but not their mask; leave one of the two "
                "away, or take --batching fixed --no-mask."
            )
        return dataclasses.replace(self, kernel=self._settle_kernel(around)), []

    def _settle_kernel(self, around: Surroundings) -> Kernel:
        """Return the kernel that `default` means, and refuse what cannot be."""
        hindrances = self.list_hindrances()
        if around.jit == "on":
            if self.kernel in ("compiled", "auto"):
                raise UserError(
                    f"--jit on with --kernel {self.kernel}: XLA compiles Keras' loop "
                    "only (auto tries it by itself); leave one of the two away."
                )
            return "keras"
        if self.kernel == "compiled" and hindrances:
            raise UserError(
                f"--kernel compiled: cannot run with {', '.join(hindrances)}; change "
                "that, or take --kernel keras."
            )
        if self.kernel == "auto" and (self.unroll or self.cudnn == "on"):
            raise UserError(
                f"--kernel auto with {'--unroll' if self.unroll else '--cudnn on'}: "
                "that choice is made already; leave one of the two away."
            )
        if self.kernel != "default":
            return self.kernel
        gpus = count_gpus() if around.gpus is None else around.gpus
        return "keras" if hindrances or gpus else "compiled"

    def arguments(self, **changes: Any) -> dict[str, Any]:
        """Return the keyword arguments for the Keras layer.

        Args:
            **changes: Arguments that this place in the network fixes, such as
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


@dataclass(frozen=True)
class SimpleRNNConfig(RecurrentConfig):
    """Flags of `keras.layers.SimpleRNN`.

    `activity_regularizer` is missing because SimpleRNN ignores it in silence
    (Keras 3.15).
    """

    implementation: int | None = None
    """Not for SimpleRNN, which has one implementation only: refused."""
    cudnn: Cudnn = "auto"
    """on is refused: Keras has no cuDNN path for SimpleRNN."""

    def check_kernel(self) -> None:
        """Refuse what only GRU and LSTM have."""
        if self.implementation is not None:
            raise UserError(
                f"--implementation {self.implementation}: SimpleRNN has one "
                "implementation; leave the flag away, or take a GRU or LSTM recipe."
            )
        if self.cudnn == "on":
            raise UserError(
                "--cudnn on: Keras has no cuDNN path for SimpleRNN; leave the flag "
                "away, or take a GRU or LSTM recipe."
            )

    def arguments(self, **changes: Any) -> dict[str, Any]:
        """Return the keyword arguments for `keras.layers.SimpleRNN`."""
        arguments = super().arguments(**changes)
        del arguments["implementation"], arguments["cudnn"]
        return arguments


@dataclass(frozen=True)
class GatedConfig(RecurrentConfig):
    """What GRU and LSTM have beyond SimpleRNN."""

    recurrent_activation: Activation = "sigmoid"
    """Applied to the gates."""
    activity_regularizer: str = "none"
    """Penalty on the layer's output, written like the other regularizers."""
    implementation: Literal[1, 2] = 2
    """1: one product per gate. 2: one product for all gates; the same numbers, but
    with dropout 1 draws a mask per gate and 2 one mask for all. Recurrent dropout
    forces 1."""
    cudnn: Cudnn = "auto"
    """on demands the cuDNN kernel, off forbids it, auto takes it where it can run."""

    def unmet_cudnn_conditions(self) -> list[str]:
        """Return which of this layer's flags keep cuDNN from running."""
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

    def resolve(self, around: Surroundings) -> tuple[RecurrentConfig, list[str]]:
        """Settle that cuDNN is off where it would crash, or shut XLA out."""
        settled, notes = super().resolve(around)
        if self.cudnn == "on" and around.jit == "on":
            raise UserError(
                "--cudnn on with --jit on: XLA cannot compile cuDNN's kernel; leave "
                "one of the two away."
            )
        if self.cudnn == "on" and around.mask_side == "left":
            raise UserError(
                "--cudnn on: cuDNN reads masked padding on the right only; take "
                "--padding right with --batching fixed --no-mask, or --cudnn auto."
            )
        if around.jit == "on":  # a layer that may take cuDNN says no to XLA
            return dataclasses.replace(settled, cudnn="off"), notes
        changes: dict[str, Any] = {}
        causes = []
        if around.mask_side == "left":
            causes.append("a mask with left padding")
        if self.implementation == 1 and self.dropout > 0 and not self.recurrent_dropout:
            causes.append("dropout with implementation 1")
        if causes and self.cudnn == "auto" and settled.kernel != "compiled":
            changes["cudnn"] = "off"
            notes.append(
                f"cuDNN is turned off: {' and '.join(causes)} would crash in Keras."
            )
        return dataclasses.replace(settled, **changes), notes

    def arguments(self, **changes: Any) -> dict[str, Any]:
        """Return the keyword arguments for the Keras layer."""
        arguments = super().arguments(**changes)
        arguments["use_cudnn"] = USE_CUDNN[arguments.pop("cudnn")]
        return arguments


@dataclass(frozen=True)
class GRUConfig(GatedConfig):
    """Flags of `keras.layers.GRU`."""

    reset_after: bool = True
    """Apply the reset gate after the product with the recurrent weights (what cuDNN
    and PyTorch compute) or before it (Cho et al. 2014)."""

    def unmet_cudnn_conditions(self) -> list[str]:
        """Return which of this layer's flags keep cuDNN from running."""
        unmet = super().unmet_cudnn_conditions()
        return unmet if self.reset_after else [*unmet, "--no-reset-after"]


@dataclass(frozen=True)
class LSTMConfig(GatedConfig):
    """Flags of `keras.layers.LSTM`."""

    unit_forget_bias: bool = True
    """Start the forget gate's bias at 1, so that the cell remembers at first."""


def check_both_ways(layer: GatedConfig, mask: bool, one_way: str) -> None:
    """Refuse what a layer that reads both ways cannot have, or computes wrongly.

    Args:
        layer: Of the forward direction.
        mask: Whether padding is masked.
        one_way: A recipe that reads one way only.

    Raises:
        UserError: With the flags and the way out.
    """
    if layer.go_backwards:
        raise UserError(
            "--go-backwards: this recipe reads both ways already; leave the flag "
            f"away, or take {one_way}."
        )
    if mask and layer.unroll and layer.return_sequences:
        raise UserError(
            "--unroll with --mask and --return-sequences: Keras (3.15) zeroes the "
            "wrong steps of the backward direction; leave one of the three away."
        )


def build_bidirectional(layer: keras.Layer, **arguments: Any) -> keras.Layer:
    """Wrap a GRU or LSTM layer so that it keeps the kernel choices it was given.

    `keras.layers.Bidirectional` builds both directions anew from the layer's saved
    form, which has neither `implementation` nor, in time, `use_cudnn` (Keras 3.15);
    this puts back the first, and the leave for XLA that follows from the second.

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
    """Give a GRU or LSTM layer the choice of cuDNN it would have been built with."""
    layer.use_cudnn = USE_CUDNN[cudnn]
    if layer.use_cudnn is False:
        layer.supports_jit = True  # said no while cuDNN was possible


def set_implementation(layer: keras.Layer, implementation: int) -> None:
    """Give a GRU or LSTM layer the implementation it would have been built with.

    Args:
        layer: Not yet called.
        implementation: 1 or 2; recurrent dropout makes it 1.
    """
    from keras import layers

    cell = layer.cell
    cell.implementation = 1 if cell.recurrent_dropout else implementation
    if cell.implementation == 1:  # draws a mask per gate
        cell.dropout_mask_count = 3 if isinstance(layer, layers.GRU) else 4
    elif hasattr(cell, "dropout_mask_count"):
        del cell.dropout_mask_count
