"""The flags of a network that writes: its depth, and what it must not read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from shared.core.errors import UserError, check_at_least, check_shares
from shared.core.roles import Role
from shared.layers.recurrent import RecurrentConfig

MOST_LAYERS = 16


@dataclass(frozen=True)
class WriterConfig:
    """Depth of the network, and the dropout after each layer."""

    layers: Annotated[int, Role.MODEL]
    """Recurrent layers, one on top of the other, 1 to 16."""
    output_dropout: Annotated[float, Role.TRAINING]
    """Share of each layer's output that is dropped in training, from 0 to below 1."""

    def validate(self) -> None:
        """Refuse a network without layers.

        Raises:
            UserError: With the flag, what it accepts and how to fix it.
        """
        check_at_least(self, {"layers": 1})
        if self.layers > MOST_LAYERS:
            raise UserError(
                f"--layers {self.layers}: takes 1 to {MOST_LAYERS} layers, e.g. 2."
            )
        check_shares(self, ["output_dropout"])


def check_writer(layer: RecurrentConfig) -> None:
    """Refuse flags with which a writer reads what it must predict, or cannot run.

    Raises:
        UserError: With the flag.
    """
    if layer.go_backwards:
        raise UserError(
            "--go-backwards: then the network reads the token that it must predict; "
            "omit the flag."
        )
    if layer.return_sequences:
        raise UserError(
            "--return-sequences: a writer predicts a token after each step already; "
            "omit the flag."
        )
    if layer.unroll:
        raise UserError(
            "--unroll: a writer reads texts of any number of steps; omit the flag."
        )
