"""Flags of the NumPy GRU."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from shared.cells.bptt import CellActivation
from shared.core.errors import UserError, check_at_least, check_size
from shared.core.roles import Role


@dataclass(frozen=True)
class NumpyGRUConfig:
    """Flags of the GRU in NumPy."""

    units: Annotated[int, Role.MODEL]
    """Size of the state."""
    activation: Annotated[CellActivation, Role.MODEL] = "tanh"
    """Applied to the candidate state."""
    recurrent_activation: Annotated[CellActivation, Role.MODEL] = "sigmoid"
    """Applied to the gates."""
    use_bias: Annotated[bool, Role.MODEL] = True
    """Whether the layer adds a bias."""
    reset_after: Annotated[bool, Role.MODEL] = True
    """Apply the reset gate after the product with the recurrent weights (as cuDNN and
    PyTorch do) or before it (Cho et al. 2014, third version)."""
    update_gate: Annotated[Literal["keeps", "writes"], Role.MODEL] = "keeps"
    """What an open update gate does. keeps: h' = z h + (1 - z) n (Cho et al. 2014;
    Keras). writes: h' = (1 - z) h + z n (Chung et al. 2014)."""
    dtype: Annotated[Literal["float32", "float64"], Role.MODEL] = "float32"
    """Numbers of the whole network, and of the Keras GRU it is compared with."""

    def validate(self) -> None:
        """Refuse what Keras cannot compute.

        Raises:
            UserError: With the flag, what it takes and how to fix it.
        """
        check_at_least(self, {"units": 1})
        check_size(self, ["units"], self.units**2)
        if self.update_gate == "writes" and self.recurrent_activation != "sigmoid":
            raise UserError(
                "--update-gate writes with --recurrent-activation "
                f"{self.recurrent_activation}: Keras' GRU computes the same only with "
                "sigmoid gates. Omit one of the two flags."
            )

    def arguments(self, in_numpy: bool = True) -> dict[str, Any]:
        """Return the keyword arguments of the layer.

        Args:
            in_numpy: Of `NumpyGRU`; otherwise of `keras.layers.GRU`.
        """
        arguments = dataclasses.asdict(self)
        if not in_numpy:
            del arguments["update_gate"]
        return arguments
