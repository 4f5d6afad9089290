"""A GRU trained by the formulas of `shared.cells`, beside the library's.

The flags of the layer (`shared.scratch_layer`), the library's network trained from the
same first weights on the same batches, and the table of both curves.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from shared.errors import UserError, check_at_least
from shared.through_time import Activation
from shared.training import TrainingConfig, fit_quietly, set_seed

if TYPE_CHECKING:
    import keras

    from shared.data.splits import Splits
    from shared.run_folder import RunFolder

Losses = Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class ScratchGRUConfig:
    """The GRU written out, as flags."""

    units: int
    """Size of the state."""
    activation: Activation = "tanh"
    """Applied to the candidate state."""
    recurrent_activation: Activation = "sigmoid"
    """Applied to the gates."""
    use_bias: bool = True
    """Whether the layer adds a bias."""
    reset_after: bool = True
    """Apply the reset gate after the product with the recurrent weights (what cuDNN
    and PyTorch compute) or before it (Cho et al. 2014, third version)."""
    update_gate: Literal["keeps", "writes"] = "keeps"
    """What an open update gate does. keeps: h' = z h + (1 - z) n (Cho et al. 2014;
    Keras). writes: h' = (1 - z) h + z n (Chung et al. 2014)."""
    dtype: Literal["float32", "float64"] = "float32"
    """Numbers the whole network computes with, the library's beside it too."""

    def check(self) -> None:
        """Refuse what has no counterpart in Keras.

        Raises:
            UserError: With the flag, what it takes and the way out.
        """
        check_at_least(self, {"units": 1})
        if self.update_gate == "writes" and self.recurrent_activation != "sigmoid":
            raise UserError(
                "--update-gate writes with --recurrent-activation "
                f"{self.recurrent_activation}: only with sigmoid gates does Keras' GRU "
                "compute the same; leave one of the two away."
            )

    def arguments(self, by_hand: bool = True) -> dict[str, Any]:
        """Return the keyword arguments of the layer.

        Args:
            by_hand: Of `ScratchGRU`; else of `keras.layers.GRU`.
        """
        arguments = dataclasses.asdict(self)
        if not by_hand:
            del arguments["update_gate"]
        return arguments


def fit_beside(
    model: keras.Model,
    library: keras.Model,
    splits: Splits,
    training: TrainingConfig,
) -> dict[str, list[float]]:
    """Train the library's network from the first weights of the one written out.

    The seed is set before and after, so that a training that follows sees the same
    batches in the same order.

    Args:
        model: Compiled, not trained; its GRU is a `ScratchGRU` named `gru`.
        library: Compiled; the same but for `keras.layers.GRU`.
        splits: What both are trained on.
        training: How.

    Returns:
        Loss and metrics per epoch, as `model.fit` gives them.
    """
    library.set_weights(model.get_weights())
    ours = model.get_layer("gru")
    if ours.update_gate == "writes":
        weights = turn_update_gate(ours.get_weights(), ours.units)
        library.get_layer("gru").set_weights(weights)
    set_seed(training.seed)
    print("First the library's GRU, from the same weights on the same batches.")
    losses = fit_quietly(library, splits, training)
    set_seed(training.seed)
    return losses


def turn_update_gate(weights: Sequence[np.ndarray], units: int) -> list[np.ndarray]:
    """Return weights that compute the same with the update gate the other way round.

    1 - sigmoid(a) = sigmoid(-a): the signs of all that the update gate sums up turn.

    Args:
        weights: Kernel, recurrent kernel and, if there is one, bias of a GRU.
        units: Size of the state; the update gate's numbers stand first.
    """
    turned = [np.array(values) for values in weights]
    for values in turned:
        values[..., :units] *= -1
    return turned


def write_beside(ours: Sequence[Losses], library: Losses, folder: RunFolder) -> None:
    """Write both curves and how far apart they are, and say it.

    Writes `beside.csv`: epoch, `loss` and `val_loss` of the network written out and
    (`library_*`) of the library's, and the larger of the two differences; and the
    largest of all as a sentence in `beside.txt` (none if no loss is a number). A
    training that stopped early is compared as far as it went.

    Args:
        ours: A row per epoch, from the record.
        library: From `fit_beside`.
        folder: Still open.
    """
    names = ("loss", "val_loss")
    rows = []
    for k, row in enumerate(ours):
        pairs = {name: (row[name], library[name][k]) for name in names}
        rows.append(
            {"epoch": k + 1}
            | {name: pairs[name][0] for name in names}
            | {f"library_{name}": pairs[name][1] for name in names}
            | {"difference": float(np.max([abs(a - b) for a, b in pairs.values()]))}
        )
    folder.write_table("beside", rows)
    numbers = [row for row in rows if np.isfinite(row["difference"])]
    if not numbers:
        return
    worst = max(numbers, key=lambda row: row["difference"])
    told = (
        "Written out and from the library, from the same weights on the same batches: "
        f"losses differ by at most {worst['difference']:.1e} (epoch {worst['epoch']} "
        f"of {len(rows)}, where val_loss is {worst['val_loss']:.4f})."
    )
    folder.write_text("beside", told + "\n")
    print(told)
